"""Metrics of scores that rank rows of two classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types.metrics.statistic import Constant, Difference, Statistic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

__all__ = [
    "MeanRocAuc",
    "RankedCurve",
    "RocAuc",
    "average_precision",
    "average_precision_slopes",
    "recall_at_precision",
]


class RocAuc(Statistic):
    """The share of pairs of rows in which the positive one scores higher; ties count half.

    An extra negative row scores above all others, or below; an extra positive one the opposite.
    Hanley, McNeil (1982), The meaning and use of the area under a receiver operating characteristic
    (ROC) curve, Radiology 143.
    """

    def __init__(self, positive: npt.NDArray[np.bool_], scores: Floats) -> None:
        import numpy as np

        self.strata, self.n_extra = positive.astype(np.int64), 2
        # Rows of the larger class are counted between those of the smaller one: fewer cells.
        rare, sign = (positive, 1) if 2 * positive.sum() <= len(positive) else (~positive, -1)
        self._rare, self._others = np.flatnonzero(rare), np.flatnonzero(~rare)
        ranked, self._groups = np.unique(sign * scores[rare], return_inverse=True)
        sides = (np.searchsorted(ranked, sign * scores[~rare], side) for side in ("left", "right"))
        self._cells, self._n_groups = sum(sides), len(ranked)

    def seen(self, weights: Floats) -> float:
        """Calculate it on the rows alone."""
        pairs, rare, others = self._pairs(weights)
        return pairs / (rare * others)

    def influence(self, weights: Floats) -> Floats:
        """Return each row's share of pairs won above the mean, by its share of its class."""
        import numpy as np

        rare, others = weights[self._rare], weights[self._others]
        ranked = np.bincount(self._groups, rare, self._n_groups)
        cells = np.bincount(self._cells, others, 2 * self._n_groups + 1)
        won = (np.cumsum(cells)[:-1:2] + cells[1::2] / 2) / others.sum()
        # An other row in cell c loses to all groups g with 2g + 1 > c, and ties with 2g + 1 = c.
        above = np.append(ranked[::-1].cumsum()[::-1], 0.0)
        lost = np.zeros(len(cells))
        lost[0::2], lost[1::2] = above, above[1:] + ranked / 2
        value = float((ranked * won).sum()) / float(rare.sum())
        found = np.empty(len(weights))
        found[self._rare] = rare * (won[self._groups] - value) / rare.sum()
        found[self._others] = others * (lost[self._cells] / rare.sum() - value) / others.sum()
        return found

    def against(self, rival: Any) -> Statistic:
        """Return what it is above a rival's; nothing, whatever the rows, if both rank the same."""
        return _difference(self, rival)

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with extra rows that lose all pairs, and with ones that win all."""
        pairs, rare, others = self._pairs(weights)
        n_pairs = rare * others
        n_rare = int(self.strata[self._rare[0]])
        n_all = (rare + float(extra[n_rare])) * (others + float(extra[1 - n_rare]))
        return pairs / n_all, 1 - (n_pairs - pairs) / n_all

    def _pairs(self, weights: Floats) -> tuple[float, float, float]:
        """Weigh the pairs that are won, the rows of the smaller class and the others."""
        import numpy as np

        rare, others = weights[self._rare], weights[self._others]
        ranked = np.bincount(self._groups, rare, self._n_groups)
        cells = np.bincount(self._cells, others, 2 * self._n_groups + 1)
        below, ties = np.cumsum(cells)[:-1:2], cells[1::2]
        # Not `@`: BLAS would start threads for it, which cost more than they bring.
        won = float((ranked * (below + ties / 2)).sum())
        return won, float(rare.sum()), float(others.sum())


class MeanRocAuc(Statistic):
    """The mean ROC AUC of each class against all others.

    Each class has an extra row. The errors of many classes cancel in part, as independent ones do:
    among k classes it counts 1/sqrt(k).
    """

    def __init__(self, strata: Ints, classes: list[tuple[int, RocAuc]]) -> None:
        self.strata, self._classes = strata, classes
        self.n_extra = int(strata.max()) + 1

    def seen(self, weights: Floats) -> float:
        """Calculate it on the rows alone."""
        return sum(one.seen(weights) for _, one in self._classes) / len(self._classes)

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with extra rows that lose all pairs, and with ones that win all."""
        import numpy as np

        extra = extra / math.sqrt(self.n_extra)
        others = (extra.sum() - extra) / max(self.n_extra - 1, 1)
        ends = [one.ends(weights, np.array([others[k], extra[k]])) for k, one in self._classes]
        low, high = (sum(side) / len(ends) for side in zip(*ends, strict=True))
        return low, high

    def influence(self, weights: Floats) -> Floats:
        """Return the mean of what each row moves in each class."""
        moved: Floats = sum(one.influence(weights) for _, one in self._classes)  # type: ignore[assignment]
        return moved / len(self._classes)


class RankedCurve(Statistic):
    """A function of the precision at each threshold that adds positive rows, from the highest down.

    An extra positive row scores below all others, or above; an extra negative one the opposite.
    """

    def __init__(
        self,
        positive: npt.NDArray[np.bool_],
        scores: Floats,
        function: Callable[[Floats, Floats], float],
        slopes: Callable[[Floats, Floats], tuple[Floats, Floats]] | None = None,
    ) -> None:
        import numpy as np

        self._slopes = slopes

        self.strata, self.n_extra, self._function = positive.astype(np.int64), 2, function
        self._positive, self._negative = np.flatnonzero(positive), np.flatnonzero(~positive)
        ranked, self._groups = np.unique(-scores[positive], return_inverse=True)
        self._cells, self._n_groups = np.searchsorted(ranked, -scores[~positive]), len(ranked)

    def seen(self, weights: Floats) -> float:
        """Calculate it on the rows alone."""
        true, false, _ = self._by_threshold(weights)
        return self._function(true, false)

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with extra rows at the wrong end of the ranking, and at the right one."""
        import numpy as np

        true, false, n_false = self._by_threshold(weights)
        negative, positive = extra[:1], extra[1:]
        worst = np.append(true, positive), np.append(false, n_false) + negative
        best = np.append(positive, true), np.append(0.0, false)
        return self._function(*worst), self._function(*best)

    def influence(self, weights: Floats) -> Floats | None:
        """Return by how much each row moves it, if the slopes of the function are known."""
        import numpy as np

        if self._slopes is None:
            return None
        true, false, _ = self._by_threshold(weights)
        of_true, of_false = self._slopes(true, false)
        found = np.empty(len(weights))
        found[self._positive] = of_true[self._groups]
        # A negative row counts at its own threshold and at all below it.
        found[self._negative] = np.append(of_false[::-1].cumsum()[::-1], 0.0)[self._cells]
        return weights * found

    def against(self, rival: Any) -> Statistic:
        """Return what it is above a rival's; nothing, whatever the rows, if both rank the same."""
        return _difference(self, rival)

    def _by_threshold(self, weights: Floats) -> tuple[Floats, Floats, float]:
        """Weigh what each threshold adds, what is wrong above it, and all that is wrong."""
        import numpy as np

        hits = np.bincount(self._groups, weights[self._positive], self._n_groups)
        wrong = np.bincount(self._cells, weights[self._negative], self._n_groups + 1).cumsum()
        return hits.astype(np.float64, copy=False), wrong[:-1], float(wrong[-1])


def _difference(ours: Any, rival: Any) -> Statistic:
    import numpy as np

    same = np.array_equal(ours._groups, rival._groups)
    if same and np.array_equal(ours._cells, rival._cells):
        return Constant(ours.strata, 0.0)
    return Difference(ours, rival)


def average_precision(true: Floats, false: Floats) -> float:
    """Weigh the precision at each threshold with the positive rows that it adds."""
    hits = true.cumsum()
    return float((true * hits / (hits + false)).sum() / hits[-1])


def average_precision_slopes(true: Floats, false: Floats) -> tuple[Floats, Floats]:
    """Return how it moves with what each threshold adds, and with what is wrong above each."""
    hits = true.cumsum()
    n, whole = hits[-1], hits + false
    precisions = hits / whole
    by_hits = true * false / whole**2  # what a hit more, here or above, adds to a threshold's part
    value = (true * precisions).sum() / n
    of_true = (precisions + by_hits[::-1].cumsum()[::-1] - value) / n
    return of_true, -true * hits / whole**2 / n


def recall_at_precision(true: Floats, false: Floats, floor: float) -> float:
    """Return the largest recall of all thresholds with at least this precision, or 0."""
    hits = true.cumsum()
    reached = hits[hits / (hits + false) >= floor]
    return float(reached[-1] / hits[-1]) if len(reached) else 0.0
