"""Samples of a table, one per profile: their rows, and how the values of columns are distributed.

The first axis of the arrays of `NumberSamples` and `CategorySamples` is that of the profiles, the
second that of the columns. A column that a profile lacks has no rows there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mlops_tasks.profiles import CategoryProfile, ColumnProfile, Profile
from mlops_tasks.profiles.alignment import places, stacked
from mlops_tasks.profiles.quantiles import middles
from mlops_tasks.profiles.recoding import categories_of, single_precision

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OTHER", "CategorySamples", "ContingencyTable", "NumberSamples", "TwoSamples"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Profiles = Sequence[Profile]

OTHER = "(other)"
"""Name of the cell of all categories that were not counted one by one."""


class NumberSamples:
    """Columns of numbers and of times, as the points of their quantile sketches.

    Attributes
    ----------
    parts : list of NumericColumns
        Of each profile.
    names : tuple of str
        The columns.
    n, n_present : array
        All rows, and those with a finite value: no null, no NaN, no infinity.
    mean, variance : array
        Of the finite values; 0 of none.
    low, high : array
        Smallest and largest finite values; NaN where there are none.
    rank_error : array
        Largest error of a share that `cdf` returns.
    begins, sizes : array of int
        Where the points of each column begin among those of its profile, and how many it has.
    """

    def __init__(self, profiles: Profiles, names: tuple[str, ...]) -> None:
        self.parts, self.names = [one.numbers for one in profiles], names
        # In the order of `numeric.COUNTS` and `numeric.MOMENTS`.
        counts, moments = (stacked(self.parts, names, one) for one in ("counts", "moments"))
        self.n, *_, self.n_present = np.moveaxis(counts.astype(float), -1, 0)
        self.mean, second, slack, *ends = np.moveaxis(moments, -1, 0)
        rows = np.maximum(self.n_present, 1)
        self.variance, self.rank_error = second / rows, np.minimum(slack / rows, 1.0)
        self.low, self.high = (np.where(self.n_present > 0, end, np.nan) for end in ends)
        self.begins, self.sizes = places(self.parts, names)

    @cached_property
    def is_time(self) -> Booleans:
        """Whether the values are instants, in microseconds."""
        return stacked(self.parts, self.names, "is_time")

    def points(self, profile: int, column: int) -> Floats:
        """Return the points of one column of one profile, in order."""
        begin = self.begins[profile, column]
        return self.parts[profile].points[begin : begin + self.sizes[profile, column]]

    def few_points(self, limits: Sequence[int]) -> list[tuple[Floats, Integers]]:
        """Gather some points of each column, in single precision, and which profile each is from.

        A limit is that of one column in one profile.
        """
        profiles, found = range(len(self.parts)), []
        for i, limit in enumerate(limits):
            own = [self.points(d, i) for d in profiles]
            own = [one[middles(len(one), limit)] if len(one) > limit else one for one in own]
            values = single_precision(np.concatenate(own))
            found.append((values, np.repeat(profiles, [*map(len, own)])))
        return found

    def cdf(self, at: Floats) -> Floats:
        """Return the shares of each column that are at most the values in its row of `at`."""
        found = np.zeros((len(self.parts), *at.shape))
        for i, part in enumerate(self.parts):
            where = zip(found[i], at, self.begins[i].tolist(), self.sizes[i].tolist(), strict=True)
            for below, values, begin, size in where:
                below[:] = part.points[begin : begin + size].searchsorted(values, side="right")
        return found / np.maximum(self.sizes, 1)[:, :, None]

    def quantiles(self, levels: Floats) -> Floats:
        """Return the quantiles of each column at some levels; NaN where it has no values."""
        sizes = self.sizes[:, :, None]
        # As `QuantileSketch.quantiles`, for all columns at once.
        place = np.maximum(np.ceil(levels * sizes * (1 - 1e-15)).astype(np.int64) - 1, 0)
        index = np.where(sizes > 0, self.begins[:, :, None] + place, -1)
        points = (np.append(part.points, np.nan) for part in self.parts)
        return np.stack([own[at] for own, at in zip(points, index, strict=True)])

    def histogram(self, edges: Floats) -> Floats:
        """Count rows in bins, of which each column has its own inner edges, in order.

        A value on an edge belongs to the bin below.
        """
        below = np.pad(self.cdf(edges), ((0, 0), (0, 0), (1, 1)), constant_values=(0, 1))
        return np.asarray(np.diff(below) * self.n_present[:, :, None])


class CategorySamples:
    """Columns of categories, of which the frequent ones are counted."""

    def __init__(self, profiles: Profiles, names: tuple[str, ...]) -> None:
        self.parts, self.names = [one.categories for one in profiles], names
        counts = stacked(self.parts, names, "counts").astype(float)  # as `CATEGORY_COUNTS` are
        self.n, n_null, self.error, is_exact = np.moveaxis(counts, -1, 0)
        self.n_present, self.is_exact = self.n - n_null, is_exact > 0
        self.begins, self.sizes = places(self.parts, names)

    def counted(self, profile: int, column: int) -> tuple[pa.Array, npt.NDArray[Any]]:
        """Return the categories that were counted, and the rows of each, falling."""
        begin, size = self.begins[profile, column], self.sizes[profile, column]
        part = self.parts[profile]
        return part.values.slice(begin, size), part.rows[begin : begin + size]


@dataclass(frozen=True)
class ContingencyTable:
    """Rows of both samples by category.

    Attributes
    ----------
    labels : list of str
        Categories that either sample has, in order; `OTHER` last, if there are others.
    rows : array of shape (2, n_labels)
        Rows of each: of the reference, and of the current sample.
    n_named : int
        Labels that are categories.
    """

    labels: list[str]
    rows: Floats
    n_named: int

    @classmethod
    def of(cls, *samples: CategoryProfile) -> ContingencyTable:
        """Count two samples in the same cells."""
        names = sorted(set().union(*(one.counts for one in samples)))
        rows = [[*map(dict(one.counts).get, names, repeat(0)), one.n_other] for one in samples]
        others = any(one.n_other for one in samples)
        labels = names + [OTHER] * others
        return cls(labels, np.array(rows, dtype=float)[:, : len(labels)], len(names))

    @property
    def shares(self) -> Floats:
        """Shares of the rows with a value; 0 where a sample has none."""
        return np.asarray(self.rows / np.maximum(self.rows.sum(axis=1, keepdims=True), 1))


class TwoSamples:
    """The columns that a reference and a current profile share, of the same kind.

    Attributes
    ----------
    reference, current : Profile
        Both samples.
    names : frozenset of str
        The columns.
    numbers : NumberSamples
        Those of numbers and times, first of the reference, then of the current sample.
    tables : dict of str to ContingencyTable
        The others.
    """

    def __init__(self, reference: Profile, current: Profile) -> None:
        self.reference, self.current = reference, current
        old, new = ({(n, c.kind) for n, c in one.columns.items()} for one in (reference, current))
        self.names = frozenset(name for name, _ in old & new)
        own = tuple(name for name in reference.numbers.names if name in self.names)
        self.numbers = NumberSamples([reference, current], own)
        self.tables = {
            name: ContingencyTable.of(*self.columns(name))  # type: ignore[arg-type]
            for name in self.names.difference(own)
        }

    def columns(self, name: str) -> tuple[ColumnProfile, ColumnProfile]:
        """Return both profiles of a column."""
        return self.reference.columns[name], self.current.columns[name]

    def table(self, name: str) -> ContingencyTable:
        """Return the rows of both samples by category, or by number in a column of numbers."""
        if name in self.tables:
            return self.tables[name]
        return ContingencyTable.of(*map(categories_of, self.columns(name)))  # type: ignore[arg-type]

    @cached_property
    def percentiles(self) -> dict[str, list[list[float]]]:
        """The 10th, 50th and 90th of each column of numbers, of both samples."""
        both = self.numbers.quantiles(np.array([0.1, 0.5, 0.9]))
        return dict(zip(self.numbers.names, np.moveaxis(both, 0, 1).tolist(), strict=True))
