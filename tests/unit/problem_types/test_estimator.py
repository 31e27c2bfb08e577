"""What a project's estimator may do wrong, and that each way is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from mlops_tasks.exceptions import EstimatorError, SpecError
from mlops_tasks.problem_types import problem_type
from mlops_tasks.problem_types.estimator import build_estimator, fit_estimator
from tests.unit import orders

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

PLACE = r"model 'late_orders', estimator 'tests\.unit\.orders:build'"
FRAME = pd.DataFrame({"shop": ["a", "b"] * 4, "items": np.arange(8.0)})
TARGET = np.array([0, 1] * 4)
BINARY, MULTICLASS, REGRESSION = map(problem_type, ("binary", "multiclass", "regression"))


def predict_scores(spec: ModelSpec, model: Any, frame: pd.DataFrame) -> Any:
    return BINARY.predict(spec, model, frame)["score"].to_numpy()


def returning(value: Any) -> Any:
    return lambda **_: value


def failing(**_: Any) -> Any:
    raise KeyError("depth")


def regressor(**_: Any) -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def transformer(**_: Any) -> Any:
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def cut_short(**_: Any) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler())


def a_class(**_: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (returning(None), "returns None: end it with `return`"),
        (returning("model"), "returns str, which is no scikit-learn estimator"),
        (returning(object()), "returns object, which is no scikit-learn"),
        (
            a_class,
            r"returns the class LogisticRegression: return an instance, LogisticRegression\(",
        ),
        (regressor, "returns LinearRegression, which is no classifier"),
        (transformer, "returns StandardScaler, which is no classifier"),
        (cut_short, "returns Pipeline, which is no classifier"),
        (failing, "called with categorical=, numeric=, random_state= and fails: KeyError: 'depth'"),
        (lambda: None, "and fails: TypeError: .*unexpected keyword argument 'categorical'"),
        (lambda categorical, numeric: None, "unexpected keyword argument 'random_state'"),
        (lambda *, categorical, numeric, random_state, depth: None, "missing .*'depth'"),
        (None, "fails: TypeError: 'NoneType' object is not callable"),
    ],
)
def test_what_is_built_is_a_classifier_or_an_error(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, build: Any, match: str
) -> None:
    monkeypatch.setattr(orders, "build", build)
    with pytest.raises(EstimatorError, match=f"{PLACE}.* ?{match}"):
        build_estimator(spec, BINARY)


@pytest.mark.parametrize("content", ["def build(:", "1 / 0", "import nowhere", "build = 1 / 1 /"])
def test_a_module_that_cannot_be_imported_is_named(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, content: str
) -> None:
    (tmp_path / "broken_model.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    broken = spec.model_copy(update={"estimator": "broken_model:build"})
    with pytest.raises(SpecError, match=r"estimator 'broken_model:build': \w+Error: .*importable"):
        build_estimator(broken, BINARY)


def test_a_fit_that_fails_says_what_came_in(spec: ModelSpec) -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(EstimatorError, match=r"fitted on 8 rows, categorical \('shop',\) as text"):
        fit_estimator(spec, BINARY, LogisticRegression(), FRAME, TARGET)
    missing = FRAME[["items"]].mask(FRAME["items"] == 3)
    with pytest.raises(EstimatorError, match="ValueError: Input X contains NaN"):
        fit_estimator(spec, BINARY, LogisticRegression(), missing, TARGET)


def test_a_classifier_without_probabilities_is_told_how_to_get_them(spec: ModelSpec) -> None:
    from sklearn.svm import LinearSVC

    with pytest.raises(
        EstimatorError, match=r"LinearSVC gives no probabilities; wrap it in .*Calib"
    ):
        fit_estimator(spec, BINARY, LinearSVC(), FRAME[["items"]], TARGET)


def test_stacked_classifiers_are_taken_though_they_promise_nothing_before_the_fit(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.ensemble import StackingClassifier
    from sklearn.linear_model import LogisticRegression

    stacked = StackingClassifier([("one", LogisticRegression())], cv=2)
    monkeypatch.setattr(orders, "build", returning(stacked))
    model = build_estimator(spec, BINARY)
    fit_estimator(spec, BINARY, model, FRAME[["items"]], TARGET)
    assert predict_scores(spec, model, FRAME[["items"]]).shape == (8,)


def test_a_category_that_stops_a_day_is_told_with_the_fix(spec: ModelSpec) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    model = make_pipeline(OneHotEncoder(), LogisticRegression())
    fit_estimator(spec, BINARY, model, FRAME[["shop"]], TARGET)
    new = pd.DataFrame({"shop": ["a", "c"]})
    with pytest.raises(EstimatorError, match=r"cannot score 2 rows: .*unknown categories.*ignore"):
        predict_scores(spec, model, new)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 1.5])
def test_a_score_is_a_probability(spec: ModelSpec, value: float) -> None:
    class Odd:
        def predict_proba(self, frame: pd.DataFrame) -> Any:
            return np.column_stack([np.full(len(frame), 0.5), [0.5] * (len(frame) - 1) + [value]])

    with pytest.raises(EstimatorError, match="gives 1 of 8 rows a score that is no probability"):
        predict_scores(spec, Odd(), FRAME)


@pytest.mark.parametrize("shape", [(8, 1), (8,), (8, 3), (7, 2), (9, 2)])
def test_one_row_has_two_probabilities(spec: ModelSpec, shape: tuple[int, ...]) -> None:
    class Odd:
        def predict_proba(self, frame: pd.DataFrame) -> Any:
            return np.full(shape, 0.5)

    with pytest.raises(EstimatorError, match=rf"of Odd gives {re.escape(str(shape))} for 8 rows"):
        predict_scores(spec, Odd(), FRAME)


def test_a_rounding_above_one_is_one(spec: ModelSpec) -> None:
    class Rounded:
        def predict_proba(self, frame: pd.DataFrame) -> Any:
            over = np.nextafter(1.0, 2.0)
            return np.tile([1 - over, over], (len(frame), 1))

    assert predict_scores(spec, Rounded(), FRAME).tolist() == [1.0] * 8


def test_too_little_memory_is_no_fault_of_the_project(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hungry(**_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(orders, "build", hungry)
    with pytest.raises(MemoryError):
        build_estimator(spec, BINARY)


def test_a_regression_needs_a_regressor(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import LinearRegression, LogisticRegression

    monkeypatch.setattr(orders, "build", returning(LinearRegression()))
    model = build_estimator(spec, REGRESSION)
    fit_estimator(spec, REGRESSION, model, FRAME[["items"]], np.arange(8.0) * 3)
    found = REGRESSION.predict(spec, model, FRAME[["items"]])
    assert found["prediction"].to_pylist() == pytest.approx([0, 3, 6, 9, 12, 15, 18, 21])
    assert found["prediction_lower"].null_count == found["prediction_upper"].null_count == 8
    monkeypatch.setattr(orders, "build", returning(LogisticRegression()))
    with pytest.raises(
        EstimatorError, match="LogisticRegression, which is no regressor: the label"
    ):
        build_estimator(spec, REGRESSION)


class Bounds:
    """A regressor that knows how sure it is."""

    def __init__(self, prediction: Any, bounds: Any) -> None:
        self.prediction, self.bounds = prediction, bounds

    def predict(self, frame: pd.DataFrame) -> Any:
        return self.prediction

    def predict_interval(self, frame: pd.DataFrame) -> Any:
        return self.bounds


def test_an_interval_is_published_where_the_estimator_gives_one(spec: ModelSpec) -> None:
    found = REGRESSION.predict(spec, Bounds([1.0, 2.0], [[0, 3], [1, 5]]), FRAME[:2])
    assert {name: column.to_pylist() for name, column in found.items()} == {
        "prediction": [1.0, 2.0],
        "prediction_lower": [0.0, 1.0],
        "prediction_upper": [3.0, 5.0],
    }
    assert list(found) == [field.name for field in REGRESSION.fields(None)]


@pytest.mark.parametrize(
    ("prediction", "bounds", "match"),
    [
        ([1.0, np.nan], [[0, 3], [1, 5]], "gives 1 of 2 rows a prediction that is NaN or infinite"),
        (
            [1.0],
            [[0, 3], [1, 5]],
            r"gives \(1,\) for 2 rows, and must give one number for each row",
        ),
        ([1.0, 2.0], [0, 3], r"predict_interval gives \(2,\) for 2 rows.* a lower and an upper"),
        ([1.0, 2.0], [[0, 3], [5, 1]], "predict_interval: a lower bound lies above its upper one"),
        ([1.0, 2.0], [[0, 3], [1, np.inf]], "predict_interval gives 1 of 2 rows a prediction that"),
    ],
)
def test_a_prediction_is_a_number(
    spec: ModelSpec, prediction: Any, bounds: Any, match: str
) -> None:
    with pytest.raises(EstimatorError, match=match):
        REGRESSION.predict(spec, Bounds(prediction, bounds), FRAME[:2])


def test_each_class_has_a_probability_and_the_likeliest_is_predicted(spec: ModelSpec) -> None:
    class Three:
        classes_ = np.array(["Late", "early", "on time"])

        def predict_proba(self, frame: pd.DataFrame) -> Any:
            return np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4]])

    found = MULTICLASS.predict(spec, Three(), FRAME[:2])
    assert {name: column.to_pylist() for name, column in found.items()} == {
        "predicted_class": ["early", "Late"],
        "confidence": [0.5, 0.4],
        "probability_%4Cate": [0.2, 0.4],
        "probability_early": [0.5, 0.2],
        "probability_on%20time": [0.3, 0.4],
    }
    assert list(found) == [field.name for field in MULTICLASS.fields(Three())]


def test_the_trees_of_a_forest_are_added_up_in_the_same_order_each_time(spec: ModelSpec) -> None:
    from sklearn.ensemble import RandomForestClassifier

    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(5000, 3)), columns=list("abc"))
    target = (frame["a"] + draw.normal(size=5000) > 0).to_numpy().astype(int)
    forest = RandomForestClassifier(20, max_depth=6, n_jobs=4, random_state=0).fit(frame, target)
    found = [predict_scores(spec, forest, frame) for _ in range(20)]
    one_by_one = forest.set_params(n_jobs=1).predict_proba(frame)[:, 1]
    assert all(np.array_equal(scores, one_by_one) for scores in found)
