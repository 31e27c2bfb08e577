"""Gauges of columns of categories: how the rows share them, and whether one has taken over."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlops_tasks.drift.gauges import Readings, SplitGauge, never_certain
from mlops_tasks.drift.movement import told_days
from mlops_tasks.drift.rare_shares import RareShares, at_least
from mlops_tasks.profiles.alignment import matching, places, stacked
from mlops_tasks.profiles.categories import CATEGORY_COUNTS
from mlops_tasks.profiles.zero_copy import valid, view

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from mlops_tasks.drift.gauges import Aspect, Gauge
    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.categories import CategoryColumns

    Integers = npt.NDArray[np.int64]

__all__ = ["MAX_CATEGORIES", "CategoryShares", "Concentration"]

#: So many are looked at one by one.
MAX_CATEGORIES = 64
# A category is looked at if it has so many times the rows that may not have been counted.
_TIMES_ERROR = 4
_N, _NULLS, _EXACT, _ERROR = (
    CATEGORY_COUNTS.index(name) for name in ("n", "n_null", "is_exact", "error")
)


class CategoryShares:
    """Shares of the categories that the reference has most of, and of those it never had.

    Parameters
    ----------
    whole : Profile
        Of the reference.
    days : sequence of Profile
        Of its days, or of the whole as a single one.
    names : tuple of str
        Columns of categories with a value in the whole.

    Notes
    -----
    A category has a cut because of rows of the reference's own days: none of them has unseen ones,
    and each has more rows of those that just made it among the frequent ones than the next day will
    have. So of its days, rows count among "all others" unless the other days alone give their
    category a cut. With days of one row each this is the estimate of Good (1953).
    """

    _least_share = 0.0

    def __init__(self, whole: Profile, days: Sequence[Profile], names: tuple[str, ...]) -> None:
        own = self._categories(whole)
        have = np.array(matching(own.names, names)[0], np.intp)
        spans = list(zip(*(one[0].tolist() for one in places([own], names)), strict=True))
        exact = own.counts[have, _EXACT] > 0
        self._known = [own.values.slice(begin, size) for begin, size in spans]
        self._rows = [own.rows[begin : begin + size] for begin, size in spans]
        last = self._least_rows(own.counts[have])
        self._least = np.array(last)
        self._exact = np.flatnonzero(exact)
        unseen = tuple(names[i] for i in self._exact)
        self.names: dict[Aspect, tuple[str, ...]] = {"shares": names, "unseen": unseen}
        # Cuts: the first categories, and all others.
        has_cut = [_has_cut(rows, least) for rows, least in zip(self._rows, last, strict=True)]
        self._n_cuts = np.array([np.sum(one) for one in has_cut], int) + 1
        self.reference = self._read([whole], is_own=False)
        shares = self.reference["shares"]
        exists = np.arange(shares.values.shape[2]) < self._n_cuts[:, None]
        exists &= self._n_cuts[:, None] > 1  # "all others" alone tell nothing
        weights = np.where(exists, shares.values[0] / 2 + 0.5 / self._n_cuts[:, None], 0.0)
        # Good (1953): as many rows are new as there are rows of categories that were seen once.
        once = np.array([np.sum(rows == 1) for rows in self._rows])[self._exact]
        n = shares.n[0, self._exact]
        self.reference["unseen"] = replace(
            self.reference["unseen"], values=(once / np.maximum(n, 1))[None, :, None]
        )
        new = ((once + 0.5) / (n + 1))[:, None]  # half a row, after Jeffreys, to vary at all
        self.gauges: dict[Aspect, Gauge] = {
            "shares": SplitGauge(weights, never_certain(shares)),
            "unseen": SplitGauge(np.ones_like(new), new),
        }
        self.own = self._read(days, is_own=True)
        self._expect_others()

    def read(self, profiles: Sequence[Profile]) -> dict[Aspect, Readings]:
        """Read profiles that are none of the days; fewer new ones than expected are no drift."""
        found = self._read(profiles, is_own=False)
        found["unseen"] = at_least(self.reference["unseen"], found["unseen"])
        return found

    def _least_rows(self, counts: Integers) -> list[int]:
        """Return the rows that a category needs to be looked at by itself."""
        n, errors = counts[:, _N] - counts[:, _NULLS], counts[:, _ERROR]
        # What was not counted, in the whole or in a window, may be no large part of what was.
        least = np.maximum(1 + _TIMES_ERROR * errors, np.ceil(self._least_share * n))
        return [int(rows) for rows in least]

    def _categories(self, profile: Profile) -> CategoryColumns:
        return profile.categories

    def _expect_others(self) -> None:
        """Take from the days what a new day would have of categories without a cut."""
        none = np.zeros(len(self._exact), int)
        last: dict[Aspect, Integers] = {"shares": self._n_cuts - 1, "unseen": none}
        for aspect, at in last.items():
            old, new = self.reference[aspect], self.own[aspect]
            is_day, values = told_days(new.n), old.values.copy()
            pooled = self.gauges[aspect].pooled(replace(new, n=np.where(is_day, new.n, 0.0)))
            columns = np.flatnonzero(is_day.any(axis=0))
            values[0, columns, at[columns]] = pooled.values[columns, at[columns]]
            self.reference[aspect] = replace(old, values=values)

    def _read(self, profiles: Sequence[Profile], *, is_own: bool) -> dict[Aspect, Readings]:
        names, parts = self.names["shares"], list(map(self._categories, profiles))
        counts = stacked(parts, names, "counts")
        n = (counts[:, :, _N] - counts[:, :, _NULLS]).astype(float)
        rows = np.maximum(n, 1)
        shares = np.zeros((*n.shape, int(self._n_cuts.max(initial=1))))
        unseen = np.zeros_like(n)
        for i, (table, new) in enumerate(self._counted(parts)):
            last = self._n_cuts[i] - 1
            shares[:, i, :last] = table[:, :last]
            named, unseen[:, i] = table[:, :last].sum(axis=1), new
            if is_own:
                others = self._rows[i] - table
                named = np.sum(table, axis=1, where=_has_cut(others, self._least[i]))
                unseen[:, i] = np.sum(table, axis=1, where=others < 1)
            shares[:, i, last] = rows[:, i] - named
        known, none = self._exact, np.zeros_like(n)
        return {
            "shares": Readings(shares / rows[:, :, None], n, none),
            "unseen": Readings((unseen / rows)[:, known, None], n[:, known], none[:, known]),
        }

    def _counted(
        self, parts: Sequence[CategoryColumns]
    ) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Count rows per profile and known category, and those of all that are not known."""
        import pyarrow.compute as pc

        begins, sizes = places(parts, self.names["shares"])
        for i, (begin, size) in enumerate(zip(begins.T.tolist(), sizes.T.tolist(), strict=True)):
            own = list(zip(parts, begin, size, strict=True))
            values = pa.concat_arrays([part.values.slice(a, n) for part, a, n in own])
            rows = np.concatenate([part.rows[a : a + n] for part, a, n in own])
            place = _indices(pc.index_in(values, value_set=self._known[i]))
            width, profile = len(self._known[i]) + 1, np.repeat(np.arange(len(parts)), size)
            cells = np.where(place < 0, width - 1, place) + profile * width
            table = np.bincount(cells, rows, len(parts) * width).reshape(len(parts), width)
            yield table[:, :-1], table[:, -1]


class Concentration(RareShares):
    """Rows that repeat the commonest value, of columns with too many to look at each.

    Parameters
    ----------
    days : sequence of Profile
        Of the reference, or of the whole as a single one.
    names : tuple of str
        Columns of categories.

    Notes
    -----
    Among texts that are nearly all different none is known, and of hundreds of categories few are
    looked at, so none is missed when many rows have become one and the same. The days tell how
    often the commonest is repeated. Its first row does not count: it would be a large share of a
    small day, whatever the texts.
    """

    def __init__(self, days: Sequence[Profile], names: tuple[str, ...]) -> None:
        self._columns = names
        super().__init__("concentration", names, self.read_new(days))

    def read_new(self, profiles: Sequence[Profile]) -> Readings:
        """Read any profiles."""
        names, parts = self._columns, [one.categories for one in profiles]
        counts = stacked(parts, names, "counts")
        n = (counts[:, :, _N] - counts[:, :, _NULLS]).astype(float)
        begins, sizes = places(parts, names)
        most = np.zeros_like(n)
        for i, part in enumerate(parts):  # the rows of a column's values fall
            most[i] = np.append(part.rows, 0)[np.where(sizes[i] > 0, begins[i], -1)]
        values = np.maximum(most - 1, 0) / np.maximum(n, 1)
        return Readings(values[:, :, None], n, np.zeros_like(n))


def _has_cut(rows: npt.NDArray[Any], least: int) -> npt.NDArray[np.bool_]:
    """Tell which categories, along the last axis, have more rows than the next; of a tie none."""
    if rows.shape[-1] > MAX_CATEGORIES:
        at = rows.shape[-1] - MAX_CATEGORIES - 1
        next_one = np.partition(rows, at, axis=-1)[..., at : at + 1]
        return np.asarray(rows >= np.maximum(next_one + 1, least))
    return np.asarray(rows >= least)


def _indices(found: pa.Array) -> npt.NDArray[np.int32]:
    """Return indices as an array, -1 for null; to fill nulls itself, Arrow would import pandas."""
    indices = view(found, np.int32)
    return np.where(valid(found), indices, -1) if found.null_count else indices
