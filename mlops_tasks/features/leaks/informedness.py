"""Informedness: how much of a class the cells of a column give, on rows held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from mlops_tasks.problem_types.metrics import Interval, share_interval

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools: TypeAlias = npt.NDArray[np.bool_]
    Ints: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float64]

__all__ = ["MIN_ALONE", "Classes", "cells_of_names", "cells_of_numbers", "informedness"]

#: Informedness that the lower bound of one feature must reach. Two normal distributions overlap so
#: little at a ROC AUC of 0.99; the best features of honest data that we know stay below 0.98.
MIN_ALONE = 0.9

_MOST_CELLS, _CELL_ROWS = 512, 8
_BESIDE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The class of each row, and which half of the rows it is in.

    Attributes
    ----------
    codes : array of int64 of shape (n_rows,)
        From 0, each there.
    second : array of bool of shape (n_rows,)
        Whether a row is in the second half: each half is asked what the other one shows.
    """

    codes: Ints
    second: Bools

    @property
    def n(self) -> int:
        """How many classes there are."""
        return int(self.codes.max()) + 1

    def sizes(self) -> Ints:
        """Return the rows of each class."""
        import numpy as np

        return np.bincount(self.codes)

    def take(self, rows: Bools) -> Classes | None:
        """Return those of some rows; None unless each class has some in both halves."""
        import numpy as np

        codes, second = self.codes[rows], self.second[rows]
        both = np.bincount(2 * codes + second, minlength=2 * self.n)
        return Classes(codes, second) if both.all() else None


def cells_of_numbers(numbers: Floats) -> Ints:
    """Cut numbers into cells of at least 8 rows each, at most 512; NaN has one of its own.

    Equal numbers are in one cell, and few different numbers have a cell each.

    >>> import numpy as np
    >>> cells_of_numbers(np.array([1.0, 0.0, np.nan, 1.0])).tolist()
    [2, 1, 0, 2]
    """
    import numpy as np

    cells = np.zeros(len(numbers), np.int64)
    (known,) = np.nonzero(~np.isnan(numbers))
    order = known[numbers[known].argsort()]
    ordered = numbers[order]
    (starts,) = np.nonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(order)])
    codes = np.arange(len(starts))
    n_cells = min(_MOST_CELLS, max(len(order) // _CELL_ROWS, 2))
    if len(starts) > n_cells:
        codes = starts * n_cells // len(order)
    cells[order] = codes.repeat(np.diff(starts, append=len(order))) + 1
    return cells


def cells_of_names(names: npt.NDArray[np.object_]) -> Ints:
    """Return a cell for each name; what is missing has one of its own.

    >>> import numpy as np
    >>> cells_of_names(np.array(["b", np.nan, "a", "b"], dtype=object)).tolist()
    [1, 0, 2, 1]
    """
    import numpy as np
    import pandas as pd

    codes, _ = pd.factorize(names)
    return codes.astype(np.int64) + 1


def informedness(
    cells: Ints, classes: Classes, *, ordered: bool = False, confidence: float = 0.95
) -> Interval:
    """Measure how much of the class of a row its cell gives: 0 is chance, 1 the class itself.

    Parameters
    ----------
    cells : array of int64 of shape (n_rows,)
        From 0.
    classes : Classes
        Of the same rows.
    ordered : bool, default False
        Whether cells are of numbers: those beside a cell then count a little, which is what there
        is where the other half has no row of it.
    confidence : float, default 0.95
        Of the interval.

    Returns
    -------
    Interval
        ``(mean recall - 1 / K) / (1 - 1 / K)`` of K classes, of two classes the sensitivity +
        specificity - 1 of Youden. As every class counts the same, a rare one does as much as a
        common one.

    Notes
    -----
    A row is given the class that most of its cell have in the other half, each class weighed by
    one over its rows. A cell that the other half has not is wrong, so an identifier gives nothing.
    The interval of the mean is put together from the exact ones of the recalls, ``mean - sqrt(sum
    of (recall - lower)²) / K``: with few rows it is wide, also where all of them are right.
    O(n_rows + cells · K).

    References
    ----------
    Youden (1950), Index for rating diagnostic tests, Cancer 3.
    Powers (2011), Evaluation: from precision, recall and F-measure to ROC, informedness, markedness
    and correlation, Journal of Machine Learning Technologies 2.
    Zou, Donner (2008), Construction of confidence limits about effect measures: a general approach,
    Statistics in Medicine 27.
    """
    n, sizes = classes.n, classes.sizes()
    first, second = _hits(cells, classes, sizes, ordered=ordered)
    recalls = [
        share_interval(int(hit), int(size), confidence=confidence)
        for hit, size in zip(first + second, sizes, strict=True)
    ]
    mean = sum(one.value for one in recalls) / n
    below = math.sqrt(sum((one.value - one.lower) ** 2 for one in recalls)) / n
    above = math.sqrt(sum((one.value - one.upper) ** 2 for one in recalls)) / n
    chance = 1 / n
    value, lower, upper = (
        (share - chance) / (1 - chance) for share in (mean, mean - below, mean + above)
    )
    return Interval(value, lower, upper)


def _hits(cells: Ints, classes: Classes, sizes: Ints, *, ordered: bool) -> tuple[Ints, Ints]:
    """Count by class the rows of each half whose cell has their class in the other half."""
    import numpy as np

    n = classes.n
    places = (cells * n + classes.codes) * 2 + classes.second
    counts = np.bincount(places, minlength=(int(cells.max()) + 1) * n * 2).reshape(-1, n, 2)
    first, second = counts[:, :, 0], counts[:, :, 1]
    return (
        _right(first, shown=second / sizes, ordered=ordered),
        _right(second, shown=first / sizes, ordered=ordered),
    )


def _right(asked: Ints, *, shown: Floats, ordered: bool) -> Ints:
    """Count by class what the likeliest class of each cell says rightly; rows come as counts."""
    import numpy as np

    if ordered:
        alone = shown.copy()
        shown[1:] += _BESIDE * alone[:-1]
        shown[:-1] += _BESIDE * alone[1:]
    (known,) = np.nonzero(shown.any(axis=1))
    likeliest = shown[known].argmax(axis=1)
    found = np.zeros(asked.shape[1], np.int64)
    np.add.at(found, likeliest, asked[known, likeliest])
    return found
