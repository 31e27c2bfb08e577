"""Quantiles of a stream in bounded memory, with an error that is known and not only likely."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]

__all__ = [
    "MERGED_POINTS",
    "STORED_POINTS",
    "QuantileAccumulator",
    "QuantileSketch",
    "merged_points",
    "middles",
]

#: Points of a partition: a rank error of 1/1024, and 15 columns of them stay below 64 KB.
STORED_POINTS = 512
#: Points of a merge: 1/4096 more.
MERGED_POINTS = 2048
#: Points while a partition streams by.
_STREAM_POINTS = 4096
#: Summaries of one level that become one of the next.
_FAN_IN = 16


@dataclass(frozen=True, slots=True)
class QuantileSketch:
    """Points that each stand for the same number of values, in order.

    Attributes
    ----------
    n : int
        Values summarised; finite ones only.
    points : array of float64
        Sorted; all the values themselves while there are few.
    slack : float
        No rank read from the points is wrong by more values than this.

    Notes
    -----
    Of n sorted values, p points at ranks ``(j + 1/2) n / p`` give every rank to within
    ``n / (2 p)``. Merging sorts the points of all by value with the weight n_i / p_i and takes
    points at equal distances of weight again. Errors add, as rows: the total is known whatever the
    values or their order, unlike that of a sketch that throws coins (KLL), so equal data give
    equal points. The price: a chain of merges adds its 1/4096 each time; merge many at once.

    References
    ----------
    Munro, Paterson (1980), "Selection and sorting with limited storage", TCS 12; Agarwal et al.
    (2012), "Mergeable summaries", PODS.

    Examples
    --------
    >>> import numpy as np
    >>> odd = QuantileSketch.of_sorted(np.array([1.0, 3.0, 5.0]))
    >>> both = QuantileSketch.merged([odd, QuantileSketch.of_sorted(np.array([2.0]))])
    >>> both.points.tolist(), both.rank_error
    ([1.0, 2.0, 3.0, 5.0], 0.0)
    """

    n: int
    points: Floats
    slack: float = 0.0

    @classmethod
    def of_sorted(cls, values: Floats, limit: int = _STREAM_POINTS) -> QuantileSketch:
        """Summarise finite values that are sorted already, by at most `limit` points."""
        n = len(values)
        if n <= limit:
            return cls(n, values)
        return cls(n, values[middles(n, limit)], n / (2 * limit))

    @classmethod
    def merged(cls, parts: Sequence[QuantileSketch], limit: int = MERGED_POINTS) -> QuantileSketch:
        """Summarise the union of what the parts summarise; the same whatever their order."""
        import numpy as np

        points = np.concatenate([part.points for part in parts] or [np.zeros(0)])
        sizes = np.array([len(part.points) for part in parts], np.int64)
        n = np.array([part.n for part in parts], np.int64)
        return merged_points(points, sizes, n, np.array([part.slack for part in parts]), limit)

    @property
    def rank_error(self) -> float:
        """Largest error of a rank, as a share of the values; 0 when all values are kept."""
        return min(self.slack / self.n, 1.0) if self.n else 0.0

    def thinned(self, limit: int) -> QuantileSketch:
        """Return the same with at most `limit` points."""
        size = len(self.points)
        if size <= limit:
            return self
        slack = self.slack + self.n / (2 * limit)
        return QuantileSketch(self.n, self.points[middles(size, limit)], slack)

    def cdf(self, x: npt.ArrayLike) -> Floats:
        """Return the share of values that are at most x; NaN for NaN, and of nothing."""
        import numpy as np

        at = np.asarray(x, dtype=np.float64)
        if not self.n:
            return np.full(at.shape, np.nan)
        share: Floats = np.searchsorted(self.points, at, side="right") / len(self.points)
        return np.where(np.isnan(at), np.nan, share)

    def quantiles(self, q: npt.ArrayLike) -> Floats:
        """Return the smallest value with a share q of values at or below it; NaN of nothing."""
        import numpy as np

        share = np.asarray(q, dtype=np.float64)
        if not np.all((share >= 0) & (share <= 1)):
            raise ValueError(f"quantiles are asked for by shares in [0, 1], not {q!r}")
        if not self.n:
            return np.full(share.shape, np.nan)
        size = len(self.points)
        # A share such as 0.07 of 100 must not become 8 by the last bit of the product.
        index = np.ceil(share * size * (1 - 1e-15)).astype(np.int64) - 1
        found: Floats = self.points[np.clip(index, 0, size - 1)]
        return found


def merged_points(
    points: Floats, sizes: Integers, n: Integers, slacks: Floats, limit: int
) -> QuantileSketch:
    """Summarise a union, as `QuantileSketch.merged`, of points that follow part by part.

    Of each part there are its numbers of points and of values, and its slack.
    """
    import numpy as np

    total, slack = int(n.sum()), float(slacks.sum())
    if np.count_nonzero(sizes) == 1:
        return QuantileSketch(total, points, slack).thinned(limit)
    order = np.argsort(points, kind="stable")  # parts are in order: merged, not sorted
    if total == len(points):  # every value is there
        whole = QuantileSketch.of_sorted(points[order], limit)
        return QuantileSketch(total, whole.points, whole.slack + slack)
    limit = min(limit, total)
    ranks = np.cumsum(np.repeat(n / np.maximum(sizes, 1), sizes)[order])
    # A little less, so that rounding in the sums cannot move a point when parts change places.
    wanted = (np.arange(limit) + 0.5) * (ranks[-1] / limit) * (1 - 1e-12)
    chosen = order[np.searchsorted(ranks, wanted, side="right")]
    return QuantileSketch(total, points[chosen], slack + total / (2 * limit))


class QuantileAccumulator:
    """Summarise sorted chunks as they come; memory grows with the logarithm of their number."""

    def __init__(self) -> None:
        self._levels: list[list[QuantileSketch]] = [[]]

    def add(self, values: Floats) -> None:
        """Add a sorted chunk of finite values."""
        self._put(0, QuantileSketch.of_sorted(values))

    def finish(self) -> QuantileSketch:
        """Return the summary of all chunks, small enough to be stored."""
        parts = [one for level in self._levels for one in level]
        return QuantileSketch.merged(parts, STORED_POINTS)

    def _put(self, level: int, summary: QuantileSketch) -> None:
        if level == len(self._levels):
            self._levels.append([])
        same = self._levels[level]
        same.append(summary)
        if len(same) == _FAN_IN:
            self._levels[level] = []
            self._put(level + 1, QuantileSketch.merged(same, _STREAM_POINTS))


@lru_cache(maxsize=256)
def middles(n: int, limit: int) -> npt.NDArray[np.int64]:
    """Return the places of `limit` points that each stand for equally many of n sorted values."""
    import numpy as np

    place = np.arange(limit)
    # Where the middle falls between two, take the lower one every other time: no bias remains.
    return ((place * 2 + 1) * n - place % 2) // (2 * limit)
