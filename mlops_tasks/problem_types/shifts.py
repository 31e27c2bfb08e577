"""By how much targets are shifted against predictions, and how much days do so by themselves.

A shift has one unit for each kind of target, so that one number says what matters: for classes the
change of their log odds, for numbers a share of the mean absolute target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mlops_tasks.problem_types.metrics.resampling import MIN_DAYS, measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.metric import Metric
    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["Movement", "day_deviation", "lasting_share", "movement", "shift_scale"]

#: Days, from which on a reference shows how days differ, and how long what they do lasts.
_FEW_DAYS, _SOME_DAYS = 5, 14
_MOST_PERSISTENT, _ONE_SIDED_95 = 0.8, 1.645
#: How sure it must be that days differ.
_SHOWN = 0.95
#: Of the interval that is a standard deviation to both sides.
_ONE_DEVIATION = 0.6827
_ROW, _DAY, _LASTING, _DAYS = (f"shift_of_{it}" for it in ("row", "day", "days_lasting", "n_days"))


@dataclass(frozen=True, slots=True)
class Movement:
    """What moves the shift of a window without any change.

    Attributes
    ----------
    row : float
        Standard deviation that one row has: luck.
    day : float
        That of the days: what all rows of a day share.
    lasting : float
        Correlation of a day with the next one.
    n_days : int
        Days that were looked at; 0 where they are too few to know of `day`.
    """

    row: float
    day: float = 0.0
    lasting: float = 0.0
    n_days: int = 0

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, float]) -> Movement | None:
        """Return what was kept with a version; None of one from before it was kept."""
        if not (row := metrics.get(_ROW)):
            return None
        day, lasting, n_days = (metrics.get(name, 0.0) for name in (_DAY, _LASTING, _DAYS))
        return cls(row, day, lasting, int(n_days))

    def as_metrics(self) -> dict[str, float]:
        """Return it as figures of a version."""
        return {_ROW: self.row, _DAY: self.day, _LASTING: self.lasting, _DAYS: float(self.n_days)}

    def deviation(self, day_sizes: Sequence[int]) -> float:
        """Return the standard deviation of a window's shift, of the rows of each of its days."""
        n = sum(day_sizes)
        return math.hypot(self.row / math.sqrt(n), self.of_days(day_sizes)) if n else math.inf

    def of_days(self, day_sizes: Sequence[int]) -> float:
        """Return the part of it that more rows of the same days would not change."""
        return self.day * math.sqrt(lasting_share(day_sizes, self.lasting)) * self._unsure

    @property
    def _unsure(self) -> float:
        """Return by how much more is left for days where the reference had few (Student)."""
        if not self.n_days:
            return 1.0
        from scipy.special import stdtrit

        return float(stdtrit(self.n_days - 1, 0.995) / stdtrit(math.inf, 0.995))


def lasting_share(day_sizes: Sequence[int], lasting: float) -> float:
    """Return the variance of the mean of days that differ by 1, each lasting into the next.

    Days weigh by their rows (Kish); those that follow each other are correlated by `lasting` to the
    power of their distance (an autoregressive process).
    """
    n, squares = sum(day_sizes), sum(size * size for size in day_sizes)
    if not n:
        return 1.0
    k = n * n / squares
    more = 2 * sum((1 - step / k) * lasting**step for step in range(1, math.ceil(k)))
    return min((1 + more) / k, 1.0)


def shift_scale(outcomes: Outcomes) -> Floats:
    """Return what a shift of 1 is in the unit of the targets, for each class or the number."""
    import numpy as np

    y_pred = outcomes.y_pred
    if y_pred.ndim == 1 and outcomes.y_true.dtype.kind not in "bi":
        return np.array([np.abs(outcomes.y_true).mean()])
    return np.atleast_1d((y_pred * (1 - y_pred)).mean(axis=0))


def movement(outcomes: Outcomes) -> Movement | None:
    """Measure what moves the shift without any change, on the rows of an evaluation.

    Parameters
    ----------
    outcomes : Outcomes
        Rows that no change lies in, with their days.

    Returns
    -------
    Movement or None
        Of the class that rows tell most of. None where predictions are without doubt, so that no
        shift can be told from them.

    Notes
    -----
    Days by the analysis of variance: what the means of days differ by more than their rows explain,
    where that is shown at 5 % (F).
    """
    import numpy as np
    from scipy.special import fdtri

    scale = shift_scale(outcomes)
    column = int(scale.argmax())
    if not scale[column] > 0:
        return None
    residuals = _residuals(outcomes, column) / scale[column]
    row = float(residuals.std())
    if not row > 0:
        return None
    if outcomes.days is None:
        return Movement(row)
    codes = np.unique(outcomes.days, return_inverse=True)[1]
    sizes = np.bincount(codes)
    n, n_days = len(codes), len(sizes)
    if n_days < _FEW_DAYS or n <= n_days:
        return Movement(row)
    means = np.bincount(codes, residuals) / sizes
    apart = means - residuals.mean()
    within = float(((residuals - means[codes]) ** 2).sum()) / (n - n_days)
    between = float((sizes * apart**2).sum()) / (n_days - 1)
    usual = (n - float((sizes**2).sum()) / n) / (n_days - 1)
    day = max(between - within, 0.0) / usual
    if between <= fdtri(n_days - 1, n - n_days, _SHOWN) * within:
        day = 0.0  # luck of few rows: what days may do beyond is little beside what rows do
    return Movement(row, math.sqrt(day), _lasting(apart, day), n_days)


def day_deviation(metric: Metric, outcomes: Outcomes, *, seed: int = 0) -> float:
    """Return how much a metric differs from day to day by itself, as a standard deviation.

    Parameters
    ----------
    metric : Metric
        From `find_metric`.
    outcomes : Outcomes
        Rows that no change lies in, with their days.
    seed : int, default 0
        Of the random weights.

    Returns
    -------
    float
        What days add to the luck of rows: the interval that weighs days, without the one that
        weighs rows. 0 of less than ten days, which are not weighed.
    """
    import numpy as np

    if outcomes.days is None or (n_days := len(np.unique(outcomes.days))) < MIN_DAYS:
        return 0.0
    settings: dict[str, Any] = {"confidence": _ONE_DEVIATION, "n_bootstrap": 200, "seed": seed}
    wide, narrow = (
        measure(metric, rows, **settings) for rows in (outcomes, replace(outcomes, days=None))
    )
    if math.isnan(wide.value):
        return 0.0
    apart = (wide.upper - wide.lower) ** 2 - (narrow.upper - narrow.lower) ** 2
    return math.sqrt(max(apart, 0.0) * n_days) / 2


def _residuals(outcomes: Outcomes, column: int) -> Floats:
    y_true, y_pred = outcomes.y_true, outcomes.y_pred
    found: Floats = (y_true == column) - y_pred[:, column] if y_pred.ndim > 1 else y_true - y_pred
    return found


def _lasting(apart: Floats, day: float) -> float:
    """Return the correlation of neighbouring days, without the luck of their rows.

    None where it is not shown at 5 %: divided by a small variance of days, luck looks like a long
    memory, and windows would never be long enough.
    """
    n = len(apart)
    if day <= 0 or n < _SOME_DAYS:
        return 0.0
    together = float((apart[:-1] * apart[1:]).sum()) / (n - 1)
    if together <= _ONE_SIDED_95 / math.sqrt(n) * float((apart**2).sum()) / (n - 1):
        return 0.0
    return min(together / day, _MOST_PERSISTENT)
