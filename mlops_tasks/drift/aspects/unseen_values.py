"""Values that the reference never had: categories, repeating numbers, and numbers out of range."""

from __future__ import annotations

from itertools import compress

import numpy as np

from mlops_tasks.drift.aspects.base import RareShare, ReferenceProfiles
from mlops_tasks.drift.aspects.category_rows import expected_of_a_day
from mlops_tasks.drift.day_effects import MIN_DAYS, usable_days
from mlops_tasks.drift.effects import CohensH, Readings
from mlops_tasks.drift.formatting import exact, percent, short_name, with_names
from mlops_tasks.drift.samples import Floats, Integers, NumberSamples, Profiles, TwoSamples
from mlops_tasks.profiles.recoding import single_precision

Points = list[tuple[Floats, Integers]]

__all__ = ["OutOfRange", "UnseenCategories", "UnseenNumbers"]

# Numbers are dense between these quantiles of the days' points.
_DENSE = (1 / 32, 31 / 32)


class UnseenCategories(RareShare):
    """Rows of categories that the reference never had, where it counted all of its own."""

    name = "unseen"

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose columns whose categories were all counted."""
        return tuple(compress(reference.categories, reference.category_rows.is_exact))

    def learn(self, reference: ReferenceProfiles) -> None:
        """Expect as many rows as Good's estimate says."""
        self._rows = rows = reference.category_rows
        self._at = np.flatnonzero(rows.is_exact)
        # Good (1953): as many rows are new as there are rows of categories that were seen once.
        once, n = np.array([np.sum(rows.rows[i] == 1) for i in self._at]), rows.n[self._at]
        new = ((once + 0.5) / (n + 1))[:, None]  # half a row, after Jeffreys, to vary at all
        self.effect = CohensH(np.ones_like(new), new)
        self.days = self.read_new(reference.days, own=True)
        whole = Readings((once / np.maximum(n, 1))[None, :, None], n[None])
        self.reference = expected_of_a_day(self.effect, whole, self.days, np.zeros(len(n), int))

    def read_new(self, profiles: Profiles, *, own: bool = False) -> Readings:
        """Read profiles, or the reference's own days, each as if it was none of it."""
        n, _, unseen = self._rows.read(profiles, own=own)
        return Readings(unseen[:, self._at, None], n[:, self._at])

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write the share of the rows, and name the commonest of the categories."""
        table = samples.tables[self.columns[i]]
        old, new = table.rows[:, : table.n_named]
        unseen = np.where(old == 0, new, 0.0)
        share = unseen.sum() / max(table.rows[1].sum(), 1)
        most = np.argsort(-unseen, kind="stable")[: np.count_nonzero(unseen)].tolist()
        text = f"{percent(share)} of the rows in new categories{self.usual(i)}"
        return with_names(text, (short_name(table.labels[k]) for k in most))


class UnseenNumbers(RareShare):
    """Rows with a number that the reference never had.

    As with unseen categories: none of the reference's own days has a new number, the next day may.
    So of each day, the numbers count as new that no other day has. They must lie where numbers are
    dense, or far out (`_far_ends`): a day warmer than all others has new degrees just beyond the
    others', and gaps between the others' tails, without any drift. What is read is the share among
    the points of a sketch, rows that lie evenly in order; that they are not all rows is part of the
    noise. No profile is read at more points than a typical day of the reference has: the more there
    are, the further they reach into the tails, where new numbers are. A point counts as a row. A
    number is known in `single_precision`: to compute the same one another way is no drift.
    """

    name = "unseen"

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose columns whose numbers repeat."""
        return reference.repeating

    def learn(self, reference: ReferenceProfiles) -> None:
        """Know the numbers of all days; expect of a new one what each adds to the others."""
        days = NumberSamples(reference.days, self.columns)
        # Points of a typical day: the median over the days that have rows enough.
        sizes = np.where(usable_days(days.n_present), days.sizes, np.nan)
        self._limits: list[int] = np.nanmedian(sizes, axis=0).astype(int).tolist()
        self._low, self._high = _far_ends(days)
        points = days.few_points(self._limits)
        self._known = [np.unique(values) for values, _ in points]
        self._dense = [np.quantile(one, _DENSE, method="inverted_cdf") for one, _ in points]
        self.learn_from(self._read(days, points, own=True))

    def read_new(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days."""
        numbers = NumberSamples(profiles, self.columns)
        return self._read(numbers, numbers.few_points(self._limits))

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write the share of the rows, and name the commonest of the numbers."""
        at = samples.numbers.names.index(self.columns[i])
        points = single_precision(samples.numbers.points(1, at))
        is_new = ~np.isin(points, self._known[i])
        new, rows = np.unique(points[is_new], return_counts=True)
        about = "" if len(points) == samples.numbers.n_present[1, at] else "about "
        text = f"new numbers in {about}{percent(is_new.mean())} of the rows"
        return with_names(text, map(exact, new[np.argsort(-rows, kind="stable")].tolist()))

    def _read(self, numbers: NumberSamples, points: Points, *, own: bool = False) -> Readings:
        n_points = np.minimum(numbers.sizes, self._limits).astype(float)
        n_new, n_profiles = np.zeros_like(n_points), len(n_points)
        for i, (values, profile) in enumerate(points):
            known = self._known[i]
            place = np.minimum(known.searchsorted(values), len(known) - 1)
            is_new = known[place] != values
            if own:
                had = np.zeros((n_profiles, len(known)), bool)
                had[profile, place] = True
                is_new = had.sum(axis=0)[place] == 1
            at = 1 + profile if own else 0
            is_dense = (values >= self._dense[i][0]) & (values <= self._dense[i][1])
            is_far = (values < self._low[at, i]) | (values > self._high[at, i])
            n_new[:, i] = np.bincount(profile, is_new & (is_dense | is_far), n_profiles)
        shares = (n_new / np.maximum(n_points, 1))[:, :, None]
        return Readings(shares, n_points, n_all=numbers.n_present)


class OutOfRange(RareShare):
    """Rows far below or far above all numbers of the reference.

    The days' own extremes differ, and a new day's may lie beyond them all without drift, see
    `_far_ends`. Each day is held against the others in the same way. Ends are exact, the rows
    beyond them are those of the points of the sketch, and are one at least. A point counts as a
    row.
    """

    name = "unseen"

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose numbers that do not repeat, if there are days enough to know their ends."""
        if len(reference.days) < MIN_DAYS:
            return ()
        return tuple(name for name in reference.numbers if name not in reference.repeating)

    def learn(self, reference: ReferenceProfiles) -> None:
        """Hold each day against the others."""
        days = NumberSamples(reference.days, self.columns)
        low, high = _far_ends(days)
        self._low, self._high = low[:1], high[:1]
        self.learn_from(_beyond(days, low[1:], high[1:]))

    def read_new(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days."""
        return _beyond(NumberSamples(profiles, self.columns), self._low, self._high)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write the share of the rows beyond the range of the reference, and how far they are."""
        numbers, at = samples.numbers, samples.numbers.names.index(self.columns[i])
        low, lowest = numbers.low[:, at].tolist()
        high, highest = numbers.high[:, at].tolist()
        points = numbers.points(1, at)
        share = np.mean((points < low) | (points > high))
        ends = [f"down to {exact(lowest)}"] * (lowest < low)
        ends += [f"up to {exact(highest)}"] * (highest > high)
        rows = f"{percent(share) if share or not ends else 'a few'} of the rows"
        known = f"{exact(low)} to {exact(high)}"
        return with_names(f"{rows} outside {known}, the range of the reference", ends)


def _beyond(numbers: NumberSamples, low: Floats, high: Floats) -> Readings:
    """Read the shares of the rows below and above some ends, by profile and column."""
    n = numbers.n_present
    low, high = np.broadcast_to(low, n.shape), np.broadcast_to(high, n.shape)
    shares = np.zeros_like(n)
    for at in map(tuple, np.argwhere((numbers.low < low) | (numbers.high > high)).tolist()):
        points = numbers.points(*at)
        n_out = np.count_nonzero((points < low[at]) | (points > high[at]))
        shares[at] = max(n_out / len(points), 1 / n[at])
    return Readings(shares[:, :, None], numbers.sizes.astype(float), n_all=n)


def _far_ends(days: NumberSamples) -> tuple[Floats, Floats]:
    """Return what is far below and far above the numbers of at least three days.

    As far from the smallest of all days as the smallest of each differ, and likewise above: first
    for all days, then without each. NaN where there are no numbers: nothing is far from them.
    """
    return _far_below(days.low), -_far_below(-days.high)


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
