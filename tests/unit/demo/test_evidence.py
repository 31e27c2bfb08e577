"""What the report reads: a real ledger, a real lake and a real MLflow store."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from demo.conditions import has_closed, loop_conditions
from demo.evidence import (
    LABELS_TABLE,
    PREDICTIONS_TABLE,
    Evidence,
    Version,
    collect,
    late_labels,
    model_versions,
    scored_days,
)
from demo.plan import DECIDE, MODEL, TRAIN
from demo.report import build_report, print_report
from mlops_airflow.rest import DagRun
from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_airflow.rest import AirflowApi

CHECK = {"name": "roc_auc", "value": 0.61, "threshold": 0.58, "alarm": False, "text": "fine"}
ALARM = {"name": "temp", "value": 0.9, "threshold": 0.4, "alarm": True, "text": "PSI 0.9 of temp"}
UNTOLD = {"name": "dewp", "value": None, "threshold": 0.2, "alarm": False, "text": "too few rows"}


def a_run(dag_id: str, key: str, run_type: str = "manual") -> DagRun:
    return DagRun(dag_id, f"{dag_id}-{key}", "success", key, run_type, None, None, None)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Hold what a closed loop writes down."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    counts = {"n_rows_in": 5, "n_validated": 4, "n_quarantined": 1}

    def note(kind: str, key: str, model: str = MODEL, **evidence: Any) -> None:
        ledger.record(model=model, kind=kind, key=key, evidence=evidence)

    note("validation", "2013-02-01", LABELS_TABLE, **counts)
    note("validation", "2013-02-01", LABELS_TABLE, **{**counts, "n_validated": 6})
    note("promotion", "2013-01-31", version="1", previous=None, reason="AUC 0.62 above 0.55")
    note("promotion", "2013-02-03", version="2", previous="1", reason="better by 0.02")
    note("drift", "2013-02-02", checks=[ALARM, CHECK], model_version="1")
    note("drift", "2013-02-03", checks=[UNTOLD], model_version="1")
    note("performance", "2013-02-01", checks=[CHECK, UNTOLD], model_version="1")
    note("decision", "2013-02-02", retrain=False, cause="none", reason="nothing alarmed")
    note("decision", "2013-02-03", retrain=True, cause="drift", reason="temp drifted")
    for night, run_id in (("2013-01-31", "run-1"), ("2013-02-03", "run-2")):
        metrics: dict[str, Any] = {
            "challenger": {"roc_auc": 0.66},
            "champion": None,
            "n_rows": 5000,
        }
        note("verdict", night, verdict="promote", reason="better", run_id=run_id, **metrics)
    return ledger


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Hold two scored days, of the first all but one flight labelled."""
    import pyarrow as pa

    lake = Lake(tmp_path / "lake")
    days = {"2013-02-01": ["a", "b", "c"], "2013-02-02": ["d"]}
    for token, (day, flights) in enumerate(days.items(), start=1):
        rows = pa.table({"flight_id": flights, "model_version": ["1"] * len(flights)})
        overwrite_partition(lake.table(PREDICTIONS_TABLE), day, rows, token=token)
    labels = pa.table({"flight_id": ["a", "b"]})
    overwrite_partition(lake.table(LABELS_TABLE), "2013-02-01", labels, token=3)
    return lake


@pytest.fixture
def closed(ledger: Ledger, lake: Lake) -> Evidence:
    """Hold the evidence of a closed loop."""
    validations = ledger.entries(model=LABELS_TABLE, history=True)
    return Evidence(
        runs=[
            a_run(DECIDE, "2013-02-02"),
            a_run(DECIDE, "2013-02-03"),
            a_run(TRAIN, "2013-01-31"),
            a_run(TRAIN, "2013-02-03", "asset_triggered"),
        ],
        entries=ledger.entries(),
        versions=[
            Version("1", "run-1", (), {}, ("2013-01-23", "2013-01-29")),
            Version("2", "run-2", ("champion",), {}, ("2013-01-26", "2013-02-01")),
        ],
        scored=scored_days(lake, validations),
    )


def failing(evidence: Evidence) -> list[str]:
    return [condition.name for condition in loop_conditions(evidence) if not condition.holds]


def without(evidence: Evidence, **fields: Any) -> Evidence:
    return Evidence(**{**evidence.__dict__, **fields})


def test_closed_loop_is_recognised(closed: Evidence) -> None:
    assert failing(closed) == []
    assert has_closed(closed)


def test_nothing_holds_before_anything_happened() -> None:
    assert len(failing(Evidence())) == len(loop_conditions(Evidence())) == 7


def test_promotion_that_mlflow_does_not_know_does_not_count(closed: Evidence) -> None:
    assert failing(without(closed, versions=[])) == [
        "a first champion was trained and promoted",
        "the training it caused produced a challenger",
        "the gate gave it a verdict on matured labels",
    ]


def test_request_needs_a_training_that_an_event_started(closed: Evidence) -> None:
    by_hand = without(closed, runs=[a_run(TRAIN, "2013-02-03")])
    assert "an alarm on real change produced a retrain request" in failing(by_hand)


def test_verdict_on_labels_that_had_not_matured_does_not_count(closed: Evidence) -> None:
    early = Version("2", "run-2", (), {}, ("2013-01-27", "2013-02-02"))
    found = failing(without(closed, versions=[closed.versions[0], early]))
    assert found == ["the gate gave it a verdict on matured labels"]


def test_labels_must_be_late_and_in_their_own_day(closed: Evidence, lake: Lake) -> None:
    import pyarrow as pa

    name = "labels arrived late and were joined to the right day"
    assert failing(without(closed, scored=scored_days(lake, []))) == [name]
    overwrite_partition(
        lake.table(LABELS_TABLE), "2013-02-02", pa.table({"flight_id": ["c"]}), token=9
    )
    days = scored_days(lake, [entry for entry in closed.entries if entry.model == LABELS_TABLE])
    assert [day.n_misplaced for day in days] == [1, 0]
    assert name in failing(without(closed, scored=days))


def test_predictions_and_labels_are_counted_day_by_day(closed: Evidence) -> None:
    first, second = closed.scored
    assert (first.day, first.n_predictions, first.n_labelled, first.n_late) == (
        *("2013-02-01", 3, 2),
        2,
    )
    assert (second.n_labelled, second.n_misplaced) == (0, 0)


def test_no_tables_no_days(tmp_path: Path, lake: Lake) -> None:
    import shutil

    assert scored_days(Lake(tmp_path / "nowhere"), []) == []
    shutil.rmtree(lake.root / LABELS_TABLE)
    assert [day.n_labelled for day in scored_days(lake, [])] == [0, 0]


def test_late_labels_are_what_later_ingestions_added(ledger: Ledger) -> None:
    assert late_labels(ledger.entries(history=True)) == {"2013-02-01": 2}


def test_report_is_plain_json_and_every_table_prints(closed: Evidence) -> None:
    report = json.loads(json.dumps(build_report(closed)))
    assert report["nights"] == ["2013-02-02", "2013-02-03"]
    assert report["datasets"][0]["n_quarantined"] == 1
    assert [row["cause"] for row in report["challengers"]] == ["first training", "drift"]
    console = Console(file=StringIO(), width=200)
    print_report(report, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "Nights replayed: 2 (2013-02-02 to 2013-02-03)",
        "temp 0.90 > 0.40",
        "dewp: too few rows",
        "not retrained",
        "2013-01-26 to 2013-02-01",
        "The loop has closed.",
    ):
        assert words in text


def test_report_of_nothing_prints_too() -> None:
    console = Console(file=StringIO(), width=200)
    print_report(build_report(Evidence()), console)
    assert "The loop is still open." in console.file.getvalue()  # type: ignore[attr-defined]


def test_markup_in_a_reason_is_shown_as_it_is(ledger: Ledger) -> None:
    ledger.record(
        model=MODEL,
        kind="decision",
        key="2013-02-04",
        evidence={"retrain": False, "reason": "column [bold] of x"},
    )
    console = Console(file=StringIO(), width=200)
    print_report(build_report(Evidence(entries=ledger.entries())), console)
    assert "column [bold] of x" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_versions_come_from_the_registry(tmp_path: Path, ledger: Ledger, lake: Lake) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert model_versions(tracking) == []
    client = tracking.client
    experiment = client.create_experiment(MODEL, artifact_location=(tmp_path / "a").as_uri())
    run = client.create_run(experiment, tags={"mlops.evaluation": "2013-01-23..2013-01-29"})
    client.create_registered_model(MODEL)
    source = (tmp_path / "a" / "model").as_uri()
    client.create_model_version(MODEL, source, run.info.run_id, tags={"mlops.verdict": "promote"})
    client.set_registered_model_alias(MODEL, "champion", "1")

    class Runs:
        def runs(self) -> list[DagRun]:
            return [a_run(DECIDE, "2013-02-02")]

    api: AirflowApi = Runs()  # type: ignore[assignment]
    evidence = collect(api, ledger, lake, tracking)
    (version,) = evidence.versions
    assert (version.version, version.aliases) == ("1", ("champion",))
    assert version.evaluation == ("2013-01-23", "2013-01-29")
    assert version.tags["mlops.verdict"] == "promote"
    assert evidence.nights == ["2013-02-02"]
    assert len(evidence.scored) == 2
