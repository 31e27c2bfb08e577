"""An evaluation, without a lake and without MLflow."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_tasks.exceptions import LeakageError
from mlops_tasks.gate import GatePlan, judge
from mlops_tasks.gate.explanation.changes import ImportanceChange
from mlops_tasks.gate.serving import size_criterion
from mlops_tasks.lake import Pin, TrainingPin
from mlops_tasks.problem_types import Outcomes
from mlops_tasks.problem_types.shifts import movement
from mlops_tasks.profiles.archive import unpack_days
from mlops_tasks.registry.artifacts import GATE_REPORT, IMPORTANCE, PIN_FILE, SCORE_PROFILES
from mlops_tasks.registry.versions import RegisteredVersion, TrainResult
from mlops_tasks.serialization import to_json
from mlops_tasks.steps import evaluate as evaluation
from mlops_tasks.steps.evaluate import evaluate

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec


CHAMPION = RegisteredVersion("m", "4", "r4", "models:/m-4", "digest of 4")


WHY = SimpleNamespace(
    importance=(ImportanceChange("new", 0.25, None), ImportanceChange("old", None, 0.5))
)


class Fixed:
    """Gives scores that are written in a column."""

    def __init__(self, column: str) -> None:
        self.column = column

    def predict_proba(self, frame: pd.DataFrame) -> Any:
        scores = frame[self.column].to_numpy()
        return np.column_stack([1 - scores, scores])


class Store:
    """What is said to the tracking, kept."""

    def __init__(self, trained_until: str) -> None:
        pin = replace(PIN, train=("2024-02-01", trained_until))
        self.pin = json.dumps(to_json(pin)).encode()
        self.loaded: list[tuple[str, str]] = []
        self.batches: list[tuple[str, dict[str, Any]]] = []
        self.files: dict[tuple[str, str], Any] = {}
        self.explained: tuple[Any, ...] = ()
        self.shown: tuple[Any, ...] = ()

    def load_sized(self, uri: str, digest: str) -> tuple[Fixed, int]:
        return self.load(uri, digest), 5_000_000

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

    log_bytes = log_evidence = log_json


TABLE = Pin("t", "2024-03-01", "2024-03-12", (1,), ("a",), 80, "d")
PIN = TrainingPin(
    "2024-03-16", ("2024-03-01", "2024-03-10"), ("2024-03-11", "2024-03-12"), {}, TABLE
)
TRAINED = TrainResult("run", "model-id", "models:/new", "digest of new", 100, {"y_share": 0.5}, 1.0)


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
        assert settings == {"lake": "lake", "learn": False}
        return rows()

    def framed(whose: ModelSpec, model: Fixed, table: pa.Table) -> pd.DataFrame:
        assert whose is spec
        return table.select([model.column]).to_pandas()

    def explained(*asked: Any, **settings: Any) -> Any:
        store.explained = (*asked, settings)
        return WHY

    def shown(*asked: Any, lake: str, tracking: Store) -> tuple[str, dict[str, str]]:
        assert (lake, tracking) == ("lake", store)
        store.shown = asked
        return "_reports/page.html", {"gate.html": "digest of the page"}

    monkeypatch.setattr(evaluation, "explain", explained)
    monkeypatch.setattr(evaluation, "publish_page", shown)
    monkeypatch.setattr(evaluation, "labelled_rows", labelled)
    monkeypatch.setattr(evaluation, "model_frame", framed)
    monkeypatch.setattr(evaluation, "worst_slices", lambda *_: [])  # of features, which are none
    stores: Any = {"lake": "lake", "tracking": store}
    return evaluate(spec, pin, TRAINED, champion, **stores), store


def test_a_challenger_and_a_champion_are_loaded_scored_and_written_down(
    spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = spec.gate.model_copy(update={"max_latency_ms": None})
    spec = spec.model_copy(update={"gate": gate})
    verdict, store = evaluated(spec, monkeypatch, CHAMPION)
    table = rows()
    target, new, old = (table.column(name).to_numpy() for name in ("y", "new", "old"))
    days = np.repeat(["2024-03-11", "2024-03-12"], 40)
    ours, theirs = (Outcomes(target, scores, days) for scores in (new, old))
    size = size_criterion(GatePlan.of(spec), 5_000_000, None)
    expected = judge(GatePlan.of(spec), ours, theirs, CHAMPION, further=[size])
    of_rows = movement(ours)
    assert of_rows is not None
    kept = expected.challenger | of_rows.as_metrics()
    expected = replace(expected, challenger=kept)
    files = {name: f"digest of {name}" for name in (IMPORTANCE, SCORE_PROFILES, GATE_REPORT)}
    files["gate.html"] = "digest of the page"
    plan = GatePlan.of(spec).registration(spec, PIN, TRAINED)
    page = "_reports/page.html"
    assert verdict == replace(expected, artifacts=files, plan=plan["digest"], report=page)
    about, ours_side, their_side, known, settings = store.explained
    assert (about, list(known)) == (spec, list(target))
    assert (ours_side.pin, list(ours_side.frame)) == (PIN, ["new"])
    assert their_side.pin.train == ("2024-02-01", "2024-03-10")
    assert list(their_side.outcomes.y_pred) == list(old)
    assert settings == {"slices": None, "min_slice_rows": 100, "shap": False}
    facts, on_page, why = store.shown
    assert (facts.model, facts.as_of, facts.run_id) == (spec.name, PIN.as_of, "run")
    assert (facts.evaluation, facts.plan, why) == (PIN.evaluation, plan, WHY)
    assert facts.coverage == ""
    assert on_page == replace(expected, plan=plan["digest"])
    assert store.loaded == [("models:/new", "digest of new"), ("models:/m-4", "digest of 4")]
    assert store.files["run", IMPORTANCE] == {"new": 0.25}, "what the champion alone has is not"
    report = json.loads(store.files["run", GATE_REPORT])
    assert report["plan"] == plan
    assert report["verdict"]["criteria"] == [to_json(one) for one in verdict.criteria]
    assert report["model"] == spec.name
    assert "artifacts" not in report["verdict"], "its own digest cannot be in it"
    json.dumps(report, allow_nan=False)  # a NaN would have been read back as one
    days = unpack_days(store.files["run", SCORE_PROFILES])
    assert {day: profile.n_rows for day, profile in days.items()} == {
        "2024-03-11": 40,
        "2024-03-12": 40,
    }
    assert [list(profile.columns) for profile in days.values()] == [["score"]] * 2
    assert days["2024-03-12"].columns["score"].mean == pytest.approx(new[40:].mean())
    (run, logged), (again, of_champion) = store.batches
    assert (run, again) == ("run", "run")
    assert logged == {
        "metrics": {f"eval_{name}": value for name, value in expected.challenger.items()}
        | {"eval_n_rows": 80.0},
        "tags": {
            "mlops.verdict": expected.verdict,
            "mlops.verdict_reason": expected.reason,
            "mlops.evaluation": "2024-03-11..2024-03-12",
        },
        "model_id": "model-id",
    }
    assert of_champion == {
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
    seen = "it would be judged on what it has seen. Train as of a later day"
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
