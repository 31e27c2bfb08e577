"""Shares of the frequent categories, or of numbers that are codes; repeats of the commonest."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from operator import itemgetter

import numpy as np

from mlops_tasks.drift.aspects.base import Aspect, RareShare, ReferenceProfiles
from mlops_tasks.drift.aspects.category_rows import MAX_CATEGORIES, CategoryRows, expected_of_a_day
from mlops_tasks.drift.effects import CohensH, Readings, never_certain
from mlops_tasks.drift.formatting import percent, short_name
from mlops_tasks.drift.samples import CategorySamples, Floats, NumberSamples, Profiles, TwoSamples

__all__ = ["CategoryShares", "CodeShares", "Concentration"]

_N_WORDS = 3
# Numbers are codes if those with at least the first share each cover the second of the rows.
# Smaller shares are not known well from the points of a sketch, least from the few of a roll-up.
_LEAST_SHARE, _COVERED = 1 / 32, 3 / 4


class CategoryShares(Aspect):
    """How the rows share the categories that the reference has most of."""

    name = "shares"

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose columns of categories."""
        return reference.categories

    def rows_of(self, reference: ReferenceProfiles) -> CategoryRows:
        """Return the rows by category."""
        return reference.category_rows

    def learn(self, reference: ReferenceProfiles) -> None:
        """Expect the shares of the whole reference, and as many others as its days have."""
        self._rows = rows = self.rows_of(reference)
        whole, n_cuts = self.read([reference.whole]), rows.n_cuts[:, None]
        exists = (np.arange(whole.values.shape[2]) <= n_cuts) & (n_cuts > 0)  # others alone: none
        weights = np.where(exists, whole.values[0] / 2 + 0.5 / (n_cuts + 1), 0.0)
        self.effect = CohensH(weights, never_certain(whole))
        self.days = self.read(reference.days, own=True)
        self.reference = expected_of_a_day(self.effect, whole, self.days, rows.n_cuts)

    def read(self, profiles: Profiles, *, own: bool = False) -> Readings:
        """Read the shares of the categories with a cut, and of all others."""
        n, shares, _ = self._rows.read(profiles, own=own)
        return Readings(shares, n)

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

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose numbers of which 2 to 32 have three quarters of the rows."""
        numbers = NumberSamples([reference.whole], reference.numbers)
        names = enumerate(numbers.names)
        return tuple(name for i, name in names if _are_codes(numbers.points(0, i)))

    def rows_of(self, reference: ReferenceProfiles) -> CategoryRows:
        """Return the rows by number."""
        return _CodeRows(reference.whole, self.columns)

    def read(self, profiles: Profiles, *, own: bool = False) -> Readings:
        """Read the shares, with the error of the sketches as part of the noise."""
        error = NumberSamples(profiles, self.columns).rank_error
        # A share lies between two ranks; errors up to the largest are about equally likely.
        return replace(super().read(profiles, own=own), spread=2 / 3 * error**2)


class Concentration(RareShare):
    """Rows that repeat the commonest value, of columns with too many to look at each.

    Among texts that are nearly all different none is known, and of hundreds of categories few are
    looked at, so none is missed when many rows have become one and the same. The days show how
    often the commonest is repeated. Its first row does not count: it would be a large share of a
    small day, whatever the texts.
    """

    name = "concentration"

    @staticmethod
    def columns_of(reference: ReferenceProfiles) -> tuple[str, ...]:
        """Choose columns of more categories than are looked at one by one."""
        own = CategorySamples([reference.whole], reference.whole.categories.names)
        many = (~own.is_exact | (own.sizes > MAX_CATEGORIES)) & (own.n_present > 0)
        return tuple(compress(own.names, many[0]))

    def learn(self, reference: ReferenceProfiles) -> None:
        """Expect what the days have."""
        self.learn_from(self.read_new(reference.days))

    def read_new(self, profiles: Profiles) -> Readings:
        """Read any profiles."""
        own = CategorySamples(profiles, self.columns)
        most = np.zeros_like(own.n)
        for i, part in enumerate(own.parts):  # the rows of a column's values fall
            most[i] = np.append(part.rows, 0)[np.where(own.sizes[i] > 0, own.begins[i], -1)]
        values = np.maximum(most - 1, 0) / np.maximum(own.n_present, 1)
        return Readings(values[:, :, None], own.n_present)

    def describe(self, samples: TwoSamples, i: int) -> str:
        """Write how many rows repeat the commonest value, and name it."""
        table = samples.tables[self.columns[i]]
        counted = zip(table.rows[1, : table.n_named].tolist(), table.labels, strict=False)
        rows, name = max(counted, key=itemgetter(0), default=(0.0, ""))
        share = max(rows - 1, 0) / table.rows[1].sum()
        text = f"{percent(share)} of the rows repeat the commonest value{self.usual(i)}"
        return f"{text}: {short_name(name)}" if rows else text


class _CodeRows(CategoryRows):
    """Rows by number, from the points of the sketches."""

    min_share = _LEAST_SHARE

    def _columns(self, profiles: Profiles) -> CategorySamples:
        numbers = [one.only(self.names).declared(self.names) for one in profiles]
        return CategorySamples(numbers, self.names)


def _are_codes(points: Floats) -> bool:
    """Return whether few numbers have most of the points."""
    size = len(points)
    starts = np.flatnonzero(np.append(True, points[1:] != points[:-1])[:size])
    n_points = np.diff(starts, append=size)
    often = n_points[n_points >= max(_LEAST_SHARE * size, 2)]
    return len(often) >= 2 and bool(often.sum() >= _COVERED * size)
