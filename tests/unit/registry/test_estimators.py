"""The estimators that people bring: each is saved and the same when it is loaded, or refused."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks._authoring.estimators import ESTIMATORS, Brought
from benchmarks._authoring.outcomes import REFUSED, SAVED, outcome_of
from mlops_tasks.exceptions import UnsafeModelError
from mlops_tasks.registry.modelfiles import check_types, trial, try_saving

DRAW = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": DRAW.normal(size=2000), "b": DRAW.normal(size=2000)})
Y = (FRAME.a > 0).to_numpy().astype(np.int64)


@pytest.mark.parametrize("brought", ESTIMATORS, ids=lambda brought: brought.name)
def test_outcomes(brought: Brought) -> None:
    outcome = outcome_of(brought)
    assert outcome.outcome == (REFUSED if brought.refused else SAVED), outcome.reason
    assert re.search(brought.refused, outcome.reason)


def test_the_list_is_long_and_each_is_there_once() -> None:
    names = [brought.name for brought in ESTIMATORS]
    assert len(names) == len(set(names)) >= 60
    assert sum(not brought.refused for brought in ESTIMATORS) >= 60


# --- the trial


class Picky(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fit on enough rows only, and remember on how many."""

    seen: list[int] = []  # noqa: RUF012

    def __init__(self, least: int = 0) -> None:
        self.least = least

    def fit(self, X: Any, y: Any) -> Picky:
        Picky.seen.append(len(X))
        if len(X) < self.least:
            raise ValueError("too few")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    Picky.seen.clear()


def test_a_few_rows_are_fitted_and_the_estimator_stays_unfitted() -> None:
    model = Picky()
    assert try_saving(model, FRAME, Y, package="tests") == 150
    assert Picky.seen == [150]
    assert not hasattr(model, "classes_")


def test_an_estimator_that_needs_more_rows_gets_more() -> None:
    assert try_saving(Picky(1000), FRAME, Y, package="tests") == 2000
    assert Picky.seen == [150, 2000]
    assert try_saving(KNeighborsClassifier(500), FRAME, Y) == 2000


def test_an_estimator_that_cannot_be_fitted_on_a_few_is_left_to_its_fit() -> None:
    assert try_saving(Picky(10**6), FRAME, Y, package="tests") == 0
    few = FRAME.head(40), Y[:40]
    Picky.seen.clear()
    assert try_saving(Picky(100), *few, package="tests") == 0
    assert Picky.seen == [40], "the same rows are not fitted twice"
    lambdas = make_pipeline(FunctionTransformer(lambda X: X), Picky(10**6))
    with pytest.raises(UnsafeModelError, match=r"FunctionTransformer\.func holds"):
        try_saving(lambdas, FRAME, Y, package="tests")


def test_every_class_is_among_the_few(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        DummyClassifier, "fit", lambda self, X, y: (seen.append(y), setattr(self, "n", 1), self)[2]
    )
    monkeypatch.setattr(DummyClassifier, "predict_proba", lambda self, X: np.zeros((len(X), 2)))
    rare = np.zeros(2000, dtype=np.int64)
    rare[[3, 1500]] = 1
    assert try_saving(DummyClassifier(), FRAME, rare) == 77
    assert sorted(np.bincount(seen[0])) == [2, 75]
    text = np.array([f"class {number % 50}" for number in range(2000)])
    assert try_saving(DummyClassifier(), FRAME, text) == 150
    assert len(set(seen[1])) == 50
    folds = CalibratedClassifierCV(LogisticRegression(), cv=5)
    assert try_saving(folds, FRAME, rare) == 0, "two rows of a class are no five folds"


def test_what_only_repeats_work_is_cut_down(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Any] = []
    real = trial._save_and_compare
    monkeypatch.setattr(
        trial, "_save_and_compare", lambda model, *rest: (fitted.append(model), real(model, *rest))
    )
    forest = make_pipeline(RandomForestClassifier(400, random_state=0))
    try_saving(forest, FRAME, Y)
    assert len(fitted[0][0].estimators_) == 5
    assert forest[0].n_estimators == 400


def test_a_text_vectorizer_gets_its_column() -> None:
    words = pd.Series(["late bag", "early gate"] * 100)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    assert try_saving(model, words, np.arange(200) % 2) == 150  # type: ignore[arg-type]


class Wandering(Picky):
    """Answer differently each time."""

    def predict(self, X: Any) -> Any:
        return np.random.default_rng().normal(size=len(X))


def test_a_model_that_is_another_one_when_loaded_is_refused() -> None:
    with pytest.raises(UnsafeModelError, match=r"Wandering predicts something else .* 150 of 150"):
        try_saving(Wandering(), FRAME, Y, package="tests")


def test_a_class_of_another_package_is_named_with_what_to_do() -> None:
    for package, said in (
        ("flights", "here 'flights'"),
        ("", "in the project itself, the package"),
    ):
        with pytest.raises(UnsafeModelError, match=said):
            check_types(Picky(), package)
    with pytest.raises(UnsafeModelError, match="'sklearn', which is no project"):
        check_types(make_pipeline(FunctionTransformer(check_types_of_a_library())), "sklearn")


def check_types_of_a_library() -> Any:
    from sklearn.utils import shuffle

    return shuffle
