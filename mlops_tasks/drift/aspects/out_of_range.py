"""Numbers outside the range of the reference, where nearly every number is a new one."""

from __future__ import annotations

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, RareShare
from mlops_tasks.drift.aspects.reference import ReferenceProfiles, in_blocks
from mlops_tasks.drift.day_effects import MIN_DAYS
from mlops_tasks.drift.effects import Readings
from mlops_tasks.drift.formatting import exact, percent, with_names
from mlops_tasks.drift.samples import Floats, NumberSamples, Profiles, TwoSamples

__all__ = ["OutOfRange", "far_ends"]


class OutOfRange(RareShare):
    """Rows far below or far above all numbers of the reference.

    The days' own extremes differ, and a new day's may lie beyond them all without drift, see
    `far_ends`. Each day is held against the others in the same way. Ends are exact, the rows beyond
    them are those of the points of the sketch, and are one at least. A point counts as a row.
    """

    name = "unseen"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at numbers that do not repeat, if there are days enough to know their ends."""
        if len(reference.days) < MIN_DAYS:
            return []
        names = (name for name in reference.numbers if name not in reference.repeating)
        return [cls(reference, columns) for columns in in_blocks(names)]

    def __init__(self, reference: ReferenceProfiles, columns: tuple[str, ...]) -> None:
        self.columns = columns
        days = NumberSamples.of(reference.days, columns)
        low, high = far_ends(days)
        self._low, self._high = low[:1], high[:1]
        self._learn(_beyond(days, low[1:], high[1:]))

    def read_new(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days."""
        return _beyond(NumberSamples.of(profiles, self.columns), self._low, self._high)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write the share of the rows beyond the range of the reference, and how far they are."""
        numbers, at = samples.numbers, samples.numbers.names.index(self.columns[i])
        (low, lowest), (high, highest) = (end[:, at].tolist() for end in numbers.ends)
        points = numbers.points(1, at)
        share = np.mean((points < low) | (points > high))
        ends = [f"down to {exact(lowest)}"] * (lowest < low)
        ends += [f"up to {exact(highest)}"] * (highest > high)
        rows = f"{percent(share) if share or not ends else 'a few'} of the rows"
        known = f"{exact(low)} to {exact(high)}"
        return with_names(f"{rows} outside {known}, the range of the reference", ends)


def _beyond(numbers: NumberSamples, low: Floats, high: Floats) -> Readings:
    """Read the shares of the rows below and above some ends, by profile and column."""
    n, (lowest, highest) = numbers.n_present, numbers.ends
    low, high = np.broadcast_to(low, n.shape), np.broadcast_to(high, n.shape)
    shares = np.zeros_like(n)
    for at in map(tuple, np.argwhere((lowest < low) | (highest > high)).tolist()):
        points = numbers.points(*at)
        n_out = np.count_nonzero((points < low[at]) | (points > high[at]))
        shares[at] = max(n_out / len(points), 1 / n[at])
    return Readings(shares[:, :, None], numbers.sizes.astype(float), np.zeros_like(n), n)


def far_ends(days: NumberSamples) -> tuple[Floats, Floats]:
    """Return what is far below and far above the numbers of at least three days.

    As far from the smallest of all days as the smallest of each differ, and likewise above: first
    for all days, then without each. NaN where there are no numbers: nothing is far from them.
    """
    lowest, highest = days.ends
    return _far_below(lowest), -_far_below(-highest)


def _far_below(smallest: Floats) -> Floats:
    """Return what is far below the smallest numbers of all days, then of all but each of them."""
    ordered = np.sort(smallest, axis=0)  # days without any come last
    last = np.maximum((~np.isnan(smallest)).sum(axis=0) - 1, 0)[None]
    first, second = ordered[:1], ordered[1:2]
    largest = np.take_along_axis(ordered, last, axis=0)
    before = np.take_along_axis(ordered, np.maximum(last - 1, 0), axis=0)
    least = np.where(smallest == first, second, first)
    most = np.where(smallest == largest, before, largest)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([2 * first - largest, 2 * least - most])
