"""Coverage: how much of a window of calendar time is there, and what may be concluded from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from mlops_tasks.partitions.grains import Grain

__all__ = ["Coverage"]

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many partitions a window should have, and which of them are missing.

    Attributes
    ----------
    what : str
        Grain of the partitions.
    n_wanted : int
        All from the first to the last.
    missing : tuple of str
        Keys of those that are not there, in order.

    Examples
    --------
    >>> from mlops_tasks.partitions import DAY
    >>> found = Coverage.of(DAY, "2024-03-01", "2024-03-07", {"2024-03-07"})
    >>> found.enough, found.text
    (False, '6 of 7 days are missing: 2024-03-01, 2024-03-02, 2024-03-03 and 3 more')
    """

    what: str
    n_wanted: int
    missing: tuple[str, ...] = ()

    @classmethod
    def of(cls, grain: Grain, first: str, last: str, there: Collection[str]) -> Coverage:
        """Compare a window with the partitions there are."""
        wanted = grain.range(first, last)
        return cls(grain.name, len(wanted), tuple(key for key in wanted if key not in there))

    @property
    def enough(self) -> bool:
        """Whether at least half of the window is there; on less nothing is concluded."""
        return 2 * len(self.missing) <= self.n_wanted

    @property
    def text(self) -> str:
        """What is missing, a few by name; empty where nothing is."""
        if not self.missing:
            return ""
        more = len(self.missing) - _NAMED
        named = ", ".join(self.missing[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        verb = "is" if len(self.missing) == 1 else "are"
        return f"{len(self.missing)} of {self.n_wanted} {self.what}s {verb} missing: {named}"
