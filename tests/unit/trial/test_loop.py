"""The whole loop in a throw-away lake: what it comes to, what it leaves, and what stops it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest

from mlops_tasks.gate.smoke import SmokeTestResult
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.scratch import scratch_root
from mlops_tasks.specs import LabelSpec, PerformanceSpec
from mlops_tasks.trial import TrialReport, TrialStep, try_model
from tests.unit.orders import (
    FEATURES_SQL,
    OTHER_TARGETS,
    Source,
    day,
    deliveries_dataset,
    project,
    project_of,
)
from tests.unit.trial.conftest import connect_shop

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

# 24 days: 2 of label delay, 4 of evaluation, 10 of training at most; 5 days are played, so that
# the labels of three days, the window of monitoring, arrive.
FIRST, LAST = day(0), day(23)
#: From here on there are just days enough.
SHORTEST = day(13)


@pytest.fixture(scope="module")
def played(
    filled: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrialReport, list[TrialStep]]:
    """Play all days once; return the report, and what was watched."""
    seen: list[TrialStep] = []
    spec = project(tmp_path_factory.mktemp("played") / "project")
    with pytest.MonkeyPatch.context() as patch:
        connect_shop(patch, filled)
        report = try_model(spec, first=FIRST, last=LAST, watch=seen.append)
    return report, seen


def answers(report: TrialReport, *names: str) -> Counter[tuple[str, str]]:
    return Counter((one.name, one.answer) for one in report.steps if one.name in names)


def test_the_loop_comes_to_a_champion(played: tuple[TrialReport, list[TrialStep]]) -> None:
    report, seen = played
    assert (report.outcome, report.exit_code, report.failure) == ("champion", 0, None)
    assert (report.first, report.last, report.played_from) == (FIRST, LAST, day(19))
    assert list(report.steps) == seen
    # As of day 18, deliveries to day 16 are known.
    (training,) = report.trainings
    assert training == report.champion
    assert (training.as_of, training.cause) == (day(18), "first training")
    assert (training.train, training.evaluation) == ((day(3), day(12)), (day(13), day(16)))
    assert (training.n_train, training.n_evaluation) == (800, 320)
    assert training.metric == "roc_auc"
    assert 0.6 < training.lower < training.value < training.upper < 0.95
    assert training.reason in report.reason
    # Every day of orders and traffic, deliveries two days later; traffic looks back a day.
    assert answers(report, "ingest") == {("ingest", "fine"): 24 + 24 + 22}
    assert answers(report, "smoke test") == {("smoke test", "fine"): 1}
    assert answers(report, "score") == {("score", "fine"): 5}
    assert [one.key for one in report.steps if one.name == "score"] == [
        day(n) for n in range(19, 24)
    ]
    # Labels of days 19, 20 and 21 come on days 21, 22 and 23.
    assert [one.key for one in report.steps if one.name == "monitor"] == [day(19), day(20), day(21)]
    assert [one.as_of for one in report.decisions] == [day(n) for n in range(19, 24)]


def test_a_version_that_fails_its_smoke_test_ends_the_trial(
    spec: ModelSpec, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = SmokeTestResult("1", "run", "d" * 64, False, "the files could not be loaded", ())
    monkeypatch.setattr("mlops_tasks.trial.dags.smoke_test", lambda *_, **__: failed)
    report = try_model(spec, first=FIRST, last=LAST)
    assert (report.outcome, report.failure and report.failure.step) == ("failed", "smoke test")
    assert "the files could not be loaded" in report.reason
    assert not answers(report, "promote")


def test_steps_come_in_the_order_of_the_calendar(
    played: tuple[TrialReport, list[TrialStep]],
) -> None:
    steps = [(one.name, one.about, one.key) for one in played[0].steps]
    begin = steps.index(("ingest", "orders", day(21)))
    assert steps[begin : steps.index(("ingest", "orders", day(22)))] == [
        ("ingest", "orders", day(21)),
        ("validate", "orders", day(21)),
        ("ingest", "traffic", day(21)),
        ("validate", "traffic", day(21)),
        ("ingest", "deliveries", day(19)),
        ("validate", "deliveries", day(19)),
        ("score", "late_orders", day(21)),
        ("drift", "late_orders", day(21)),
        ("estimate", "late_orders", day(21)),
        ("monitor", "late_orders", day(19)),
        ("decide", "late_orders", day(21)),
    ]


@pytest.mark.slow
def test_equal_inputs_give_equal_reports_and_nothing_is_left_or_touched(
    played: tuple[TrialReport, list[TrialStep]],
    spec: ModelSpec,
    shop: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    # Other tests have their scratch folders in the usual place.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
    before = hashlib.sha256(shop.read_bytes()).hexdigest(), sorted(tmp_path.iterdir())
    own = f"sqlite:///{tmp_path}/own-mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own)
    mlflow.set_tracking_uri(own)
    environment = dict(os.environ)
    there = set(scratch_root().iterdir())
    report, (before_it, _) = try_model(spec, first=FIRST, last=LAST), played
    assert report == before_it
    assert report.seconds != before_it.seconds
    assert json.loads(json.dumps(report.as_json()))["exit_code"] == 0
    assert mlflow.get_tracking_uri() == own
    assert dict(os.environ) == environment
    assert set(scratch_root().iterdir()) == there
    after = hashlib.sha256(shop.read_bytes()).hexdigest(), sorted(tmp_path.iterdir())
    assert after == before


@pytest.mark.slow
def test_a_kept_trial_can_be_looked_at(spec: ModelSpec, shop: Path, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    report = try_model(spec, first=day(5), last=LAST, keep=keep)
    ledger = Ledger(f"sqlite:///{keep}/ledger.db")
    champion = ledger.champion("late_orders")
    assert champion is not None
    assert champion.version == report.champion.version
    kinds = Counter(entry.kind for entry in ledger.entries(model="late_orders"))
    assert kinds["decision"] == len(report.decisions)
    assert kinds["verdict"] == kinds["pin"] == len(report.trainings)
    assert Lake(keep / "lake").table("late_orders__predictions").partitions() == [
        one.key for one in report.steps if one.name == "score"
    ]
    again = try_model(spec, first=day(5), last=LAST, keep=keep)
    assert again.exit_code == 3
    assert "name a new or an empty folder" in again.reason


@pytest.mark.slow
@pytest.mark.parametrize("problem_type", OTHER_TARGETS)
def test_other_targets(tmp_path: Path, shop: Path, problem_type: str) -> None:
    spec = project_of(tmp_path / "project", problem_type)
    report = try_model(spec, first=day(3), last=LAST)
    assert report.exit_code == 0, report.reason
    assert report.champion.metric == {"regression": "mae", "multiclass": "log_loss"}[problem_type]


@pytest.mark.slow
def test_an_alarm_trains_again(own_shop: Source, tmp_path: Path) -> None:
    for number in range(26):
        own_shop.add(number, slower=0.0 if number < 19 else 45.0)
    report = try_model(project(tmp_path / "project"), first=FIRST, last=day(25))
    assert ("drift", "alarm") in answers(report, "drift")
    causes = [one.cause for one in report.trainings]
    assert causes[0] == "first training"
    retrained = [one.as_of for one in report.decisions if one.retrain]
    assert [one.as_of for one in report.trainings[1:]] == retrained
    alarmed = [one for one in report.conclusions if one.name == "speed"]
    assert [one.answer for one in alarmed] == ["alarm"]


@pytest.mark.slow
def test_a_gap_is_an_alarm_of_its_own_and_the_loop_goes_on(
    own_shop: Source, tmp_path: Path
) -> None:
    for number in range(24):
        if number not in (8, 20):
            own_shop.add(number)
    report = try_model(project(tmp_path / "project"), first=day(5), last=LAST)
    assert report.exit_code == 0, report.reason
    assert answers(report, "score") == {("score", "fine"): 4, ("score", "cannot tell"): 1}
    waits = [one.text for one in report.steps if (one.name, one.answer) == ("score", "cannot tell")]
    assert waits == ["waits for orders and traffic"]


@pytest.mark.slow
def test_what_could_not_be_told_names_the_setting(shop: Path, tmp_path: Path) -> None:
    # Three days have 240 rows: 500 take seven days.
    spec = project(tmp_path / "project", performance=PerformanceSpec(window="3d", min_rows=500))
    report = try_model(spec, first=day(5), last=LAST)
    found = {one.name: one for one in report.conclusions if one.kind == "performance"}
    assert found["roc_auc"].answer == "cannot tell"
    assert found["roc_auc"].n_cannot_tell == 3
    assert found["roc_auc"].fix == (
        'a window of 3 days has about 240 rows: PerformanceSpec(window="7d"), or '
        "PerformanceSpec(min_rows=240)"
    )


# What fails: each is a failure of one step, with a message that names the fix, and exit code 3.


def failed(spec: ModelSpec, step: str, about: str, *, first: str = FIRST, last: str = LAST) -> str:
    report = try_model(spec, first=first, last=last)
    assert (report.outcome, report.exit_code) == ("failed", 3), report.reason
    assert report.failure is not None
    assert (report.failure.step, report.failure.about) == (step, about), report.failure
    assert report.failure.known, report.failure
    assert report.reason == report.failure.message
    assert report.error is not None
    return report.reason


def test_no_connection(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_SHOP_SOURCE", raising=False)
    assert "connection 'shop_source' cannot be used: it is not defined" in failed(
        spec, "ingest", "orders"
    )


def test_an_empty_source(spec: ModelSpec, own_shop: Source) -> None:
    said = failed(spec, "publish", "orders")
    assert "none of its 19 days up to the first training could be published" in said
    assert f"'shop_source' has no rows for {day(18)}" in said


def test_ranges_that_cannot_be(spec: ModelSpec, shop: Path) -> None:
    for first, last, match in (
        (day(23), day(0), "ends with 2024-03-01, before it begins with 2024-03-24; exchange"),
        ("2024-3-1", LAST, "not a day"),
        (FIRST, "2999-01-01", "lies in the future"),
        ("2024-02-01", LAST, "has no 2024-02-01: its days go from 2024-03-01"),
        # 2 of delay, 4 of evaluation, 4 of training, 1 to play.
        (day(14), LAST, "begin on 2024-03-14 or earlier"),
    ):
        assert match in failed(spec, "plan", "late_orders", first=first, last=last)
    assert try_model(spec, first=SHORTEST, last=LAST).exit_code != 3


def test_features_that_fail(tmp_path: Path, shop: Path) -> None:
    sql = FEATURES_SQL.replace("o.items", "o.itemz AS items")
    said = failed(
        project(tmp_path / "project", features_sql=sql), "train", "late_orders", first=SHORTEST
    )
    assert "itemz" in said


def test_labels_that_never_arrive(own_shop: Source, spec: ModelSpec) -> None:
    for number in range(24):
        own_shop.add(number)
    own_shop.run("DELETE FROM deliveries")
    said = failed(spec, "publish", "deliveries")
    assert "none of its 17 days up to the first training could be published" in said


def test_one_class_only(tmp_path: Path, shop: Path) -> None:
    label = LabelSpec(dataset=deliveries_dataset(tmp_path), target="minutes_late > -1000")
    said = failed(
        project(tmp_path / "project", label=label), "train", "late_orders", first=SHORTEST
    )
    assert "label" in said


def test_a_gate_that_promotes_nobody_is_a_refusal(tmp_path: Path, shop: Path) -> None:
    spec = project(tmp_path / "project", estimator="tests.unit.orders:build_blind")
    report = try_model(spec, first=SHORTEST, last=LAST)
    assert (report.outcome, report.exit_code, report.failure) == ("refused", 1, None)
    assert report.champion is None
    assert [one.verdict for one in report.trainings] == ["keep"]
    assert "not wholly above 0" in report.reason
    assert not [one for one in report.steps if one.name == "score"]


def test_an_error_of_the_projects_own_code_is_a_failure_too(tmp_path: Path, shop: Path) -> None:
    spec = project(tmp_path / "project", estimator="tests.unit.orders:Source")
    report = try_model(spec, first=SHORTEST, last=LAST)
    assert report.exit_code == 3
    assert report.failure.step == "train"


@pytest.mark.slow
def test_an_end_of_the_source_is_found_by_default(tmp_path: Path, shop: Path) -> None:
    end = date.fromisoformat(LAST)
    spec = project(tmp_path / "project")
    inputs = tuple(
        item.model_copy(update={"dataset": item.dataset.model_copy(update={"end": end})})
        for item in spec.inputs
    )
    report = try_model(project(tmp_path / "project", inputs=inputs))
    assert report.exit_code == 0, report.reason
    assert (report.first, report.last) == (day(3), LAST), (
        "12 of training and evaluation, 2 of delay"
    )
    # No label stays pending: days without rows follow until the last ones are there.
    assert [one.as_of for one in report.decisions] == [day(n) for n in range(19, 26)]
    monitored = [one.key for one in report.steps if one.name == "monitor"]
    scored = [one.key for one in report.steps if one.name == "score"]
    assert set(monitored) == set(scored) == {day(n) for n in range(19, 24)}


KILLED = """
import os, signal, sys
from pathlib import Path
from mlops_tasks.trial import try_model
from tests.unit.orders import day, project

def watch(step):
    if step.name == "train":
        os.kill(os.getpid(), signal.SIGKILL)

try_model(project(Path(sys.argv[1])), first=day(0), last=day(23), watch=watch)
"""


@pytest.mark.slow
def test_what_a_killed_trial_leaves_is_removed_by_the_next_one(
    spec: ModelSpec, shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests try models at the same time, and leave their folders for a moment.
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed")], cwd=root, check=False
    )
    assert done.returncode == -9
    (left,) = scratch_root().iterdir()
    assert (left / "lake").is_dir()
    assert try_model(spec, first=SHORTEST, last=LAST).failure is None
    assert not left.exists()
