"""A metric of the project's own: a function, named as ``package.module:function``."""

from __future__ import annotations

import importlib
import inspect
import math
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EstimatorError, SpecError
from mlops_tasks.problem_types.metrics.metric import Metric
from mlops_tasks.problem_types.metrics.statistic import Weighted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mlops_tasks.problem_types.metrics.statistic import Statistic
    from mlops_tasks.problem_types.outcomes import Outcomes

__all__ = ["own_metric"]


def own_metric(name: str, problem_type: str) -> Metric:
    """Import a function ``f(y_true, y_pred, *, sample_weight)`` and return it as a metric.

    Its attribute ``greater_is_better`` says the direction, ``low`` and ``high`` the range.
    """
    function = _imported(name)
    direction = getattr(function, "greater_is_better", None)
    if not isinstance(direction, bool):
        raise SpecError(
            f"metric {name!r} does not say which way is better: write "
            f"`{name.partition(':')[2]}.greater_is_better = True` (or False) below the function"
        )
    return Metric(
        name,
        problem_type,
        getattr(function, "title", name.partition(":")[2].replace("_", " ")),
        lambda outcomes: _prepare(name, function, outcomes),
        greater_is_better=direction,
        low=_bound(name, function, "low", -math.inf),
        high=_bound(name, function, "high", math.inf),
    )


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except MemoryError:
        raise
    except Exception as error:  # a module may fail with anything when it is imported
        raise SpecError(
            f"metric {name!r}: {type(error).__name__}: {error}; name a function as "
            "'package.module:function', importable from the Dag folder"
        ) from error
    try:
        inspect.signature(function).bind(None, None, sample_weight=None)
    except (TypeError, ValueError) as error:
        raise SpecError(
            f"metric {name!r} cannot be called as f(y_true, y_pred, sample_weight=...): {error}; "
            "resamples are drawn by weights, so it must take them"
        ) from error
    return function


def _bound(name: str, function: Any, end: str, default: float) -> float:
    bound = getattr(function, end, default)
    if isinstance(bound, bool) or not isinstance(bound, int | float) or math.isnan(bound):
        raise SpecError(f"metric {name!r}: its attribute {end!r} is {bound!r} and must be a number")
    return float(bound)


def _prepare(name: str, function: Any, outcomes: Outcomes) -> Statistic:
    def call(weights: npt.NDArray[np.float64]) -> float:
        try:
            return float(function(outcomes.y_true, outcomes.y_pred, sample_weight=weights))
        except MemoryError:
            raise
        except Exception as error:
            raise EstimatorError(
                f"metric {name!r} fails on {len(outcomes)} rows, y_true of shape "
                f"{outcomes.y_true.shape} and y_pred of shape {outcomes.y_pred.shape}: "
                f"{type(error).__name__}: {error}; where it is not defined, let it return NaN"
            ) from error

    return Weighted(len(outcomes), call)
