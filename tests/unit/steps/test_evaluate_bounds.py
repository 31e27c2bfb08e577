"""The gate at its very bounds, and an evaluation without a store: quick, and exact to the word."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import average_precision_score, roc_auc_score

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.intervals import Comparison, Interval, compare_scores
from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.tracking import IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import GateSpec
from mlops_tasks.steps import evaluate as evaluation
from mlops_tasks.steps.evaluate import classification_metrics, evaluate, feature_importance, judge

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

GATE = GateSpec(n_bootstrap=60, min_value=0.6, max_worse_log_loss=0.05)
CHAMPION = RegisteredVersion("m", "4", "r4", "models:/m-4", "digest of 4")
TINY = 1e-9
SURE = Interval(0.2, TINY, 0.3)
UNSURE = Interval(0.2, 0.0, 0.3)


# --- the verdict, from intervals that are given


def weighed(monkeypatch: pytest.MonkeyPatch, found: Comparison) -> tuple[str, str]:
    monkeypatch.setattr(evaluation, "compare_scores", lambda *_, **__: found)
    target = np.repeat([0, 1], 10)
    verdict = judge(GATE, target, target * 0.5, None)
    return verdict.verdict, verdict.reason


@pytest.mark.parametrize(
    ("gain", "loss", "verdict", "told"),
    [
        (SURE, (-0.2, 0.05), "promote", ""),
        (SURE, (-0.2, 0.05 + TINY), "cannot_tell", "differs"),
        (SURE, (0.05, 0.2), "cannot_tell", "differs"),
        (SURE, (0.05 + TINY, 0.2), "keep", "worse by"),
        (UNSURE, (-0.2, 0.05), "keep", ""),
        (UNSURE, (-0.2, 0.2), "keep", ""),
        (UNSURE, (0.05, 0.2), "keep", ""),
        (UNSURE, (0.05 + TINY, 0.2), "keep", "worse by"),
        (SURE, None, "promote", ""),
        (UNSURE, None, "keep", ""),
    ],
)
def test_a_bound_that_is_just_reached_and_one_that_is_just_passed(
    monkeypatch: pytest.MonkeyPatch,
    gain: Interval,
    loss: tuple[float, float] | None,
    verdict: str,
    told: str,
) -> None:
    gap = None if loss is None else Interval(0.04, *loss)
    found = Comparison(Interval(0.9, 0.8, 1.0), auc_gain=gain, log_loss_gap=gap)
    given, reason = weighed(monkeypatch, found)
    assert given == verdict
    above = "above" if gain is SURE else "not wholly above"
    expected = (
        f"difference in ROC AUC to the champion +0.2000, 95% interval +0.0000 to +0.3000, {above} 0"
    )
    if loss is not None and told:
        between = f"interval {loss[0]:+.4f} to {loss[1]:+.4f}, allowed 0.05"
        expected += {
            "worse by": f"; log loss worse by 0.0400, {between}",
            "differs": f"; log loss differs by +0.0400, {between}: too few rows to tell whether "
            "it is worse by more, take a larger evaluation_days",
        }[told]
    assert reason == expected


@pytest.mark.parametrize(
    ("lower", "verdict", "above"),
    [(0.6, "keep", "not wholly above"), (0.6 + TINY, "promote", "above")],
)
def test_a_first_champion_that_just_reaches_its_floor_is_none(
    monkeypatch: pytest.MonkeyPatch, lower: float, verdict: str, above: str
) -> None:
    found = Comparison(Interval(0.7, lower, 0.8))
    assert weighed(monkeypatch, found) == (
        verdict,
        f"ROC AUC +0.7000, 95% interval +0.6000 to +0.8000, {above} 0.6",
    )


def test_what_the_gate_says_is_what_the_comparison_found() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [200, 100]), random.random(300)
    rival = random.random(300)
    gate = GateSpec(n_bootstrap=90, confidence=0.9)
    settings: dict[str, Any] = {"confidence": 0.9, "n_bootstrap": 90}
    found = compare_scores(target, scores, rival, **settings, seed=3)
    assert found.auc_gain is not None
    assert found.log_loss_gap is not None
    verdict = judge(gate, target, scores, rival, CHAMPION, seed=3)
    assert verdict.difference == to_json(found.auc_gain)
    assert verdict.log_loss_gap == to_json(found.log_loss_gap)
    bounds = {"roc_auc_lower": found.roc_auc.lower, "roc_auc_upper": found.roc_auc.upper}
    assert verdict.challenger == classification_metrics(target, scores) | bounds
    assert verdict.champion == classification_metrics(target, rival)
    assert (verdict.n_rows, verdict.champion_version) == (300, "4")
    first = judge(gate, target, scores, None)
    assert first.difference == to_json(compare_scores(target, scores, **settings).roc_auc)
    assert first.log_loss_gap == {}


def test_the_seed_is_that_which_is_given_and_none_by_default() -> None:
    random = np.random.default_rng(4)
    target, scores = np.repeat([0, 1], [50, 50]), random.random(100)
    default = judge(GATE, target, scores, None)
    assert default == judge(GATE, target, scores, None, seed=0)
    assert default != judge(GATE, target, scores, None, seed=1)


@pytest.mark.parametrize(("n_positive", "n_negative"), [(9, 40), (40, 9)])
def test_one_row_too_few_of_a_class(n_positive: int, n_negative: int) -> None:
    target = np.repeat([1, 0], [n_positive, n_negative])
    assert judge(GATE, target, target * 1.0, None).reason == (
        f"{n_positive} positive and {n_negative} negative rows are too few to tell; the gate "
        "needs at least 10 of each (min_class_rows), take a larger evaluation_days"
    )


def test_a_ranking_needs_one_row_of_each_class_and_no_more() -> None:
    scores = np.array([0.1, 0.8, 0.4])
    for label in (0, 1):
        target = np.array([label, 1 - label, label])
        found = classification_metrics(target, scores)
        assert found["roc_auc"] == roc_auc_score(target, scores)
        assert found["average_precision"] == pytest.approx(average_precision_score(target, scores))


# --- what the model makes of its features


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
    found = feature_importance(model, frame, target, **({} if seed is None else {"seed": seed}))
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
    found = feature_importance(model, frame, target)
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
    assert feature_importance(None, frame, np.full(2, label)) == {"7": 0.0, "x": 0.0}


# --- an evaluation, without a lake and without MLflow


class Fixed:
    """Gives scores that are written in a column."""

    def __init__(self, column: str) -> None:
        self.column = column


class Store:
    """What is said to the tracking, kept."""

    def __init__(self, trained_until: str) -> None:
        pin = replace(PIN, train=("2024-02-01", trained_until))
        self.pin = json.dumps(to_json(pin)).encode()
        self.loaded: list[tuple[str, str]] = []
        self.batches: list[tuple[str, dict[str, Any]]] = []
        self.files: dict[tuple[str, str], Any] = {}

    def load(self, uri: str, digest: str) -> Fixed:
        self.loaded.append((uri, digest))
        return Fixed("old" if uri == CHAMPION.model_uri else "new")

    def read_artifact(self, version: RegisteredVersion, path: str) -> bytes:
        assert (version, path) == (CHAMPION, PIN_FILE)
        return self.pin

    def log_batch(self, run_id: str, **what: Any) -> None:
        self.batches.append((run_id, what))

    def log_json(self, run_id: str, path: str, content: Any) -> str:
        self.files[run_id, path] = content
        return f"digest of {path}"

    log_bytes = log_json


TABLE = Pin("t", "2024-03-01", "2024-03-12", (1,), ("a",), 80, "d")
PIN = TrainingPin(
    "2024-03-16", ("2024-03-01", "2024-03-10"), ("2024-03-11", "2024-03-12"), {}, TABLE
)
TRAINED = TrainResult("run", "model-id", "models:/new", "digest of new", 100, 0.5, 1.0)


def rows() -> pa.Table:
    """Two days of 40 rows; `new` knows more than `old`."""
    random = np.random.default_rng(5)
    target = np.tile([0, 1], 40)
    start = datetime(2024, 3, 11, 5, tzinfo=UTC)
    moments = [start + timedelta(days=number // 40, minutes=number) for number in range(80)]
    return pa.table(
        {
            "asked_at": pa.array(moments, pa.timestamp("us", "UTC")),
            "y": target,
            "new": target * 0.6 + random.random(80) * 0.4,
            "old": random.random(80),
        }
    )


def evaluated(
    spec: ModelSpec,
    monkeypatch: pytest.MonkeyPatch,
    champion: RegisteredVersion | None,
    *,
    trained_until: str = "2024-03-10",
    pin: TrainingPin = PIN,
) -> tuple[Any, Store]:
    store = Store(trained_until)

    def labelled(*asked: Any, **settings: Any) -> pa.Table:
        assert asked == (spec, pin, pin.evaluation)
        assert settings == {"lake": "lake", "n_classes": 1}
        return rows()

    def framed(whose: ModelSpec, model: Fixed, table: pa.Table) -> pd.DataFrame:
        assert whose is spec
        return table.select([model.column]).to_pandas()

    def scored(whose: ModelSpec, model: Fixed, frame: pd.DataFrame) -> Any:
        assert whose is spec
        return frame[model.column].to_numpy()

    def weighty(model: Fixed, frame: pd.DataFrame, target: Any, *, seed: int) -> dict[str, Any]:
        assert (model.column, list(frame), list(target)) == ("new", ["new"], [0, 1] * 40)
        return {"seed": seed}

    monkeypatch.setattr(evaluation, "labelled_rows", labelled)
    monkeypatch.setattr(evaluation, "model_frame", framed)
    monkeypatch.setattr(evaluation, "predict_scores", scored)
    monkeypatch.setattr(evaluation, "feature_importance", weighty)
    stores: Any = {"lake": "lake", "tracking": store}
    return evaluate(spec, pin, TRAINED, champion, **stores), store


def test_a_challenger_and_a_champion_are_loaded_scored_and_written_down(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict, store = evaluated(spec, monkeypatch, CHAMPION)
    table = rows()
    target, new, old = (table.column(name).to_numpy() for name in ("y", "new", "old"))
    expected = judge(spec.gate, target, new, old, CHAMPION, seed=spec.random_state)
    files = {name: f"digest of {name}" for name in (IMPORTANCE, SCORE_PROFILES)}
    assert verdict == replace(expected, artifacts=files)
    assert store.loaded == [("models:/new", "digest of new"), ("models:/m-4", "digest of 4")]
    assert store.files["run", IMPORTANCE] == {"seed": spec.random_state}
    days = unpack_days(store.files["run", SCORE_PROFILES])
    assert {day: profile.n_rows for day, profile in days.items()} == {
        "2024-03-11": 40,
        "2024-03-12": 40,
    }
    assert [list(profile.columns) for profile in days.values()] == [["score"]] * 2
    assert days["2024-03-12"].columns["score"].mean == pytest.approx(new[40:].mean())
    (run, ours), (again, theirs) = store.batches
    assert (run, again) == ("run", "run")
    assert ours == {
        "metrics": {f"eval_{name}": value for name, value in expected.challenger.items()}
        | {"eval_n_rows": 80.0},
        "tags": {
            "mlops.verdict": expected.verdict,
            "mlops.verdict_reason": expected.reason,
            "mlops.evaluation": "2024-03-11..2024-03-12",
        },
        "model_id": "model-id",
    }
    assert theirs == {
        "metrics": {f"champion_{name}": value for name, value in (expected.champion or {}).items()}
    }


def test_a_first_model_has_no_rival(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, store = evaluated(spec, monkeypatch, None)
    assert (verdict.verdict, verdict.champion, verdict.champion_version) == ("promote", None, None)
    assert store.loaded == [("models:/new", "digest of new")]
    assert store.batches[1] == ("run", {"metrics": {}})


def test_the_first_day_of_the_evaluation_must_not_be_the_last_of_a_training(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = "it would be judged on what it has seen. Train as of a later night"
    with pytest.raises(LeakageError) as error:
        evaluated(spec, monkeypatch, CHAMPION, trained_until="2024-03-11")
    assert str(error.value) == (
        "the champion version 4 was trained on days up to 2024-03-11, the evaluation begins on "
        f"2024-03-11: {seen}"
    )
    late = replace(PIN, train=("2024-03-01", "2024-03-11"))
    with pytest.raises(LeakageError) as error:
        evaluated(spec, monkeypatch, None, pin=late)
    assert str(error.value) == (
        "the challenger was trained on days up to 2024-03-11, the evaluation begins on "
        f"2024-03-11: {seen}"
    )
