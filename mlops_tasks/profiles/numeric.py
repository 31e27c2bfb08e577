"""Columns of numbers and of times: each by itself, and all of a profile as a few arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from mlops_tasks.profiles.alignment import places, stacked, union
from mlops_tasks.profiles.quantiles import QuantileSketch, merged_points, middles
from mlops_tasks.workers import side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

__all__ = ["COUNTS", "MOMENTS", "NumericColumns", "NumericProfile", "merged_moments"]

#: Columns of `NumericColumns.counts`, in order.
COUNTS = ("n", "n_nan", "n_pos_inf", "n_neg_inf", "n_finite")
#: Columns of `NumericColumns.moments`, in order.
MOMENTS = ("mean", "second", "slack", "minimum", "maximum")
#: Points of a column that a merge looks at, at most; of more, each part is thinned first.
_POOL = 32_768
_N_FINITE = COUNTS.index("n_finite")
_MEAN, _SECOND, _SLACK, _MINIMUM, _MAXIMUM = range(len(MOMENTS))


@dataclass(frozen=True, slots=True, eq=False)
class NumericProfile:
    """A column of numbers as doubles, or of times as microseconds since 1970 in UTC.

    Attributes
    ----------
    kind : {"numeric", "time"}
        Integers, floats and decimals; timestamps and dates, in UTC where they have no zone.
    n, n_nan, n_pos_inf, n_neg_inf : int
        Rows, and how many of them hold NaN or an infinity.
    mean : float
        Of the finite values; NaN of none.
    second : float
        Sum of the squared distances of the finite values from their mean.
    minimum, maximum : float
        Of the finite values; NaN of none.
    sketch : QuantileSketch
        Of the finite values.
    """

    kind: Literal["numeric", "time"]
    n: int
    n_nan: int
    n_pos_inf: int
    n_neg_inf: int
    mean: float
    second: float
    minimum: float
    maximum: float
    sketch: QuantileSketch

    @property
    def n_finite(self) -> int:
        """Rows with a finite number, or with a time."""
        return self.sketch.n

    @property
    def variance(self) -> float:
        """Mean squared distance of the finite values from their mean; NaN of none."""
        return self.second / self.n_finite if self.n_finite else float("nan")

    @property
    def rank_error(self) -> float:
        """Largest error of `cdf`, in share of the finite values."""
        return self.sketch.rank_error

    def cdf(self, x: npt.ArrayLike) -> Floats:
        """Return the share of the finite values that are at most x.

        Parameters
        ----------
        x : array-like of float
            In the column's own unit.

        Returns
        -------
        array of float64
            In [0, 1], off by `rank_error` at most; NaN for NaN, and when there are no values.
        """
        return self.sketch.cdf(x)

    def quantiles(self, q: npt.ArrayLike) -> Floats:
        """Return the values below or at which the shares q of the finite values lie.

        Parameters
        ----------
        q : array-like of float
            In [0, 1]; 0 gives the minimum and 1 the maximum, exactly.

        Returns
        -------
        array of float64
            Values that occurred, nothing interpolated; NaN when there are none.
        """
        import numpy as np

        share, found = np.asarray(q, dtype=np.float64), self.sketch.quantiles(q)
        return np.where(share == 0, self.minimum, np.where(share == 1, self.maximum, found))


@dataclass(frozen=True, slots=True, eq=False)
class NumericColumns:
    """All columns of numbers and of times of a profile: what is stored, and what is merged.

    Attributes
    ----------
    names : tuple of str
        The columns.
    is_time : array of bool
        Which are times.
    counts : array of int64 of shape (n_names, len(COUNTS))
        Rows by kind.
    moments : array of float64 of shape (n_names, len(MOMENTS))
        Of the finite values; of none 0, and NaN as minimum and maximum.
    sizes : array of int64
        Points of each column.
    points : array of float64
        All of them, column after column.
    """

    names: tuple[str, ...]
    is_time: npt.NDArray[np.bool_]
    counts: Integers
    moments: Floats
    sizes: Integers
    points: Floats

    @classmethod
    def of(cls, columns: Mapping[str, NumericProfile]) -> NumericColumns:
        """Put columns side by side."""
        import numpy as np

        own = columns.values()
        counts = [[getattr(column, name) for name in COUNTS] for column in own]
        moments = [
            [c.mean if c.n_finite else 0.0, c.second, c.sketch.slack, c.minimum, c.maximum]
            for c in own
        ]
        return cls(
            tuple(columns),
            np.array([column.kind == "time" for column in own], dtype=bool),
            np.array(counts, np.int64).reshape(-1, len(COUNTS)),
            np.array(moments, np.float64).reshape(-1, len(MOMENTS)),
            np.array([len(column.sketch.points) for column in own], np.int64),
            np.concatenate([column.sketch.points for column in own] or [np.zeros(0)]),
        )

    def by_name(self) -> dict[str, NumericProfile]:
        """Return the columns one by one."""
        starts = [0, *self.sizes.cumsum().tolist()]
        counts, moments = self.counts.tolist(), self.moments.tolist()
        found = {}
        for i, (name, is_time) in enumerate(zip(self.names, self.is_time.tolist(), strict=True)):
            n, n_nan, n_pos_inf, n_neg_inf, n_finite = counts[i]
            mean, second, slack, minimum, maximum = moments[i]
            found[name] = NumericProfile(
                kind="time" if is_time else "numeric",
                n=n,
                n_nan=n_nan,
                n_pos_inf=n_pos_inf,
                n_neg_inf=n_neg_inf,
                mean=mean if n_finite else float("nan"),
                second=second,
                minimum=minimum,
                maximum=maximum,
                sketch=QuantileSketch(n_finite, self.points[starts[i] : starts[i + 1]], slack),
            )
        return found

    def thinned(self, limit: int) -> NumericColumns:
        """Return the same with at most `limit` points a column; the slack grows accordingly."""
        import numpy as np

        if self.sizes.max(initial=0) <= limit:
            return self
        added = np.where(self.sizes > limit, self.counts[:, _N_FINITE] / 2 / limit, 0)
        moments = self.moments.copy()
        moments[:, _SLACK] += added
        points = self.points[_thinning(tuple(self.sizes.tolist()), limit)]
        return replace(self, moments=moments, sizes=np.minimum(self.sizes, limit), points=points)

    @classmethod
    def merged(cls, parts: Sequence[NumericColumns], limit: int) -> NumericColumns:
        """Merge the columns of profiles, with at most `limit` points each.

        A column has one kind in all parts; one that lacks it has no rows of it.
        """
        import numpy as np

        names = union(part.names for part in parts)
        parts = [part.thinned(max(1, _POOL // len(parts))) for part in parts]
        counts, moments = stacked(parts, names, "counts"), stacked(parts, names, "moments")
        n_finite = counts[:, :, _N_FINITE]
        sketches = _merged_sketches(parts, names, n_finite, moments[:, :, _SLACK], limit)
        return cls(
            names,
            np.any(stacked(parts, names, "is_time"), axis=0),
            counts.sum(axis=0),
            _merged_table(n_finite, moments, [sketch.slack for sketch in sketches]),
            np.array([len(sketch.points) for sketch in sketches], np.int64),
            np.concatenate([sketch.points for sketch in sketches] or [np.zeros(0)]),
        )


def merged_moments(n: Floats, mean: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Merge means and sums of squared distances along the first axis, that of the parts.

    Infinite where a double cannot hold them. Chan, Golub, LeVeque (1983), "Algorithms for computing
    the sample variance", American Statistician 37.
    """
    import numpy as np

    total = n.sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        whole = (n / np.where(total > 0, total, 1) * mean).sum(axis=0)
        delta = np.where(n > 0, mean - whole, 0.0)
        return whole, (second + n * delta * delta).sum(axis=0)


@lru_cache(maxsize=64)
def _thinning(sizes: tuple[int, ...], limit: int) -> Integers:
    """Return which points of columns side by side stay."""
    import numpy as np

    starts = np.cumsum(sizes) - sizes
    return np.concatenate(
        [
            start + (middles(size, limit) if size > limit else np.arange(size))
            for start, size in zip(starts, sizes, strict=True)
        ]
    )


def _merged_sketches(
    parts: Sequence[NumericColumns], names: tuple[str, ...], n: Integers, slack: Floats, limit: int
) -> list[QuantileSketch]:
    import numpy as np

    begins, sizes = places(parts, names)

    def merge(i: int) -> QuantileSketch:
        spans = zip(parts, begins[:, i].tolist(), sizes[:, i].tolist(), strict=True)
        points = np.concatenate([part.points[a : a + size] for part, a, size in spans])
        return merged_points(points, sizes[:, i], n[:, i], slack[:, i], limit)

    return side_by_side(merge, range(len(names)), n_values=int(sizes.sum()))


def _merged_table(n_finite: Integers, moments: Floats, slack: Sequence[float]) -> Floats:
    import numpy as np

    some = n_finite > 0
    mean, second = merged_moments(
        n_finite.astype(float), moments[..., _MEAN], moments[..., _SECOND]
    )
    low = np.where(some, moments[:, :, _MINIMUM], np.inf).min(axis=0)
    high = np.where(some, moments[:, :, _MAXIMUM], -np.inf).max(axis=0)
    table = np.stack([mean, second, np.array(slack, np.float64), low, high], axis=1)
    table[~some.any(axis=0), _MINIMUM:] = np.nan
    return table
