"""What one part of the maintenance did, and how the parts run without stopping each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import MaintenanceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Upkeep", "maintain"]

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one part of the maintenance removed or ended, what it kept, and why.

    Attributes
    ----------
    removed : tuple of str
        Names, of what kind the part says.
    freed_bytes : int
        Their size, where it is known.
    kept : dict of str to int
        For each reason, how many were kept for it.
    found : tuple of str
        Lines about something that nothing is removed from.
    """

    removed: tuple[str, ...] = ()
    freed_bytes: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    found: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The same for people: a line for what was removed, one for what was kept.

        Examples
        --------
        >>> Upkeep(("a", "b"), 2_000, {"in use": 3}).lines
        ['removed 2 (2,000 bytes): a, b', 'kept 3: in use']
        """
        if self.found:
            return list(self.found)
        more = [f"{len(self.removed) - _NAMED} more"] if len(self.removed) > _NAMED else []
        names = ", ".join([*self.removed[:_NAMED], *more]) or "nothing to remove"
        size = f" ({self.freed_bytes:,} bytes)" if self.freed_bytes else ""
        gone = f"removed {len(self.removed)}{size}: {names}" if self.removed else names
        return [gone, *(f"kept {n}: {why}" for why, n in sorted(self.kept.items()))]


def maintain(
    parts: Mapping[str, Callable[[], Upkeep]], report: Callable[[str, list[str]], object]
) -> None:
    """Run all parts, whatever becomes of each.

    Parameters
    ----------
    parts : mapping of str to callable
        The parts, by name.
    report : callable
        Called with the name of each part and what it did, or why it failed.

    Raises
    ------
    MaintenanceError
        At the end, if a part failed; raised from the error of the first that did.
    """
    failed: dict[str, Exception] = {}
    for name, part in parts.items():
        try:
            report(name, part().lines)
        except Exception as error:  # whatever it is, the other parts have their turn
            failed[name] = error
            report(name, [f"FAILED: {type(error).__name__}: {error}"])
    if failed:
        raise MaintenanceError(
            f"{', '.join(failed)} failed, the other parts did their work. Fix what the lines above "
            "name and run the task again; nothing that is needed was removed"
        ) from next(iter(failed.values()))
