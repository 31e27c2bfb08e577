"""Metrics of the classes that are decided: functions of the confusion matrix."""

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

__all__ = [
    "Confusion",
    "balanced_accuracy",
    "f_beta",
    "mean_f_beta",
    "mean_precision",
    "precision",
    "recall",
    "weighted_f1",
]


class Confusion(Statistic):
    """A function of the matrix of rows by true (down) and decided class (across).

    Each class that has rows has one more, decided wrongly or rightly. The errors of many classes
    cancel in part, as independent ones do: among k classes the extra row of each counts 1/sqrt(k).
    """

    def __init__(
        self,
        y_true: Ints,
        decided: Ints,
        n_classes: int,
        function: Callable[[Floats], float],
        *,
        both: bool = False,
    ) -> None:
        """Take codes; a true class of the code `n_classes` is one that cannot be decided."""
        import numpy as np

        self._size, self._function = n_classes + 1, function
        self._cells = y_true * self._size + decided
        classes = np.arange(n_classes) if both else np.unique(y_true)
        self.strata = np.searchsorted(classes, y_true)
        self.n_extra, self._share = len(classes), 1.0 if both else 1 / math.sqrt(len(classes))
        # A class that is not there is not decided by an extra row either, if another one can be.
        there = np.union1d(classes[classes < n_classes], decided)
        there = there if len(there) > 1 else np.arange(n_classes)
        following = there[np.searchsorted(there, classes, "right") % len(there)]
        self._right = classes * self._size + np.where(classes < n_classes, classes, following)
        self._wrong = classes * self._size + following

    def seen(self, weights: Floats) -> float:
        """Calculate it on the rows alone."""
        return self._function(self._matrix(weights).reshape(self._size, self._size))

    def ends(self, weights: Floats, extra: Floats) -> tuple[float, float]:
        """Calculate it with an extra row of each class decided wrongly, and rightly."""
        low, high = (self._matrix(weights) for _ in range(2))
        low[self._wrong] += extra * self._share
        high[self._right] += extra * self._share
        shape = self._size, self._size
        return self._function(low.reshape(shape)), self._function(high.reshape(shape))

    def influence(self, weights: Floats) -> Floats | None:
        """Return by how much each row's cell moves it, by its weight."""
        import numpy as np

        matrix, shape = self._matrix(weights), (self._size, self._size)
        slopes = np.zeros(len(matrix))
        for cell in np.flatnonzero(matrix):
            step = matrix[cell] * 1e-4
            ends = []
            for move in (-step, step):
                moved = matrix.copy()
                moved[cell] += move
                ends.append(self._function(moved.reshape(shape)))
            slopes[cell] = (ends[1] - ends[0]) / (2 * step)
        found: Floats = weights * slopes[self._cells]
        return found

    def _matrix(self, weights: Floats) -> Floats:
        import numpy as np

        return np.bincount(self._cells, weights, self._size**2).astype(np.float64)


def precision(matrix: Floats) -> float:
    """Return the share of true ones among those decided to be of class 1; NaN if none is."""
    return _share(matrix[1, 1], matrix[:, 1].sum())


def recall(matrix: Floats) -> float:
    """Return the share of class 1 that is decided to be of it; NaN if there is none."""
    return _share(matrix[1, 1], matrix[1].sum())


def f_beta(matrix: Floats, beta: float) -> float:
    """Return the F-beta of class 1; NaN if it neither exists nor is decided."""
    hits = (1 + beta**2) * matrix[1, 1]
    return _share(hits, beta**2 * matrix[1].sum() + matrix[:, 1].sum())


def balanced_accuracy(matrix: Floats) -> float:
    """Return the mean recall of the classes that have rows."""
    n_rows = matrix.sum(axis=1)
    there = n_rows > 0
    return float((matrix.diagonal()[there] / n_rows[there]).mean())


def mean_precision(matrix: Floats) -> float:
    """Return the mean precision of the classes that have rows or are decided; 0 if they are not."""
    import numpy as np

    n_rows, n_decided = matrix.sum(axis=1), matrix.sum(axis=0)
    each = matrix.diagonal() / np.where(n_decided > 0, n_decided, 1.0)
    return float(each[n_rows + n_decided > 0].mean())


def mean_f_beta(matrix: Floats, beta: float) -> float:
    """Return the mean F-beta of the classes that have rows or are decided."""
    each, n_rows, n_decided = _f_betas(matrix, beta)
    return float(each[n_rows + n_decided > 0].mean())


def weighted_f1(matrix: Floats) -> float:
    """Return the mean F1 of the classes, weighted by their rows."""
    each, n_rows, _ = _f_betas(matrix, 1.0)
    return float((each * n_rows).sum() / n_rows.sum())


def _f_betas(matrix: Floats, beta: float) -> tuple[Floats, Floats, Floats]:
    import numpy as np

    n_rows, n_decided = matrix.sum(axis=1), matrix.sum(axis=0)
    whole = beta**2 * n_rows + n_decided
    each = (1 + beta**2) * matrix.diagonal() / np.where(whole > 0, whole, 1.0)
    return each, n_rows, n_decided


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan
