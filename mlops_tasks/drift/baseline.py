"""The reference of a comparison, how much its own days move, and which days make it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mlops_tasks.drift.decision import LEVEL_DAYS
from mlops_tasks.exceptions import PartitionNotFoundError, SpecError
from mlops_tasks.partitions import days_between, shift_day
from mlops_tasks.profiles import Profile
from mlops_tasks.profiles.sampling import evenly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlops_tasks.drift.aspects import Aspect

__all__ = ["FEW_DAYS", "MAX_DAYS", "Baseline", "effective_days", "reference_span"]

MAX_DAYS = 60
"""Enough days to show how days differ; of more, this many are taken evenly."""

FEW_DAYS = LEVEL_DAYS
"""Enough days to keep the level of false alarms: read of a window that its roll-ups serve.

With twice as many a threshold would be lower by a tenth at most: Fisher's F has 27 degrees of
freedom, not 55.
"""

# 52 weeks: the same season, and the same days of the week.
_YEAR = 52 * 7


@dataclass(frozen=True)
class Baseline:
    """A reference: its profile, and those of its days if there are any.

    Attributes
    ----------
    whole : Profile
        Of all rows of the reference, merged.
    days : tuple of Profile
        Of its days, or of `MAX_DAYS` of them, each with rows of its own. Without them rows count as
        independent, which those of a day hardly ever are: expect more alarms then. With 28 or more
        the false alarms keep their level; fewer than 5 show nothing and are not used.
    label : str
        What people call it, such as ``"training data of version 3"``.
    """

    whole: Profile
    days: tuple[Profile, ...] = ()
    label: str = "reference"

    @classmethod
    def of(
        cls,
        parts: Sequence[Profile],
        label: str = "reference",
        *,
        days: Sequence[Profile] | None = None,
    ) -> Baseline:
        """Make a reference of the profiles of its days, or of longer parts.

        Parameters
        ----------
        parts : sequence of Profile
            At least one, in any order.
        label : str, optional
            What people call it.
        days : sequence of Profile, optional
            Of its days, or of some; by default the parts.

        Returns
        -------
        Baseline
            With all parts merged.

        Raises
        ------
        PartitionNotFoundError
            If there is none.
        """
        if not parts:
            raise PartitionNotFoundError(
                f"the reference {label!r} has no profile: none of its days was ever profiled; "
                "ingest them again, or choose another reference"
            )
        few = evenly(parts if days is None else days, MAX_DAYS)
        return cls(Profile.merged(parts), few, label)

    def only(self, names: Iterable[str]) -> Baseline:
        """Return the same reference of some of its columns."""
        kept = list(names)
        if set(self.whole.columns) <= set(kept):
            return self  # with what it has learnt
        return replace(self, whole=self.whole.only(kept))

    @cached_property
    def aspects(self) -> tuple[Aspect, ...]:
        """Every aspect that some of its columns have."""
        from mlops_tasks.drift.aspects import ASPECTS, ReferenceProfiles

        reference = ReferenceProfiles(self.whole, self.days or (self.whole,))
        columns = [(kind, kind.columns_of(reference)) for kind in ASPECTS]
        return tuple(kind(reference, own) for kind, own in columns if own)


def reference_span(kind: str, n_days: int, *, first: str, last: str) -> tuple[str, str]:
    """Return the first and the last day of a reference of scored days.

    Parameters
    ----------
    kind : {"trailing", "season"}
        The days before the window: has something changed just now? Or the same season a year
        before: is this more than winter? See `DriftSpec.reference`.
    n_days : int
        Days of the reference, at least 1; 28 or more to keep the level of false alarms.
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
    >>> reference_span("trailing", 3, first="2013-01-10", last="2013-01-11")
    ('2013-01-07', '2013-01-09')
    """
    if (length := days_between(first, last)) < 0:
        raise SpecError(f"the window {first} to {last} ends before it begins")
    before = shift_day(first, -1)
    if kind == "trailing":
        return shift_day(before, 1 - n_days), before
    low = shift_day(first, length // 2 - _YEAR - (n_days - 1) // 2)
    return low, min(shift_day(low, n_days - 1), before)


def effective_days(rows: Sequence[int]) -> float:
    """Return as how many days of equal size the days of a window count, from their rows.

    Parameters
    ----------
    rows : sequence of int
        Rows of each day of the window.

    Returns
    -------
    float
        At least 1: the number of days if all have the same rows, less if few have most of them.

    Notes
    -----
    ``sum(n)**2 / sum(n**2)``.

    References
    ----------
    Kish (1965), Survey Sampling, Wiley, chapter 8.

    Examples
    --------
    >>> effective_days([500] * 7), round(effective_days([500] * 6 + [50_000]), 2)
    (7.0, 1.12)
    """
    squares = sum(n * n for n in rows)
    return max(sum(rows) ** 2 / squares, 1.0) if squares else 1.0
