"""Weights reach the fit of every kind of estimator, or it is refused before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlops_tasks.problem_types.sample_weights import weight_parameter


def piped(estimator: Any) -> Pipeline:
    return Pipeline([("same", FunctionTransformer(np.asarray)), ("last", estimator)])


def logistic() -> LogisticRegression:
    return LogisticRegression(C=1e6)


TAKING = [
    (logistic(), "sample_weight"),
    (HistGradientBoostingClassifier(max_iter=5), "sample_weight"),
    (RandomForestClassifier(5, random_state=0), "sample_weight"),
    (piped(logistic()), "last__sample_weight"),
    (piped(piped(logistic())), "last__last__sample_weight"),
    (GridSearchCV(piped(logistic()), {"last__C": [1e6]}, cv=3), "last__sample_weight"),
    (piped(GridSearchCV(logistic(), {"C": [1e6]}, cv=3)), "last__sample_weight"),
    (TransformedTargetRegressor(), "sample_weight"),
    (TransformedTargetRegressor(piped(Ridge())), "last__sample_weight"),
    (piped(TransformedTargetRegressor(Ridge())), "last__sample_weight"),
    (CalibratedClassifierCV(logistic(), cv=3), "sample_weight"),
    (VotingClassifier([("a", logistic())], voting="soft"), "sample_weight"),
    (StackingClassifier([("a", logistic())], cv=3), "sample_weight"),
    (BaggingClassifier(logistic(), 5, random_state=0), "sample_weight"),
]
REFUSED = [
    KNeighborsClassifier(),
    piped(KNeighborsClassifier()),
    piped("passthrough"),
    make_pipeline(GridSearchCV(KNeighborsClassifier(), {})),
    TransformedTargetRegressor(KNeighborsClassifier()),
    CalibratedClassifierCV(piped(logistic())),
    VotingClassifier([("a", logistic()), ("b", piped(logistic()))]),
    StackingClassifier([("a", logistic())], final_estimator=KNeighborsClassifier()),
    BaggingClassifier(KNeighborsClassifier()),
]


@pytest.mark.parametrize(("model", "parameter"), TAKING, ids=range(len(TAKING)))
def test_the_parameter_is_found_and_its_weights_count(model: Any, parameter: str) -> None:
    """The same rows with the opposite answer, one side of them with all of the weight."""
    assert weight_parameter(model) == parameter
    x = np.random.default_rng(0).normal(size=300)
    frame = pd.DataFrame({"x": np.concatenate([x, x])})
    y = np.concatenate([x > 0, x <= 0]).astype(int)
    first = np.repeat([1.0, 1e-3], 300)
    one, other = (
        model.fit(frame, y, **{parameter: w}) and model.predict(frame[:300]).copy()
        for w in (first, first[::-1])
    )
    assert np.mean((one > 0.5) == (x > 0)) > 0.95
    assert np.mean((other > 0.5) == (x <= 0)) > 0.95


@pytest.mark.parametrize("model", REFUSED, ids=range(len(REFUSED)))
def test_without_weights_there_is_no_parameter(model: Any) -> None:
    assert weight_parameter(model) == ""
