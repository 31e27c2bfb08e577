"""Shares of the frequent categories, or of numbers that are codes, and of all others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect
from mlops_tasks.drift.aspects.category_rows import CategoryRows, expected_of_a_day
from mlops_tasks.drift.aspects.reference import ReferenceProfiles, in_blocks
from mlops_tasks.drift.effects import CohensH, Readings, never_certain
from mlops_tasks.drift.formatting import percent, short_name
from mlops_tasks.drift.samples import CategorySamples, Floats, NumberSamples, Profiles, TwoSamples
from mlops_tasks.profiles import NumericProfile, Profile
from mlops_tasks.profiles.categories import CategoryColumns
from mlops_tasks.profiles.recoding import categories_of

__all__ = ["CategoryShares", "CodeShares"]

_N_WORDS = 3
# Numbers are codes if those with at least the first share each cover the second of the rows.
# Smaller shares are not known well from the points of a sketch, least from the few of a roll-up.
_LEAST_SHARE, _COVERED = 1 / 32, 3 / 4


class CategoryShares(Aspect):
    """How the rows share the categories that the reference has most of."""

    name = "shares"

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at columns of categories that have any."""
        return [cls(reference, rows) for rows in reference.category_rows]

    def __init__(self, reference: ReferenceProfiles, rows: CategoryRows) -> None:
        self.columns, self._rows = rows.names, rows
        whole, n_cuts = self.read([reference.whole]), rows.n_cuts[:, None]
        exists = (np.arange(whole.values.shape[2]) <= n_cuts) & (n_cuts > 0)  # others alone: none
        weights = np.where(exists, whole.values[0] / 2 + 0.5 / (n_cuts + 1), 0.0)
        self.effect = CohensH(weights, never_certain(whole))
        self.days = self.read(reference.days, own=True)
        self.reference = expected_of_a_day(self.effect, whole, self.days, rows.n_cuts)

    def read(self, profiles: Profiles, *, own: bool = False) -> Readings:
        """Read the shares of the categories with a cut, and of all others."""
        n, shares, _ = self._rows.read(profiles, own=own)
        return Readings(shares, n, np.zeros_like(n))

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Name the categories whose shares changed most."""
        table = samples.table(self.columns[i])
        p, q = table.shares
        most = np.argsort(-np.abs(q - p), kind="stable")[:_N_WORDS].tolist()
        changes = (f"{short_name(table.labels[k])} {percent(p[k])} → {percent(q[k])}" for k in most)
        return "shares " + ", ".join(changes)


class CodeShares(CategoryShares):
    """Shares of single numbers in columns that have few, as of categories.

    Their order says nothing where they are codes: that 2 and 3 changed places moves neither mean
    nor shape much, and is a large change of a category. New numbers are looked for elsewhere, since
    where they are no codes a day may reach beyond all others without drift.
    """

    @classmethod
    def of(cls, reference: ReferenceProfiles) -> list[Aspect]:
        """Look at numbers of which 2 to 32 have three quarters of the rows."""
        numbers = NumberSamples.of([reference.whole], reference.numbers)
        coded = (name for i, name in enumerate(numbers.names) if _are_codes(numbers.points(0, i)))
        blocks = in_blocks(coded)
        return [cls(reference, _CodeRows(reference.whole, own)) for own in blocks]

    def read(self, profiles: Profiles, *, own: bool = False) -> Readings:
        """Read the shares, with the error of the sketches as part of the noise."""
        error = NumberSamples.of(profiles, self.columns).rank_error
        # A share lies between two ranks; errors up to the largest are about equally likely.
        return replace(super().read(profiles, own=own), spread=2 / 3 * error**2)


class _CodeRows(CategoryRows):
    """Rows by number, from the points of the sketches."""

    def __init__(self, whole: Profile, names: tuple[str, ...]) -> None:
        super().__init__(whole, names, least_share=_LEAST_SHARE)

    def _columns(self, profiles: Profiles) -> CategorySamples:
        return CategorySamples([self._recoded(one) for one in profiles], self.names)

    def _recoded(self, profile: Profile) -> CategoryColumns:
        columns = {name: profile.columns.get(name) for name in self.names}
        return CategoryColumns.of(
            {n: categories_of(c) for n, c in columns.items() if isinstance(c, NumericProfile)}
        )


def _are_codes(points: Floats) -> bool:
    """Return whether few numbers have most of the points."""
    size = len(points)
    starts = np.flatnonzero(np.append(True, points[1:] != points[:-1])[:size])
    n_points = np.diff(starts, append=size)
    often = n_points[n_points >= max(_LEAST_SHARE * size, 2)]
    return len(often) >= 2 and bool(often.sum() >= _COVERED * size)
