"""Which days make the reference of a window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ReferenceChoice", "ReferenceKind", "pick_days"]

# 52 weeks: the same season, and the same days of the week.
_YEAR = timedelta(weeks=52)


class ReferenceKind(StrEnum):
    """What a window is compared with.

    ``TRAINING``: the data that the champion was made from: has the world left what it learnt?
    ``TRAILING``: the days before the window: has something changed just now?
    ``SEASON``: the same season a year before: is this more than winter?
    """

    TRAINING = "training"
    TRAILING = "trailing"
    SEASON = "season"


@dataclass(frozen=True, slots=True)
class ReferenceChoice:
    """A kind of reference, and how many days it has.

    Attributes
    ----------
    kind : ReferenceKind
        What to compare with.
    n_days : int
        Days of a trailing or seasonal reference, at least 1; 28 or more to keep the level of false
        alarms. A training reference is as long as the training was.
    gap_days : int
        Days left out between a trailing reference and the window, at least 0: slow drift is hidden
        by a reference that follows at its heels.

    Raises
    ------
    SpecError
        If a number is out of its range.
    """

    kind: ReferenceKind = ReferenceKind.TRAINING
    n_days: int = 28
    gap_days: int = 0

    def __post_init__(self) -> None:
        if self.n_days < 1 or self.gap_days < 0:
            raise SpecError(
                f"reference {self.kind}: n_days is {self.n_days} and gap_days {self.gap_days}; "
                "the first must be at least 1, the second at least 0"
            )


def pick_days(
    choice: ReferenceChoice,
    available: Iterable[str],
    *,
    first: str,
    last: str,
    training: tuple[str, str] | None = None,
) -> tuple[str, ...]:
    """Pick the days of a reference among those that have a profile.

    Parameters
    ----------
    choice : ReferenceChoice
        What to compare with.
    available : iterable of str
        Days that have a profile, as ``YYYY-MM-DD``, in any order.
    first, last : str
        First and last day of the window, both inclusive.
    training : tuple of str, optional
        First and last day of the champion's training; needed for ``TRAINING``.

    Returns
    -------
    tuple of str
        In order; empty when none of them has a profile. Never a day of the window itself, unless
        the champion was trained on it.

    Raises
    ------
    SpecError
        If the window ends before it begins, or `training` is needed and missing.

    Examples
    --------
    >>> days = [f"2013-01-{day:02d}" for day in range(1, 32)]
    >>> trailing = ReferenceChoice(ReferenceKind.TRAILING, n_days=3)
    >>> pick_days(trailing, days, first="2013-01-10", last="2013-01-11")
    ('2013-01-07', '2013-01-08', '2013-01-09')
    """
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    if end < begin:
        raise SpecError(f"the window {first} to {last} ends before it begins")
    low, high = _span(choice, begin, end, training)
    return tuple(sorted(day for day in set(available) if low <= date.fromisoformat(day) <= high))


def _span(
    choice: ReferenceChoice, begin: date, end: date, training: tuple[str, str] | None
) -> tuple[date, date]:
    if choice.kind is ReferenceKind.TRAINING:
        if training is None:
            raise SpecError(
                "a training reference needs the first and last day of the champion's training; "
                "choose a trailing reference until there is a champion"
            )
        return date.fromisoformat(training[0]), date.fromisoformat(training[1])
    if choice.kind is ReferenceKind.TRAILING:
        high = begin - timedelta(days=1 + choice.gap_days)
        return high - timedelta(days=choice.n_days - 1), high
    middle = begin + (end - begin) / 2 - _YEAR
    low = middle - timedelta(days=(choice.n_days - 1) // 2)
    return low, min(low + timedelta(days=choice.n_days - 1), begin - timedelta(days=1))
