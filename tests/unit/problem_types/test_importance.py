"""How much each feature matters to a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import roc_auc_score

from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.importance import feature_importance

BINARY = problem_type("binary")


def test_rare_rows_are_drawn_for_the_importance_of_features() -> None:
    """Of 2,000 rows drawn from all of these most likely none would be positive."""

    class Model(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def fit(self, *_: Any) -> None:
            raise AssertionError

        def predict_proba(self, frame: pd.DataFrame) -> Any:
            return np.column_stack([1 - frame["x"], frame["x"]])

    target = np.repeat([0, 1], [50_000, 20])
    frame = pd.DataFrame({"x": target * 0.9, "y": target * 0.5})
    found = feature_importance(BINARY, Model(), frame, target)
    assert found["x"] > 0.3
    assert found["y"] == 0


def test_importance_needs_both_classes() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert feature_importance(BINARY, None, frame, np.array([1, 1])) == {"x": 0.0}


class Reader(ClassifierMixin, BaseEstimator):
    """Gives the mean of its columns as the score, and keeps what it was asked."""

    classes_ = np.array([0, 1])

    def __init__(self) -> None:
        self.asked: list[pd.DataFrame] = []

    def fit(self, *_: Any) -> None:
        raise AssertionError

    def predict_proba(self, frame: pd.DataFrame) -> Any:
        self.asked.append(frame.copy())
        score = frame.mean(axis=1).to_numpy()
        return np.column_stack([1 - score, score])


def drawn(seed: int | None = None) -> tuple[dict[str, float], pd.DataFrame]:
    random = np.random.default_rng(1)
    target = np.repeat([0, 1], [3000, 1500])
    frame = pd.DataFrame({0: random.random(4500) * 0.5 + target * 0.3, 1: random.random(4500)})
    frame["row"] = np.arange(4500) / 1e6
    model = Reader()
    found = feature_importance(
        BINARY, model, frame, target, **({} if seed is None else {"seed": seed})
    )
    return found, model.asked[0]


def test_a_thousand_rows_of_each_class_are_drawn_by_the_seed() -> None:
    found, asked = drawn()
    assert (asked.index < 3000).sum() == (asked.index >= 3000).sum() == 1000
    assert asked.index.is_unique
    assert list(found) == ["0", "1", "row"]
    again, same = drawn(0)
    assert (again, list(same.index)) == (found, list(asked.index))
    other, others = drawn(1)
    assert sorted(others.index) != sorted(asked.index)
    assert other != found


def test_the_importance_is_the_loss_of_roc_auc_in_one_shuffle() -> None:
    """Of 7 and 3 rows each pair is a twenty-first, which never ends."""
    random = np.random.default_rng(2)
    target = np.repeat([0, 1], [3, 7])
    frame = pd.DataFrame({"good": target * 0.4 + random.random(10) * 0.3, "bad": 0.9 - target / 2})
    frame["bad"] *= 0.1
    model = Reader()
    found = feature_importance(BINARY, model, frame, target)
    assert len(model.asked) == 3, "once as it is, once for each column"
    chosen = [target[asked.index] for asked in model.asked]
    aucs = [
        roc_auc_score(of_row, asked.mean(axis=1))
        for of_row, asked in zip(chosen, model.asked, strict=True)
    ]
    assert found == {"good": round(aucs[0] - aucs[1], 6), "bad": 0.0}
    assert found["good"] != round(aucs[0] - aucs[1], 7)
    assert aucs[2] >= aucs[0], "shuffling what misleads is no loss"


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_tell_no_importance(label: int) -> None:
    frame = pd.DataFrame({7: [1.0, 2.0], "x": [1.0, 2.0]})
    assert feature_importance(BINARY, None, frame, np.full(2, label)) == {"7": 0.0, "x": 0.0}


def test_the_importance_of_a_regression_is_the_loss_of_r2() -> None:
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(3)
    frame = pd.DataFrame({"good": random.random(3000), "bad": random.random(3000)})
    target = 5 * frame["good"].to_numpy()
    model = LinearRegression().fit(frame, target)
    found = feature_importance(problem_type("regression"), model, frame, target)
    assert found["bad"] == pytest.approx(0, abs=1e-6)
    assert found["good"] == pytest.approx(2, abs=0.1), (
        "a shuffled copy is off by twice the variance"
    )
    alike = feature_importance(problem_type("regression"), model, frame, np.full(3000, 2.0))
    assert alike == {"good": 0.0, "bad": 0.0}


def test_the_importance_of_classes_is_the_loss_of_log_loss_also_of_one_never_seen() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(4)
    target = random.choice(["a", "b", "c"], 900).astype(object)
    codes = (target == "b") * 1.0 + (target == "c") * 2.0
    frame = pd.DataFrame({"good": codes + random.normal(0, 0.2, 900), "bad": random.random(900)})
    model = LogisticRegression().fit(frame, target)
    target[:5] = "never seen"
    found = feature_importance(problem_type("multiclass"), model, frame, target)
    assert found["good"] > 0.5
    assert found["bad"] < 0.05
