"""The project's estimator: built, fitted and asked, each with errors that say what to change."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EstimatorError, SpecError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from mlops_tasks.specs import ModelSpec

__all__ = ["build_estimator", "fit_estimator", "predict_scores"]

_ROUNDING = 1e-6  # of single precision


def build_estimator(spec: ModelSpec) -> Any:
    """Call the function that the spec names and return its unfitted classifier."""
    arguments = {
        "categorical": spec.categorical,
        "numeric": spec.numeric,
        "random_state": spec.random_state,
    } | ({"text": spec.text} if spec.text else {})
    build = _imported(spec)
    try:
        model = build(**arguments)
    except MemoryError:
        raise
    except Exception as error:
        raise EstimatorError(
            f"{_place(spec)}: it is called with {', '.join(f'{name}=' for name in arguments)} and "
            f"fails: {_said(error)}"
        ) from error
    if problem := _problem(model):
        raise EstimatorError(f"{_place(spec)} returns {problem}")
    return model


def fit_estimator(
    spec: ModelSpec, model: Any, frame: pd.DataFrame, target: npt.NDArray[np.int64]
) -> None:
    """Fit the estimator in place, and see that it gives a score to each row."""
    try:
        model.fit(frame, target)
    except MemoryError:
        raise
    except Exception as error:
        raise EstimatorError(
            f"{_place(spec)} cannot be fitted on {len(frame)} rows, categorical {spec.categorical} "
            f"as text and numeric {spec.numeric} as float64: {_said(error)}"
        ) from error
    predict_scores(spec, model, frame.head(2))


def predict_scores(spec: ModelSpec, model: Any, frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the probability of the positive class of each row, in [0, 1]."""
    import numpy as np

    if not hasattr(model, "predict_proba"):
        raise EstimatorError(
            f"{_place(spec)}: {type(model).__name__} gives no probabilities; wrap it in "
            "sklearn.calibration.CalibratedClassifierCV"
        )
    try:
        answer = np.asarray(model.predict_proba(frame), dtype=np.float64)
    except MemoryError:
        raise
    except Exception as error:
        raise EstimatorError(
            f"{_place(spec)}: {type(model).__name__} cannot score {len(frame)} rows: "
            f"{_said(error)}. One row must not stop a day: let the estimator impute what is "
            "missing and ignore unknown categories"
        ) from error
    if answer.shape != (len(frame), 2):
        raise EstimatorError(
            f"{_place(spec)}: predict_proba of {type(model).__name__} gives {answer.shape} for "
            f"{len(frame)} rows, and must give two columns, the probabilities of false and true"
        )
    scores = answer[:, 1]
    # A weighted mean of ones may lie a rounding above one.
    bounded = np.clip(scores, 0.0, 1.0)
    scores = np.where(np.abs(scores - bounded) <= _ROUNDING, bounded, scores)
    if wrong := int((~((scores >= 0) & (scores <= 1))).sum()):
        raise EstimatorError(
            f"{_place(spec)}: {type(model).__name__} gives {wrong} of {len(frame)} rows a score "
            "that is no probability, NaN or outside of [0, 1]"
        )
    return scores


def _imported(spec: ModelSpec) -> Any:
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


def _problem(model: Any) -> str:
    from sklearn.base import is_classifier

    kind = model.__name__ if isinstance(model, type) else type(model).__name__
    if model is None:
        return "None: end it with `return` and the estimator"
    if isinstance(model, type):
        return f"the class {kind}: return an instance, {kind}(...)"
    if not hasattr(model, "fit") or not hasattr(model, "__sklearn_tags__"):
        return f"{kind}, which is no scikit-learn estimator: return an unfitted classifier"
    if not is_classifier(model):
        return f"{kind}, which is no classifier: the label is true or false"
    return ""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _place(spec: ModelSpec) -> str:
    return f"model {spec.name!r}, estimator {spec.estimator!r}"
