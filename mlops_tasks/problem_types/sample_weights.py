"""How an estimator takes the weights of its rows, through whatever wraps it."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["weight_parameter"]

_WEIGHT = "sample_weight"


def weight_parameter(model: Any) -> str:
    """Return the parameter of ``fit`` that takes the weight of each row; empty if none does.

    Parameters
    ----------
    model : estimator
        Unfitted: a plain estimator, a pipeline, a search, a regressor of a transformed target, or
        one that holds others. One that holds others takes weights if all of them do: scikit-learn
        leaves them out, with a warning, where one does not.

    Returns
    -------
    str
        Such as ``"model__sample_weight"``.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> weight_parameter(make_pipeline(LogisticRegression()))
    'logisticregression__sample_weight'
    >>> weight_parameter(KNeighborsClassifier())
    ''
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import Pipeline

    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        below = weight_parameter(last)
        return f"{name}__{below}" if below else ""
    if isinstance(model, BaseSearchCV):
        return weight_parameter(model.estimator)
    if isinstance(model, TransformedTargetRegressor):
        return _WEIGHT if model.regressor is None else weight_parameter(model.regressor)
    if not _takes_weights(model):
        return ""
    return _WEIGHT if all(weight_parameter(one) == _WEIGHT for one in _held(model)) else ""


def _takes_weights(model: Any) -> bool:
    if not hasattr(model, "fit"):
        return False
    parameters = inspect.signature(model.fit).parameters
    # Votes and stacks hand any parameter on, and allow this one.
    several = getattr(model, "estimators", None) is not None
    return _WEIGHT in parameters or (
        several and any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    )


def _held(model: Any) -> list[Any]:
    """Return the estimators that another one holds and fits."""
    several = [one for _, one in getattr(model, "estimators", None) or []]
    single = [getattr(model, name, None) for name in ("estimator", "final_estimator")]
    return [one for one in (*several, *single) if hasattr(one, "fit")]
