"""Columns of several profiles side by side: their rows, and how their values are distributed.

The first axis of every array is that of the profiles, the second that of the columns. A column that
a profile lacks has no rows there.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tasks.profiles.arrays import COUNTS, MOMENTS, TEXTS
from mlops_tasks.profiles.stacking import places, stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from mlops_tasks.profiles import Profile
    from mlops_tasks.profiles.arrays import CategoryArrays, NumberArrays

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Booleans = npt.NDArray[np.bool_]

__all__ = ["CategoryColumns", "NumberColumns"]


class NumberColumns:
    """Columns of numbers and of times, as the points of their quantile sketches."""

    def __init__(self, parts: Sequence[NumberArrays], names: tuple[str, ...]) -> None:
        self.parts, self.names = parts, names

    @classmethod
    def of(cls, profiles: Sequence[Profile], names: tuple[str, ...]) -> NumberColumns:
        """Take some columns of profiles."""
        return cls([one.numbers for one in profiles], names)

    @property
    def n(self) -> Floats:
        """All rows."""
        return self._counts[:, :, COUNTS.index("n")]

    @property
    def n_present(self) -> Floats:
        """Rows with a finite value: no null, no NaN, no infinity."""
        return self._counts[:, :, COUNTS.index("n_finite")]

    @property
    def mean(self) -> Floats:
        """Mean of the finite values."""
        return self._moment("mean")

    @property
    def variance(self) -> Floats:
        """Variance of the finite values; 0 of none."""
        return self._moment("second") / np.maximum(self.n_present, 1)

    @property
    def rank_error(self) -> Floats:
        """Largest error of a share that `cdf` returns."""
        return np.minimum(self._moment("slack") / np.maximum(self.n_present, 1), 1.0)

    @cached_property
    def is_time(self) -> Booleans:
        """Whether the values are instants, in microseconds."""
        return stacked(self.parts, self.names, "is_time")

    @cached_property
    def ends(self) -> tuple[Floats, Floats]:
        """Smallest and largest finite values; NaN where there are none."""
        bounds = stacked(self.parts, self.names, "bounds").astype(float)
        low, high = (
            np.where(self.is_time, bounds[:, :, i], self._moment(name))
            for i, name in enumerate(("minimum", "maximum"))
        )
        some = self.n_present > 0
        return np.where(some, low, np.nan), np.where(some, high, np.nan)

    @property
    def begins(self) -> Integers:
        """Where the points of each column begin among those of its profile."""
        return self._places[0]

    @property
    def sizes(self) -> Integers:
        """Points of each column."""
        return self._places[1]

    def points(self, profile: int, column: int) -> Floats:
        """Return the points of one column of one profile, in order."""
        begin = self.begins[profile, column]
        return self.parts[profile].points[begin : begin + self.sizes[profile, column]]

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
        # As `Quantiles.quantiles`, for all columns at once.
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

    @cached_property
    def _counts(self) -> Floats:
        return stacked(self.parts, self.names, "counts").astype(float)

    @cached_property
    def _moments(self) -> Floats:
        return stacked(self.parts, self.names, "moments")

    def _moment(self, name: str) -> Floats:
        return self._moments[:, :, MOMENTS.index(name)]

    @cached_property
    def _places(self) -> tuple[Integers, Integers]:
        return places(self.parts, self.names)


class CategoryColumns:
    """Columns of categories, of which the frequent ones are counted."""

    def __init__(self, parts: Sequence[CategoryArrays], names: tuple[str, ...]) -> None:
        self.parts, self.names = parts, names
        counts = stacked(parts, names, "counts").astype(float)
        self.n = counts[:, :, TEXTS.index("n")]
        self.n_present = self.n - counts[:, :, TEXTS.index("n_null")]
        self.error = counts[:, :, TEXTS.index("error")]
        self.is_exact = counts[:, :, TEXTS.index("is_exact")] > 0
        self.begins, self.sizes = places(parts, names)

    @classmethod
    def of(cls, profiles: Sequence[Profile], names: tuple[str, ...]) -> CategoryColumns:
        """Take some columns of profiles."""
        return cls([one.categories for one in profiles], names)

    def counted(self, profile: int, column: int) -> tuple[pa.Array, npt.NDArray[Any]]:
        """Return the categories that were counted, and the rows of each, falling."""
        begin, size = self.begins[profile, column], self.sizes[profile, column]
        part = self.parts[profile]
        return part.values.slice(begin, size), part.rows[begin : begin + size]
