"""Values that the reference never had: categories, and numbers where numbers repeat."""

from __future__ import annotations

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, RareShare
from mlops_tasks.drift.aspects.category_rows import CategoryRows, expected_of_a_day
from mlops_tasks.drift.aspects.out_of_range import far_ends
from mlops_tasks.drift.aspects.reference import ReferenceProfiles, in_blocks
from mlops_tasks.drift.day_effects import usable_days
from mlops_tasks.drift.effects import CohensH, Readings
from mlops_tasks.drift.formatting import exact, percent, short_name, with_names
from mlops_tasks.drift.samples import Floats, Integers, NumberSamples, Profiles, TwoSamples
from mlops_tasks.profiles.quantiles import middles
from mlops_tasks.profiles.recoding import single_precision

Points = list[tuple[Floats, Integers]]

__all__ = ["UnseenCategories", "UnseenNumbers"]

# Numbers are dense between these quantiles of the days' points.
_DENSE = (1 / 32, 31 / 32)


class UnseenCategories(RareShare):
    """Rows of categories that the reference never had, where it counted all of its own."""

    name = "unseen"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at columns whose categories were all counted."""
        return [cls(reference, rows) for rows in reference.category_rows]

    def __init__(self, reference: ReferenceProfiles, rows: CategoryRows) -> None:
        self._rows, self._at = rows, np.flatnonzero(rows.is_exact)
        self.columns = tuple(rows.names[i] for i in self._at)
        # Good (1953): as many rows are new as there are rows of categories that were seen once.
        once, n = np.array([np.sum(rows.rows[i] == 1) for i in self._at]), rows.n[self._at]
        new = ((once + 0.5) / (n + 1))[:, None]  # half a row, after Jeffreys, to vary at all
        self.effect = CohensH(np.ones_like(new), new)
        self.days = self.read_new(reference.days, own=True)
        whole = Readings((once / np.maximum(n, 1))[None, :, None], n[None], np.zeros_like(n)[None])
        self.reference = expected_of_a_day(self.effect, whole, self.days, np.zeros(len(n), int))

    def read_new(self, profiles: Profiles, *, own: bool = False) -> Readings:
        """Read profiles, or the reference's own days, each as if it was none of it."""
        n, _, unseen = self._rows.read(profiles, own=own)
        n = n[:, self._at]
        return Readings(unseen[:, self._at, None], n, np.zeros_like(n))

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
    dense, or far out (`far_ends`): a day warmer than all others has new degrees just beyond the
    others', and gaps between the others' tails, without any drift. What is read is the share among
    the points of a sketch, rows that lie evenly in order; that they are not all rows is part of the
    noise. No profile is read at more points than a typical day of the reference has: the more there
    are, the further they reach into the tails, where new numbers are. A point counts as a row. A
    number is known in `single_precision`: to compute the same one another way is no drift.
    """

    name = "unseen"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at columns whose numbers repeat."""
        return [cls(reference, columns) for columns in in_blocks(reference.repeating)]

    def __init__(self, reference: ReferenceProfiles, columns: tuple[str, ...]) -> None:
        self.columns = columns
        days = NumberSamples.of(reference.days, columns)
        # Points of a typical day: the median over the days that have rows enough.
        sizes = np.where(usable_days(days.n_present), days.sizes, np.nan)
        self._limits = np.nanmedian(sizes, axis=0).astype(np.int64)
        self._low, self._high = far_ends(days)
        points = _points(days, self._limits)
        self._known = [np.unique(values) for values, _ in points]
        self._dense = [np.quantile(one, _DENSE, method="inverted_cdf") for one, _ in points]
        self._learn(self._read(days, points, own=True))

    def read_new(self, profiles: Profiles) -> Readings:
        """Read profiles that are none of the days."""
        numbers = NumberSamples.of(profiles, self.columns)
        return self._read(numbers, _points(numbers, self._limits))

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
        return Readings(shares, n_points, np.zeros_like(n_points), numbers.n_present)


def _points(numbers: NumberSamples, limits: Integers) -> Points:
    """Gather some points of each column, and which profile each belongs to."""
    profiles, found = range(len(numbers.parts)), []
    for i, limit in enumerate(limits.tolist()):
        own = [numbers.points(d, i) for d in profiles]
        own = [one[middles(len(one), limit)] if len(one) > limit else one for one in own]
        found.append((single_precision(np.concatenate(own)), np.repeat(profiles, [*map(len, own)])))
    return found
