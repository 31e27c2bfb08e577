"""Metrics of scores that rank rows of two classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics.statistic import Statistic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

__all__ = ["MeanRocAuc", "RankedCurve", "RocAuc", "average_precision", "recall_at_precision"]


class RocAuc(Statistic):
    """The share of pairs of rows in which the positive one scores higher; ties count half.

    An extra negative row scores above all others, or below; an extra positive one the opposite.
    Hanley, McNeil (1982), The meaning and use of the area under a receiver operating characteristic
    (ROC) curve, Radiology 143.
    """

    def __init__(self, positive: npt.NDArray[np.bool_], scores: Floats) -> None:
        import numpy as np

        self.strata, self.n_extra = positive.astype(np.int64), 2
        _, group = np.unique(scores, return_inverse=True)
        self._n_groups = int(group.max()) + 1
        self._rows = [np.flatnonzero(~positive), np.flatnonzero(positive)]
        self._groups = [group[rows] for rows in self._rows]

    def seen(self, weights: Floats) -> float:
        """Calculate it on the rows alone."""
        pairs, negative, positive = self._pairs(weights)
        return pairs / (negative * positive)

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with extra rows that lose all pairs, and with ones that win all."""
        pairs, negative, positive = self._pairs(weights)
        n_pairs = (negative + float(extra[0])) * (positive + float(extra[1]))
        return pairs / n_pairs, 1 - (negative * positive - pairs) / n_pairs

    def _pairs(self, weights: Floats) -> tuple[float, float, float]:
        """Weigh the pairs that are won, the negative and the positive rows."""
        import numpy as np

        parts = [weights[rows] for rows in self._rows]
        negative, positive = (
            np.bincount(group, part, self._n_groups)
            for group, part in zip(self._groups, parts, strict=True)
        )
        # Not `@`: BLAS would start threads for it, which cost more than they bring.
        won = float((positive * (np.cumsum(negative) - negative / 2)).sum())
        return won, float(parts[0].sum()), float(parts[1].sum())


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


class RankedCurve(Statistic):
    """A function of true and false positives at every threshold, from the highest one down."""

    def __init__(
        self,
        positive: npt.NDArray[np.bool_],
        scores: Floats,
        function: Callable[[Floats, Floats], float],
    ) -> None:
        import numpy as np

        self.strata, self.n_extra, self._function = positive.astype(np.int64), 2, function
        _, group = np.unique(-scores, return_inverse=True)
        self._n_groups = int(group.max()) + 1
        self._cells = self.strata * self._n_groups + group

    def seen(self, weights: Floats) -> float:
        """Calculate it on the rows alone."""
        false, true = self._by_group(weights)
        return self._function(true, false)

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with extra rows at the wrong end of the ranking, and at the right one."""
        import numpy as np

        false, true = self._by_group(weights)
        negative, positive = extra[:1], extra[1:]
        none = np.zeros(1)
        worst = np.concatenate([none, true, positive]), np.concatenate([negative, false, none])
        best = np.concatenate([positive, true, none]), np.concatenate([none, false, negative])
        return self._function(*worst), self._function(*best)

    def _by_group(self, weights: Floats) -> tuple[Floats, Floats]:
        import numpy as np

        both: Floats = np.bincount(self._cells, weights, 2 * self._n_groups).astype(np.float64)
        return both[: self._n_groups], both[self._n_groups :]


def average_precision(true: Floats, false: Floats) -> float:
    """Weigh the precision at each threshold with the positive rows that it adds."""
    import numpy as np

    hits = np.cumsum(true)
    return float((true * _precision(hits, false)).sum() / hits[-1])


def recall_at_precision(true: Floats, false: Floats, floor: float) -> float:
    """Return the largest recall of all thresholds with at least this precision, or 0."""
    import numpy as np

    hits = np.cumsum(true)
    reached = hits[_precision(hits, false) >= floor]
    return float(reached[-1] / hits[-1]) if len(reached) else 0.0


def _precision(hits: Floats, false: Floats) -> Floats:
    import numpy as np

    named = hits + np.cumsum(false)
    precision: Floats = hits / np.where(named > 0, named, 1.0)
    return precision
