"""Metrics of numbers."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from mlops_tasks.problem_types.metrics import row_values
from mlops_tasks.problem_types.metrics.catalogue import Catalogue, Family
from mlops_tasks.problem_types.metrics.means import Bias, Mean
from mlops_tasks.problem_types.metrics.metric import Metric
from mlops_tasks.problem_types.metrics.statistic import Weighted

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

    Floats = npt.NDArray[np.float64]

__all__ = ["REGRESSION"]

_loss = partial(Metric, problem_type="regression", greater_is_better=False, high=math.inf)


def _mean(values: Callable[[Outcomes], Floats]) -> Callable[[Outcomes], Statistic]:
    return lambda outcomes: Mean(values(outcomes), expanded=True)


def _rmse(outcomes: Outcomes) -> Statistic:
    return Mean(row_values.squared_errors(outcomes), scale=math.sqrt, expanded=True)


def _mape(outcomes: Outcomes) -> Statistic | None:
    """Divide each error by its target; a target of 0 has no such error, and none is made up."""
    if (outcomes.y_true == 0).any():
        return None
    return Mean(row_values.absolute_errors(outcomes) / abs(outcomes.y_true), expanded=True)


def _wape(outcomes: Outcomes) -> Statistic | None:
    errors, size = row_values.absolute_errors(outcomes), abs(outcomes.y_true)
    if not size.any():
        return None

    def ratio(weights: Floats) -> float:
        return float((weights * errors).sum() / (weights * size).sum())

    def influence(weights: Floats) -> Floats:
        moved: Floats = weights * (errors - ratio(weights) * size) / (weights * size).sum()
        return moved

    return Weighted(len(size), ratio, influence)


def _median_absolute_error(outcomes: Outcomes) -> Statistic:
    import numpy as np

    errors = row_values.absolute_errors(outcomes)
    order = np.argsort(errors)
    ranked = np.append(errors[order], 0.0)

    def median(weights: Floats) -> float:
        """Return the error with half of the weight on either side, the mean of two on the edge."""
        total = weights[order].cumsum()
        middle = int(np.searchsorted(total, total[-1] / 2))
        on_edge = total[middle] == total[-1] / 2
        return float((ranked[middle] + ranked[middle + on_edge]) / 2)

    return Weighted(len(errors), median)


def _r2(outcomes: Outcomes) -> Statistic | None:
    y_true, errors = outcomes.y_true, row_values.squared_errors(outcomes)
    if y_true.min() == y_true.max():
        return None

    def explained(weights: Floats) -> float:
        mean = (weights * y_true).sum() / weights.sum()
        return float(1 - (weights * errors).sum() / (weights * (y_true - mean) ** 2).sum())

    def influence(weights: Floats) -> Floats:
        mean = (weights * y_true).sum() / weights.sum()
        spread = (y_true - mean) ** 2
        left, total = (weights * errors).sum(), (weights * spread).sum()
        moved: Floats = weights * (left / total * spread - errors) / total
        return moved

    return Weighted(len(y_true), explained, influence)


def _bias(outcomes: Outcomes) -> Statistic:
    return Bias(outcomes.y_pred - outcomes.y_true, expanded=True)


def _poisson_deviance(outcomes: Outcomes) -> Statistic | None:
    if (outcomes.y_true < 0).any() or (outcomes.y_pred <= 0).any():
        return None
    return Mean(row_values.poisson_deviances(outcomes), expanded=True)


def _pinball(name: str, number: str) -> Metric | None:
    quantile = float(number)
    values = partial(row_values.pinball_losses, quantile=quantile)
    title = f"pinball loss of the quantile {number}"
    return _loss(name, title=title, prepare=_mean(values)) if 0 < quantile < 1 else None


REGRESSION = Catalogue(
    _loss("mae", title="mean absolute error", prepare=_mean(row_values.absolute_errors)),
    _loss("rmse", title="root mean squared error", prepare=_rmse),
    _loss(
        "mape",
        title="mean absolute percentage error",
        prepare=_mape,
        needs="targets that are not 0, and means little where some are near 0: take wape",
    ),
    _loss(
        "wape",
        title="weighted absolute percentage error",
        prepare=_wape,
        needs="a target that is not 0",
    ),
    _loss("median_absolute_error", title="median absolute error", prepare=_median_absolute_error),
    Metric("r2", "regression", "R²", _r2, low=-math.inf, needs="two different targets"),
    _loss("bias", title="bias (mean error)", prepare=_bias, low=-math.inf),
    _loss(
        "poisson_deviance",
        title="mean Poisson deviance",
        prepare=_poisson_deviance,
        needs="targets of at least 0 and predictions above 0",
    ),
    Family("pinball_<quantile>", r"pinball_(\d+(?:\.\d+)?)", _pinball),
)
