"""The project's estimator: built, fitted and asked, each with errors that say what to change."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EstimatorError, SpecError
from mlops_tasks.problem_types.sample_weights import weight_parameter
from mlops_tasks.spelling import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.problem_types.base import ProblemType
    from mlops_tasks.specs import EstimatorSpec

    Floats = npt.NDArray[np.float64]

__all__ = ["ask", "build_estimator", "fit_estimator", "fit_parameters", "probabilities"]

_ROUNDING = 1e-6  # of single precision


def build_estimator(
    spec: EstimatorSpec, problem: ProblemType, build: Callable[..., Any] | None = None
) -> Any:
    """Call the function that the spec names, or another, and return its unfitted estimator."""
    arguments = {
        "categorical": spec.categorical,
        "numeric": spec.numeric,
        "random_state": spec.random_state,
    } | ({"text": spec.text} if spec.text else {})
    build = build or _imported(spec)
    try:
        model = build(**arguments)
    except MemoryError:
        raise
    except Exception as error:
        raise EstimatorError(
            f"{_place(spec)}: it is called with {', '.join(f'{name}=' for name in arguments)} and "
            f"fails: {_said(error)}"
        ) from error
    if wrong := _wrong(problem, model):
        raise EstimatorError(f"{_place(spec)} returns {wrong}")
    _set_params(spec, model)
    if spec.weight is not None and not weight_parameter(model):
        raise EstimatorError(
            f"{_place(spec)}: the spec names the weight {spec.weight!r}, and the fit of "
            f"{type(model).__name__} takes no sample_weight, or one inside it does not; use an "
            "estimator that does as the last step, with wrappers such as CalibratedClassifierCV "
            "directly around it, or leave `weight` out of the spec"
        )
    return model


def _set_params(spec: EstimatorSpec, model: Any) -> None:
    """Set the parameters that the spec, a candidate or a search gives beside the function."""
    if not spec.estimator_params:
        return
    known = model.get_params()
    for name in spec.estimator_params:
        if name not in known:
            raise EstimatorError(
                f"{_place(spec)}: {type(model).__name__} has no parameter {name!r}; "
                f"{did_you_mean(name, known)}"
            )
    model.set_params(**spec.estimator_params)


def fit_parameters(model: Any, weights: Floats | None) -> dict[str, Floats]:
    """Return what a fit is given beside rows and target: the weight of each row, if there are."""
    return {} if weights is None else {weight_parameter(model): weights}


def fit_estimator(
    spec: EstimatorSpec,
    problem: ProblemType,
    model: Any,
    frame: pd.DataFrame,
    target: Any,
    weights: Floats | None = None,
) -> None:
    """Fit the estimator in place, and see that it gives a prediction to each row."""
    try:
        model.fit(frame, target, **fit_parameters(model, weights))
    except MemoryError:
        raise
    except Exception as error:
        raise EstimatorError(
            f"{_place(spec)} cannot be fitted on {len(frame)} rows, categorical {spec.categorical} "
            f"as text and numeric {spec.numeric} as float64: {_said(error)}"
        ) from error
    problem.predict(spec, model, frame.head(2))


def ask(spec: EstimatorSpec, model: Any, frame: pd.DataFrame, method: str) -> Floats:
    """Call a method of a fitted estimator for every row of a frame, on one worker of joblib.

    Several would add the trees of a forest up in the order in which they happen to end: the same
    rows would get other last digits at every call.
    """
    import joblib
    import numpy as np

    if not hasattr(model, method):
        raise EstimatorError(
            f"{_place(spec)}: {type(model).__name__} gives no probabilities; wrap it in "
            "sklearn.calibration.CalibratedClassifierCV"
        )
    try:
        with joblib.parallel_config(backend="sequential"):
            return np.asarray(getattr(model, method)(frame), dtype=np.float64)
    except MemoryError:
        raise
    except Exception as error:
        raise EstimatorError(
            f"{_place(spec)}: {type(model).__name__} cannot score {len(frame)} rows: "
            f"{_said(error)}. One row must not stop a day: let the estimator impute what is "
            "missing and ignore unknown categories"
        ) from error


def probabilities(
    spec: EstimatorSpec, model: Any, answer: Floats, n_rows: int, n_classes: int
) -> Floats:
    """Return the answer of ``predict_proba`` if it holds probabilities, one for each class.

    They are bounded to [0, 1]: a weighted mean of ones may lie a rounding above one.
    """
    import numpy as np

    who = f"{_place(spec)}: {type(model).__name__}"
    if answer.shape != (n_rows, n_classes):
        wanted = (
            "two columns, the probabilities of false and true"
            if n_classes == 2
            else f"{n_classes} columns, one probability for each class"
        )
        raise EstimatorError(
            f"{who.replace(': ', ': predict_proba of ')} gives {answer.shape} for "
            f"{n_rows} rows, and must give {wanted}"
        )
    if answer.size and answer.min() >= 0 and answer.max() <= 1:  # not of NaN
        return answer
    bounded = np.clip(answer, 0.0, 1.0)
    found = np.where(np.abs(answer - bounded) <= _ROUNDING, bounded, answer)
    if wrong := int((~((found >= 0) & (found <= 1)).all(axis=1)).sum()):
        raise EstimatorError(
            f"{who} gives {wrong} of {n_rows} rows a score "
            "that is no probability, NaN or outside of [0, 1]"
        )
    return found


def _imported(spec: EstimatorSpec) -> Any:
    module, function = spec.estimator.split(":")
    try:
        return getattr(importlib.import_module(module), function)
    except MemoryError:
        raise
    except Exception as error:  # a module may fail with anything when it is imported
        raise SpecError(
            f"{_place(spec)}: {_said(error)}; name a function as 'package.module:function', "
            "importable from the Dag folder"
        ) from error


def _wrong(problem: ProblemType, model: Any) -> str:
    kind = model.__name__ if isinstance(model, type) else type(model).__name__
    if model is None:
        return "None: end it with `return` and the estimator"
    if isinstance(model, type):
        return f"the class {kind}: return an instance, {kind}(...)"
    noun = problem.estimator_kind.partition(":")[0]
    if not hasattr(model, "fit") or not hasattr(model, "__sklearn_tags__"):
        return f"{kind}, which is no scikit-learn estimator: return an unfitted {noun}"
    if not problem.fits(model):
        return f"{kind}, which is no {problem.estimator_kind}"
    return ""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _place(spec: EstimatorSpec) -> str:
    return f"model {spec.name!r}, estimator {spec.estimator!r}"
