"""Rows of profiles by the categories that a reference knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mlops_tasks.drift.day_effects import usable_days
from mlops_tasks.drift.samples import Booleans, CategorySamples, Floats, Integers, Profiles
from mlops_tasks.profiles.zero_copy import valid, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tasks.drift.effects import Effect, Readings
    from mlops_tasks.profiles import Profile

    Rows = npt.NDArray[Any]
    Read = tuple[Floats, Floats, Floats]

__all__ = ["MAX_CATEGORIES", "CategoryRows", "expected_of_a_day"]

#: Categories that are looked at one by one, at most.
MAX_CATEGORIES = 64
# A category is looked at if it has this many times the rows that may not have been counted.
_TIMES_ERROR = 4


class CategoryRows:
    """Rows by category: of those that the reference has most of, of all others, and of new ones.

    A category has a cut because of rows of the reference's own days: none of them has unseen ones,
    and each has more rows of those that just made it among the frequent ones than the next day will
    have. So of its days, rows count among "all others" unless the other days alone give their
    category a cut. With days of one row each this is the estimate of Good (1953).

    Attributes
    ----------
    names : tuple of str
        The columns.
    n : array of shape (n_names,)
        Rows of the reference with a value.
    rows : list of array
        Those of each category that was counted, falling.
    is_exact : array of bool of shape (n_names,)
        Whether all categories were counted.
    n_cuts : array of int of shape (n_names,)
        Categories that are looked at one by one: the first.
    """

    #: Of the rows with a value: categories with less have no cut.
    min_share: ClassVar[float] = 0.0

    def __init__(self, whole: Profile, names: tuple[str, ...]) -> None:
        self.names = names
        own = self._columns([whole])
        counted = [own.counted(0, i) for i in range(len(names))]
        self.n, self.is_exact = own.n_present[0], own.is_exact[0]
        self.rows, self._known = [rows for _, rows in counted], [values for values, _ in counted]
        # What was not counted, in the whole or in a window, may be no large part of what was.
        self._least = np.maximum(1 + _TIMES_ERROR * own.error[0], np.ceil(self.min_share * self.n))
        has_cut = map(_has_cut, self.rows, self._least)
        self.n_cuts = np.array([np.count_nonzero(one) for one in has_cut], int)
        self._last: tuple[tuple[Any, ...], Read] | None = None

    def read(self, profiles: Profiles, *, own: bool = False) -> Read:
        """Read profiles, or the reference's own days, each as if it was none of it.

        Returns
        -------
        tuple of array
            Rows with a value, by profile and column; shares of the categories with a cut and of all
            others, last; shares of categories that the reference never had. The last answer is
            kept, since two aspects ask for it.
        """
        asked, last = (own, *profiles), self._last
        if last is None or last[0] != asked:
            last = self._last = asked, self._read(profiles, own=own)
        return last[1]

    def _columns(self, profiles: Profiles) -> CategorySamples:
        return CategorySamples(profiles, self.names)

    def _read(self, profiles: Profiles, *, own: bool) -> Read:
        columns = self._columns(profiles)
        n = columns.n_present
        rows, unseen = np.maximum(n, 1), np.zeros_like(n)
        shares = np.zeros((*n.shape, int(self.n_cuts.max(initial=0)) + 1))
        for i, (table, new) in enumerate(self._tables(columns)):
            last = self.n_cuts[i]
            shares[:, i, :last] = table[:, :last]
            named, unseen[:, i] = table[:, :last].sum(axis=1), new
            if own:
                others = self.rows[i] - table
                named = np.sum(table, axis=1, where=_has_cut(others, self._least[i]))
                unseen[:, i] = np.sum(table, axis=1, where=others < 1)
            shares[:, i, last] = rows[:, i] - named
        return n, shares / rows[:, :, None], unseen / rows

    def _tables(self, columns: CategorySamples) -> Iterator[tuple[Rows, Rows]]:
        """Count rows per profile and known category, and those of all that are not known."""
        import pyarrow.compute as pc

        n_profiles = len(columns.parts)
        for i, known in enumerate(self._known):
            values, rows = zip(*(columns.counted(d, i) for d in range(n_profiles)), strict=True)
            place = _indices(pc.index_in(pa.concat_arrays(values), value_set=known))
            width, profile = len(known) + 1, np.repeat(np.arange(n_profiles), columns.sizes[:, i])
            cells = np.where(place < 0, width - 1, place) + profile * width
            table = np.bincount(cells, np.concatenate(rows), n_profiles * width)
            yield (own := table.reshape(n_profiles, width))[:, :-1], own[:, -1]


def expected_of_a_day(effect: Effect, whole: Readings, days: Readings, at: Integers) -> Readings:
    """Return what a new day would read: as the whole, but at one place what the days read."""
    is_day, values = usable_days(days.n), whole.values.copy()
    pooled = effect.pooled(replace(days, n=np.where(is_day, days.n, 0.0)))
    columns = np.flatnonzero(is_day.any(axis=0))
    values[0, columns, at[columns]] = pooled.values[columns, at[columns]]
    return replace(whole, values=values)


def _has_cut(rows: Rows, least: float) -> Booleans:
    """Return which categories, along the last axis, have more rows than the next; of a tie none."""
    if (n := rows.shape[-1] - MAX_CATEGORIES) > 0:
        next_one = np.partition(rows, n - 1, axis=-1)[..., n - 1 : n]
        return np.asarray(rows >= np.maximum(next_one + 1, least))
    return np.asarray(rows >= least)


def _indices(found: pa.Array) -> npt.NDArray[np.int32]:
    """Return indices as an array, -1 for null; to fill nulls itself, Arrow would import pandas."""
    indices = view(found, np.int32)
    return np.where(valid(found), indices, -1) if found.null_count else indices
