"""How far a session goes: until the loop has closed, or as many partitions as were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EXTRA = 3


@dataclass(frozen=True, slots=True)
class Goal:
    """How far this session goes.

    Parameters
    ----------
    asked : int or None
        Partitions the user asked for in this session.
    before : int
        Partitions played by earlier sessions.
    closed_before : bool
        Whether the loop had closed by then.
    at_least, at_most : int
        How many are played in all sessions before the loop counts as closed, and if it never does.
    """

    asked: int | None
    before: int
    closed_before: bool
    at_least: int
    at_most: int

    def wants_more(self, now: int, has_closed: Callable[[], bool]) -> bool:
        """Return whether another partition is due.

        Parameters
        ----------
        now : int
            Partitions played in this session.
        has_closed : callable
            Asked only when the answer matters.

        Returns
        -------
        bool
            The asked ones exactly; else at least `at_least`, then until the loop has closed, and
            `at_most` at the most. A session that finds it closed, or so many played, plays 3 more.

        Examples
        --------
        >>> Goal(2, 0, False, 14, 45).wants_more(2, lambda: False)
        False
        >>> Goal(None, 0, False, 14, 45).wants_more(14, lambda: False)
        True
        >>> Goal(None, 14, True, 14, 45).wants_more(2, lambda: True)
        True
        """
        if self.asked is not None:
            return now < self.asked
        if self.closed_before or self.before >= self.at_most:
            return now < EXTRA
        total = self.before + now
        return total < self.at_least or (total < self.at_most and not has_closed())

    @property
    def expected(self) -> int:
        """Partitions this session will probably play: what a progress bar starts with."""
        if self.asked is not None:
            return self.asked
        return EXTRA if self.closed_before else max(self.at_least - self.before, 1)
