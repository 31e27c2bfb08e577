"""Columns whose sum, or another combination with small coefficients, gives the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.features.leaks.informedness import MIN_ALONE, cells_of_numbers, informedness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlops_tasks.features.leaks.informedness import Bools, Classes, Floats, Ints
    from mlops_tasks.problem_types.metrics import Interval

__all__ = ["MIN_SUM", "Sum", "find_sum"]

#: Informedness of a sum: one that leaks is exact but for rounding, honest features that add up are
#: not: four of a ROC AUC of 0.92 each, independent of each other, have 0.95 together.
MIN_SUM = 0.97

_MOST_COLUMNS, _MOST_TIMES, _MOST_BASE = 4, 8, 4
_RIDGE, _FEW = 1e-6, 16
_EXACT, _EXACT_ROWS = 1e-6, 100
# So few rows say nearly where the outermost values of a column begin.
_BOUNDED_BY = 2500


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """Columns that give the label together.

    Attributes
    ----------
    columns : list of int
        By position.
    factors : list of float
        What each is multiplied by; whole, unless the sum is exact.
    found : Interval
        The informedness of the sum.
    n_rows : int
        Rows without a null in any column that was tried.
    exact : bool
        Whether it is the target itself, but for a constant, in at least 100 rows.
    """

    columns: list[int]
    factors: list[float]
    found: Interval
    n_rows: int
    exact: bool = False

    @property
    def leaks(self) -> bool:
        """Whether it is too good to be honest."""
        return self.exact or (self.found.value >= MIN_SUM and self.found.lower >= MIN_ALONE)

    @property
    def strength(self) -> tuple[bool, float]:
        """By what the best of several is chosen."""
        return self.exact, self.found.value


def find_sum(numbers: Floats, targets: Sequence[Floats], classes: Classes) -> Sum | None:
    """Return the fewest columns, at most 4, whose combination gives the label.

    Parameters
    ----------
    numbers : array of float64 of shape (n_rows, n_columns)
        The columns; NaN is missing.
    targets : sequence of array of float64 of shape (n_rows,)
        What they could sum to.
    classes : Classes
        Of the label.

    Returns
    -------
    Sum or None
        None if no combination with whole factors of at most 8 together reaches `MIN_SUM`, and
        `MIN_ALONE` with its lower bound, and none is exact.

    Notes
    -----
    Least squares of the target on all columns, in rows that are complete. The columns whose loss
    raises the squared error least, by ``slope² / inverse`` (Hastie, Tibshirani, Friedman), are left
    out: half of them, and of 16 one at a time. The last four, three and two are tried. A threshold
    of a sum is no sum, yet least squares find its columns, and in the main their ratios (Li, Duan);
    the factors are signs, or these ratios and those of a logistic regression, rounded to whole
    numbers. Only what such factors give is believed: an honest model's ratios are not whole numbers
    in the columns' own units. O(rows · columns² + columns³).

    References
    ----------
    Hastie, Tibshirani, Friedman (2009), The elements of statistical learning, 2nd ed., 3.2.
    Li, Duan (1989), Regression analysis under link violation, Annals of Statistics 17.
    """
    import numpy as np

    usable = _usable(numbers)
    complete: Bools = np.asarray(~np.isnan(numbers[:, usable]).any(axis=1))
    kept = classes.take(complete)
    if kept is None:
        return None
    values = numbers[complete][:, usable]
    squares = _LeastSquares(values)
    found: dict[tuple[int, ...], Sum] = {}
    for target in (one[complete] for one in targets):
        for some, slopes in squares.shrink(target):
            for way, exact in _factors(values[:, some], target, slopes):
                one = _sum(values[:, some] @ way, kept, usable[list(some)], way, exact=exact)
                if some not in found or one.strength > found[some].strength:
                    found[some] = one
    return _fewest(list(found.values()))


def _sum(total: Floats, classes: Classes, columns: Ints, way: Floats, *, exact: bool) -> Sum:
    found = informedness(cells_of_numbers(total), classes, ordered=True)
    return Sum(columns.tolist(), way.tolist(), found, len(total), exact)


def _fewest(sums: list[Sum]) -> Sum | None:
    """Return the sum that leaks with the fewest columns, unless more are surely better."""
    ordered = sorted(sums, key=lambda one: len(one.columns))
    leak = next((one for one in ordered if one.leaks), None)
    if leak is None or leak.exact:
        return leak
    return next(one for one in ordered if one.found.value >= leak.found.lower)


def _usable(numbers: Floats) -> Ints:
    """Return the columns with the fewest nulls, as many as leave half of the rows complete."""
    import numpy as np

    missing = np.isnan(numbers)
    order = np.argsort(missing.sum(axis=0), kind="stable")
    incomplete = np.logical_or.accumulate(missing[:, order], axis=1)
    kept = order[2 * incomplete.sum(axis=0) <= len(numbers)]
    return np.sort(kept)


class _LeastSquares:
    """Least squares of any target on some columns, or on fewer and fewer of them."""

    def __init__(self, values: Floats) -> None:
        """Take the columns, without their outermost values: one of these would rule the others."""
        import numpy as np

        bounded = np.clip(values, *_outermost(values))
        spread = bounded.std(axis=0)
        (self._columns,) = np.nonzero(spread > 0)
        self._spread = spread[self._columns]
        self._scaled = (bounded - bounded.mean(axis=0))[:, self._columns] / self._spread
        self._products = self._scaled.T @ self._scaled / len(values)
        self._products += _RIDGE * np.eye(len(self._columns))

    def shrink(self, target: Floats) -> Iterator[tuple[tuple[int, ...], Floats]]:
        """Leave out what is missed least, half of many columns at once; yield the last few."""
        import numpy as np

        bounded = np.clip(target, *_outermost(target))
        with_target = self._scaled.T @ bounded / len(target)
        left = np.arange(len(self._columns))
        while len(left) > 1:
            inverse = np.linalg.inv(self._products[np.ix_(left, left)])
            slopes = inverse @ with_target[left]
            if len(left) <= _MOST_COLUMNS:
                yield tuple(self._columns[left].tolist()), slopes / self._spread[left]
            n_worse = len(left) // 2 if len(left) > _FEW else 1
            left = np.sort(left[(slopes**2 / inverse.diagonal()).argsort()[n_worse:]])


def _outermost(values: Floats) -> Floats:
    """Return between what 98 % of the values of each column lie, by some of its rows."""
    import numpy as np

    some = values[:: max(len(values) // _BOUNDED_BY, 1)]
    found: Floats = np.quantile(some, (0.01, 0.99), axis=0)
    return found


def _factors(values: Floats, target: Floats, slopes: Floats) -> list[tuple[Floats, bool]]:
    """Return what the columns may be multiplied by, and whether that is exactly the target."""
    import numpy as np

    if not slopes.all():
        return []
    found = [np.sign(slopes), *_whole(slopes), *_whole(_separation(values, target))]
    whole = {tuple(one.tolist()): one for one in found if one.all()}
    design = np.column_stack([values, np.ones(len(values))])
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    error = np.abs(design @ solution - target).max()
    exact = len(values) >= _EXACT_ROWS and error <= _EXACT * target.std()
    return [(one, False) for one in whole.values()] + ([(solution[:-1], True)] if exact else [])


def _whole(slopes: Floats) -> list[Floats]:
    """Return whole numbers in about the ratios of some slopes, the smallest 1 to 4."""
    import numpy as np

    smallest = np.abs(slopes).min()
    if not smallest:
        return []
    found = [np.round(slopes / smallest * base) for base in range(1, _MOST_BASE + 1)]
    reduced = [one / np.gcd.reduce(one.astype(int)) for one in found]
    return [one for one in reduced if np.abs(one).sum() <= _MOST_TIMES]


def _separation(values: Floats, target: Floats) -> Floats:
    """Return the slopes that best separate the rows above the target's mean from the others.

    Where a sum with a long tail has a threshold, they are nearer to its factors than least squares.
    """
    from sklearn.linear_model import LogisticRegression

    spread = values.std(axis=0)
    # Of at most four columns and many rows, Newton steps are few; the optimum is the same.
    model = LogisticRegression(
        C=100, class_weight="balanced", max_iter=200, solver="newton-cholesky"
    )
    model.fit((values - values.mean(axis=0)) / spread, target > target.mean())
    slopes: Floats = model.coef_[0] / spread
    return slopes
