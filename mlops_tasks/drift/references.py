"""Which days make the reference of a window."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mlops_tasks.exceptions import SpecError
from mlops_tasks.partitions import days_between, shift_day

__all__ = ["ReferenceChoice", "ReferenceKind", "reference_span"]

# 52 weeks: the same season, and the same days of the week.
_YEAR = 52 * 7


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


def reference_span(choice: ReferenceChoice, *, first: str, last: str) -> tuple[str, str]:
    """Return the first and the last day of a reference of scored days.

    Parameters
    ----------
    choice : ReferenceChoice
        What to compare with; not ``TRAINING``, whose days the champion's run keeps itself.
    first, last : str
        First and last day of the window, both inclusive.

    Returns
    -------
    tuple of str
        Both inclusive; never a day of the window itself.

    Raises
    ------
    SpecError
        If the window ends before it begins.

    Examples
    --------
    >>> trailing = ReferenceChoice(ReferenceKind.TRAILING, n_days=3)
    >>> reference_span(trailing, first="2013-01-10", last="2013-01-11")
    ('2013-01-07', '2013-01-09')
    """
    if (length := days_between(first, last)) < 0:
        raise SpecError(f"the window {first} to {last} ends before it begins")
    if choice.kind is ReferenceKind.TRAILING:
        high = shift_day(first, -1 - choice.gap_days)
        return shift_day(high, 1 - choice.n_days), high
    middle = shift_day(first, length // 2 - _YEAR)
    low = shift_day(middle, -((choice.n_days - 1) // 2))
    return low, min(shift_day(low, choice.n_days - 1), shift_day(first, -1))
