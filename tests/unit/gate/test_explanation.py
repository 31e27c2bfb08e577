"""Explanations of models of every kind: what matters, what it does, what is other than before."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_tasks.features import feature_frame
from mlops_tasks.gate.explanation import Explanation, Side, explain
from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.problem_types import problem_type
from mlops_tasks.serialization import from_json, to_json
from mlops_tasks.specs import TableModel

if TYPE_CHECKING:
    from collections.abc import Callable

N = 600
SHOPS = ("bakery", "florist", "grocer")
KINDS = ("binary", "multiclass", "regression")


def rows(n: int = N, seed: int = 3) -> pa.Table:
    """Make rows in which `distance` decides, `shop` a little, and `items` nothing."""
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "shop": [
                None if i % 50 == 0 else ["bakery", "florist", "grocer"][i % 3] for i in range(n)
            ],
            "items": random.integers(1, 9, n),
            "distance": [None if i % 40 == 0 else float(x) for i, x in enumerate(random.random(n))],
            "note": [f"word{i % 5} {'slow' if i % 4 == 0 else 'fast'}" for i in range(n)],
        }
    )


def truth(kind: str, table: pa.Table) -> np.ndarray[Any, Any]:
    distance = np.nan_to_num(np.array(table["distance"], dtype=float), nan=0.5)
    slow = np.array(["slow" in text for text in table["note"].to_pylist()])
    value = distance + 0.2 * slow
    if kind == "regression":
        return value * 10
    if kind == "binary":
        return (value > 0.6).astype(np.int64)
    return np.array(["near", "middle", "far"], dtype=object)[np.digitize(value, [0.4, 0.8])]


def spec(kind: str, **changes: Any) -> TableModel:
    fields: dict[str, Any] = {
        "name": "late_orders",
        "problem_type": kind,
        "table": "orders",
        "target": "late",
        "categorical": ("shop",),
        "numeric": ("items", "distance"),
        "text": ("note",),
        "estimator": "tests.unit.gate.test_explanation:build",
        "random_state": 5,
    }
    return TableModel(**fields | changes)


def forest(kind: str) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    made = RandomForestRegressor if kind == "regression" else RandomForestClassifier
    return encoded(made(10, min_samples_leaf=5, random_state=0))


def linear(kind: str) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    return encoded(Ridge() if kind == "regression" else LogisticRegression(max_iter=500))


def booster(kind: str) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor
    from xgboost import XGBClassifier

    if kind == "binary":
        return encoded(XGBClassifier(n_estimators=10))
    made = LGBMRegressor if kind == "regression" else LGBMClassifier
    return encoded(made(n_estimators=10, verbose=-1))


def encoded(last: Any) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = ColumnTransformer(
        [
            ("shop", OneHotEncoder(handle_unknown="ignore"), ["shop"]),
            ("numbers", SimpleImputer(), ["items", "distance"]),
            ("note", TfidfVectorizer(), "note"),
        ]
    )
    return Pipeline([("encode", encode), ("model", last)])


def pin(first: str = "2024-03-01", columns: tuple[str, ...] = ("a", "b")) -> TrainingPin:
    orders = Pin("orders", first, "2024-03-10", (1, 2), columns, 800, "d" * 64)
    labels = Pin("labels", first, "2024-03-10", (1, 2), ("k",), 700, "e" * 64)
    return TrainingPin(
        "2024-03-12", (first, "2024-03-08"), ("2024-03-09",) * 2, {"o": orders}, labels
    )


def side(asked: TableModel, make: Callable[[str], Any], table: pa.Table | None = None) -> Side:
    """Fit on some rows, and predict others."""
    kind, fitted_on = asked.problem_type, rows(seed=1)
    problem = problem_type(kind)
    model = make(kind).fit(feature_frame(asked, fitted_on), truth(kind, fitted_on))
    table = rows() if table is None else table
    frame = feature_frame(asked, table)
    target = pa.chunked_array([pa.array(truth(kind, table))])
    predictions = problem.predict(asked, model, frame)
    return Side(model, frame, problem.outcomes(asked, target, predictions), pin())


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(kind: str) -> Explanation:
    asked = spec(kind)
    return explain(asked, side(asked, forest), side(asked, linear), truth(kind, rows()))


def test_what_matters_comes_first_and_both_are_measured(found: Explanation) -> None:
    assert found.importance[0].feature == "distance"
    by_name = {one.feature: one for one in found.importance}
    assert set(by_name) == {"shop", "items", "distance", "note"}
    items = by_name["items"]
    assert items.champion is not None
    assert (items.challenger or 0) < 0.2 * (by_name["distance"].challenger or 0)


def test_a_feature_is_followed_through_its_values(kind: str, found: Explanation) -> None:
    (one,) = [one for one in found.dependence if one.feature == "distance"]
    assert one.n_rows == 500
    assert list(one.values) == sorted(one.values)
    assert 0 < float(one.values[0]) < float(one.values[-1]) < 1
    label = "far" if kind == "multiclass" else ""
    curve = one.predictions[label]
    assert len(curve) == len(one.values)
    assert curve[-1] > curve[0] + (1 if kind == "regression" else 0.3)
    note = next(one for one in found.dependence if one.feature == "note")
    assert (note.values, note.note) == ((), "a free text has no order of values")


def test_reasons_are_of_rows_from_low_to_high_and_name_no_text(
    kind: str, found: Explanation
) -> None:
    assert 2 <= len(found.reasons) <= 8
    predictions = [one.prediction for one in found.reasons]
    assert predictions == sorted(predictions)
    strongest = [one.reasons[0].feature for one in found.reasons if one.reasons]
    assert strongest.count("distance") >= len(strongest) / 2
    values = {(r.feature, r.value) for one in found.reasons for r in one.reasons}
    assert all(value == "" for feature, value in values if feature == "note")
    assert any(value for feature, value in values if feature == "distance")
    assert {one.of for one in found.reasons} <= {"", "near", "middle", "far"}
    assert found.reasons_by.startswith("each effect: the prediction, less its mean")
    if kind != "multiclass":
        high = found.reasons[-1]
        assert next(r for r in high.reasons if r.feature == "distance").effect > 0


def test_predictions_are_compared_by_slice(kind: str, found: Explanation) -> None:
    every, *groups = found.predictions
    assert (every.slice, every.n_rows) == ("all rows", N)
    assert 0 < every.share_changed < 0.6
    assert {one.group for one in groups} == {"bakery", "florist", "grocer"}
    assert sum(one.n_rows for one in groups) == N - N // 50
    weighted = sum(one.n_rows * one.share_changed for one in groups) / (N - N // 50)
    assert weighted == pytest.approx(every.share_changed, abs=0.02)
    assert (every.mean_true is None) == (kind == "multiclass")


def test_curves_are_few_points_and_true(kind: str, found: Explanation) -> None:
    by_kind = {one.kind: one for one in found.curves}
    wanted = {
        "binary": {"roc", "precision_recall", "calibration"},
        "multiclass": {"calibration"},
        "regression": {"actual", "residuals"},
    }
    assert set(by_kind) == wanted[kind]
    assert {one.kind for one in found.champion_curves} == wanted[kind]
    for one in found.curves:
        assert 2 <= len(one.x) == len(one.y) <= 60
        assert list(one.x) == sorted(one.x)
    if kind == "regression":
        assert found.confusion is None
        slope = np.polyfit(by_kind["actual"].x, by_kind["actual"].y, 1)[0]
        assert slope == pytest.approx(1, abs=0.1)
    else:
        assert found.confusion is not None
        assert sum(map(sum, found.confusion.counts)) == N


def test_the_area_under_the_drawn_curve_is_the_metric() -> None:
    from sklearn.metrics import auc, roc_auc_score

    asked = spec("binary")
    mine = side(asked, linear)
    found = explain(asked, mine, None, truth("binary", rows()))
    roc = next(one for one in found.curves if one.kind == "roc")
    exact = roc_auc_score(mine.outcomes.y_true, mine.outcomes.y_pred)
    assert auc(roc.x, roc.y) == pytest.approx(exact, abs=0.01)


def test_it_is_plain_json_the_same_each_time_and_says_its_limits(
    kind: str, found: Explanation
) -> None:
    plain = to_json(found)
    assert from_json(Explanation, json.loads(json.dumps(plain, allow_nan=False))) == found
    asked = spec(kind)
    again = explain(asked, side(asked, forest), side(asked, linear), truth(kind, rows()))
    assert to_json(again) == plain
    assert "partial dependence on 500" in found.limits
    assert f"all {N} rows" in found.limits


def test_a_first_model_has_nothing_beside_it(kind: str) -> None:
    asked = spec(kind)
    found = explain(asked, side(asked, booster), None, truth(kind, rows()))
    assert found.predictions == ()
    assert found.champion_curves == ()
    assert all(one.champion is None for one in found.importance)
    assert found.pins[0].champion == ""
    assert found.notes == ()
    assert found.reasons


@pytest.mark.parametrize("hidden", ["shop", "distance"])
def test_a_model_of_people_shows_no_value_of_a_row(hidden: str) -> None:
    columns = {"shop": "string?", "items": "int64", "distance": "float64?", "note": "string?"}
    asked = spec("binary", columns=columns, personal=(hidden,), target="items > 3")
    found = explain(asked, side(asked, forest), side(asked, linear), truth("binary", rows()))
    assert all(reason.value == "" for one in found.reasons for reason in one.reasons)
    assert found.reasons
    text = json.dumps(to_json(found))
    assert ("bakery" in text) == (hidden != "shop")
    if hidden == "distance":
        one = next(one for one in found.dependence if one.feature == "distance")
        assert (one.values, one.note) == ((), "its values are personal")


def test_shapley_values_sum_to_the_difference() -> None:
    asked = spec("multiclass")
    found = explain(asked, side(asked, forest), None, truth("multiclass", rows()), shap=True)
    assert found.notes == ()
    assert found.reasons_by.startswith("Shapley values (shap)")
    for one in found.reasons:  # of four features all are among the five strongest
        total = sum(reason.effect for reason in one.reasons)
        assert total == pytest.approx(one.prediction - one.usual, abs=1e-5)


def test_without_shap_the_page_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_tasks.gate.explanation.reasons.find_spec", lambda _: None)
    asked = spec("binary")
    found = explain(asked, side(asked, linear), None, truth("binary", rows()), shap=True)
    assert "pip install 'mlops-airflow[explanations]'" in found.reasons_by
    assert found.reasons


def test_what_an_estimator_refuses_is_noted_and_fails_nothing() -> None:
    asked = spec("regression")
    mine = side(asked, linear)

    class Stubborn(type(mine.model)):  # type: ignore[misc]
        calls = 0

        def predict(self, frame: Any) -> Any:
            Stubborn.calls += 1
            if Stubborn.calls > 6:  # importance first
                raise RuntimeError("no more")
            return super().predict(frame)

    model = Stubborn(mine.model.steps)
    found = explain(asked, replace(mine, model=model), None, truth("regression", rows()))
    assert found.importance
    assert found.notes == ("no reasons of single predictions: RuntimeError",)
    notes = {one.feature: one.note for one in found.dependence}
    assert "could not be asked: RuntimeError" in notes["distance"]


def test_few_and_odd_rows_are_explained_as_far_as_they_go() -> None:
    """One class only, one row, nothing but nulls: no curve, no importance, and no error."""
    asked = spec("binary")
    table = rows(1)
    one = side(asked, linear, table)
    found = explain(asked, one, one, truth("binary", table))
    assert {curve.kind for curve in found.curves} <= {"calibration"}
    assert all(part.challenger == 0 for part in found.importance)
    assert found.dependence == ()
    nulls = pa.table(
        {
            "shop": pa.nulls(30, pa.string()),
            "items": pa.array([1] * 30),
            "distance": pa.nulls(30, pa.float64()),
            "note": [""] * 30,
        }
    )
    some = side(asked, linear, nulls)
    empty = explain(asked, some, some, truth("binary", nulls))
    assert [one.group for one in empty.predictions] == [""]
    assert json.dumps(to_json(empty), allow_nan=False)


def test_what_both_were_trained_on_is_put_side_by_side() -> None:
    asked = spec("binary")
    mine = side(asked, linear)
    old = replace(mine, pin=pin("2024-02-20", ("a", "c")))
    found = explain(asked, mine, old, truth("binary", rows()))
    orders, labels = found.pins
    assert (orders.table, orders.challenger, orders.champion) == (
        "orders",
        "2024-03-01 to 2024-03-10",
        "2024-02-20 to 2024-03-10",
    )
    assert (orders.columns_added, orders.columns_dropped) == (("b",), ("c",))
    assert labels.columns_added == ()
    assert (labels.rows_challenger, labels.days_champion) == (700, 2)
