"""Operators: connections in, one call, plain JSON out, a summary in the log, evidence kept."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from mlops_airflow.assets import (
    dataset_asset,
    model_asset,
    predictions_asset,
    retrain_request_asset,
)
from mlops_airflow.links import MlflowModelVersionLink, MlflowRunLink, ReportLink
from mlops_airflow.operators.base import dag_run_name, key_of
from mlops_airflow.operators.decide import DecideRetrainingOperator, RequestRetrainingOperator
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.ingest import IngestPartitionOperator
from mlops_airflow.operators.monitor import (
    EstimatePerformanceOperator,
    MeasureDriftOperator,
    MeasurePerformanceOperator,
)
from mlops_airflow.operators.pin import PinTrainingDataOperator
from mlops_airflow.operators.promote import PromoteModelOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_airflow.summary import format_summary
from mlops_tasks.exceptions import EmptyPartitionError, SpecError, ValidationFailedError
from mlops_tasks.serialization import to_json
from mlops_tasks.specs import PerformanceSpec
from tests.unit.operators.conftest import context
from tests.unit.orders import ROWS_PER_DAY, day, project

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import DatasetSpec, ModelSpec
    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

DAY, NIGHT = day(0), day(17)


def run(operator: Any, key: str | None = DAY, **options: Any) -> Any:
    """Execute the operator and prove that what it returns survives XCom."""
    result = operator.execute(context(operator, key=key, **options))
    assert result is None or json.loads(json.dumps(result, allow_nan=False)) == _lists(result)
    return json.loads(json.dumps(result))


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value


class Log:
    """The summary blocks that the operators logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def take(self) -> str:
        """Return what was logged since the last call."""
        text, self.lines = "\n".join(self.lines), []
        return text


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()

    def collect(_: Any, title: str, facts: Any) -> None:
        log.lines += format_summary(title, facts)

    monkeypatch.setattr("mlops_airflow.operators.base.log_summary", collect)
    return log


@pytest.fixture
def orders(spec: ModelSpec) -> DatasetSpec:
    return spec.rows


def ingest(dataset: DatasetSpec, key: str = DAY, **options: Any) -> Any:
    raw = run(IngestPartitionOperator(task_id="ingest", dataset=dataset), key, **options)
    return run(
        ValidatePartitionOperator(task_id="validate", dataset=dataset, raw=raw), key, **options
    )


def announced(operator: Any, key: str = DAY, **options: Any) -> dict[str, Any]:
    """Execute the operator and return what its event tells, as Airflow's database would keep it."""
    run_context = context(operator, key=key, **options)
    operator.execute(run_context)
    (asset,) = operator.outlets
    extra = run_context["outlet_events"][asset].extra
    assert json.loads(json.dumps(extra, allow_nan=False)) == extra
    return dict(extra)


# --- what all share


@pytest.mark.parametrize("key", [None, ""])
def test_a_run_without_a_partition_fails_at_once_with_the_fix(key: str | None) -> None:
    with pytest.raises(AirflowFailException, match="trigger the Dag again with one, a day written"):
        key_of({"partition_key": key})  # type: ignore[typeddict-item]
    assert key_of({"partition_key": DAY}) == DAY  # type: ignore[typeddict-item]


def test_a_run_is_named_by_dag_and_run(spec: ModelSpec) -> None:
    operator = ScorePartitionOperator(task_id="score", model=spec)
    assert dag_run_name(context(operator, key=DAY)) == "late_orders.dag/manual__1"


def test_templates_are_the_outputs_of_other_tasks() -> None:
    assert ValidatePartitionOperator.template_fields == ("raw", "partition")
    assert set(PromoteModelOperator.template_fields) == {"pin", "registered", "verdict"}


# --- ingest and validate


def test_a_day_is_ingested_and_published(empty_stack: Any, orders: DatasetSpec, log: Log) -> None:
    lake, ledger, _, source = empty_stack
    source.add(0)
    evidence = ingest(orders)
    assert lake.table("orders").read(first=DAY, last=DAY).num_rows == ROWS_PER_DAY
    assert (evidence["n_rows_in"], evidence["n_validated"]) == (ROWS_PER_DAY, ROWS_PER_DAY)
    (entry,) = ledger.entries(kind="validation")
    assert (entry.model, entry.key, entry.evidence) == ("orders", DAY, evidence)
    text = log.take()
    assert f"── ingested orders {DAY}" in text
    assert f"{ROWS_PER_DAY} in, {ROWS_PER_DAY} published" in text
    assert "orders__raw version" in text


def test_bad_rows_are_told_with_their_reasons(
    empty_stack: Any, orders: DatasetSpec, log: Log
) -> None:
    source = empty_stack[3]
    source.add(0)
    source.run("UPDATE orders SET distance = -5 WHERE rowid <= 3")
    evidence = ingest(orders)
    assert (evidence["n_quarantined"], evidence["n_validated"]) == (3, ROWS_PER_DAY - 3)
    text = log.take()
    assert "3 in 'orders__quarantine'" in text
    assert "3 × expect_column_values_to_be_between:distance" in text


def test_the_same_content_from_another_run_emits_nothing(
    empty_stack: Any, orders: DatasetSpec, log: Log
) -> None:
    source = empty_stack[3]
    source.add(0)
    ingest(orders, run="scheduled__1")
    with pytest.raises(AirflowSkipException, match=f"{DAY} is unchanged"):
        ingest(orders, run="refresh__1")
    assert "no, the same content was published before" in log.take()
    source.run("UPDATE orders SET items = 8 WHERE rowid = 1")
    assert ingest(orders, run="refresh__2")["n_validated"] == ROWS_PER_DAY


def test_the_event_of_a_day_names_exactly_what_was_published(
    empty_stack: Any, orders: DatasetSpec
) -> None:
    lake, _, _, source = empty_stack
    source.add(0)
    raw = run(IngestPartitionOperator(task_id="ingest", dataset=orders))
    outlets = [dataset_asset(orders)]
    validate = ValidatePartitionOperator(
        task_id="validate", dataset=orders, raw=raw, outlets=outlets
    )
    extra = announced(validate)
    (commit,) = lake.table("orders").commits(first=DAY, last=DAY)
    assert extra == {
        "table": "orders",
        "partition": DAY,
        "version": commit.version,
        "n_rows": commit.n_rows,
        "digest": commit.digest,
        "known_at": DAY,
        "known_by": "assumed",
        "committed_at": commit.committed_at,
    }
    assert len(extra["digest"]) == 64


def test_a_retry_of_the_run_that_published_emits_again(
    empty_stack: Any, orders: DatasetSpec
) -> None:
    """Its first attempt may have been killed after publishing and before the event."""
    empty_stack[3].add(0)
    first = ingest(orders, run="scheduled__1")
    assert ingest(orders, run="scheduled__1")["digest"] == first["digest"]


def test_a_lost_ledger_stops_no_day(empty_stack: Any, orders: DatasetSpec, tmp_path: Path) -> None:
    lake, ledger, _, source = empty_stack
    source.add(0)
    for _ in range(3):
        ingest(orders, run="scheduled__1")
    (tmp_path / "ledger.db").unlink()
    source.run("UPDATE orders SET items = 8 WHERE rowid = 1")
    assert ingest(orders, run="scheduled__2")["n_validated"] == ROWS_PER_DAY
    for table in ("orders__raw", "orders"):
        tokens = [commit.token for commit in lake.table(table).all_commits()]
        assert tokens == sorted(tokens)
        assert tokens[-1] > 1_000_000, "also above those that the lost one has given meanwhile"
    (entry,) = ledger.entries(kind="validation")
    assert entry.dag_run == "late_orders.dag/scheduled__2"


def test_a_ledger_from_an_older_backup_stops_no_day(
    empty_stack: Any, orders: DatasetSpec, tmp_path: Path
) -> None:
    source = empty_stack[3]
    source.add(0)
    ingest(orders)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    for _ in range(3):
        ingest(orders)
    shutil.copy(tmp_path / "backup.db", tmp_path / "ledger.db")
    assert ingest(orders)["n_validated"] == ROWS_PER_DAY


def test_a_refused_day_leaves_the_table_alone_and_is_written_down(
    empty_stack: Any, orders: DatasetSpec
) -> None:
    lake, ledger, _, source = empty_stack
    source.add(0)
    ingest(orders)
    before = lake.table("orders").version
    source.run("UPDATE orders SET distance = -5")
    with pytest.raises(ValidationFailedError, match="80 of 80 rows are bad"):
        ingest(orders, run="again")
    source.run("DELETE FROM orders")
    with pytest.raises(EmptyPartitionError):
        ingest(orders, run="again")
    assert lake.table("orders").version == before
    (published, refused) = ledger.entries(history=True)
    assert (published.kind, refused.kind) == ("validation", "refusal")
    assert "80 of 80 rows are bad" in refused.evidence["reason"]


# --- train, evaluate, register, promote


def steps(spec: ModelSpec, key: str | None, **params: Any) -> dict[str, Any]:
    """Run the tasks of the train Dag and return what each of them returned."""
    done: dict[str, Any] = {}
    done["pin"] = run(PinTrainingDataOperator(task_id="pin", model=spec), key, **params)
    train = TrainModelOperator(task_id="train", model=spec, pin=done["pin"])
    done["trained"] = run(train, key)
    evaluate = EvaluateModelOperator(
        task_id="evaluate", model=spec, pin=done["pin"], trained=done["trained"]
    )
    done["verdict"] = run(evaluate, key)
    register = RegisterModelOperator(
        task_id="register", model=spec, trained=done["trained"], verdict=done["verdict"]
    )
    done["registered"] = run(register, key)
    promote = PromoteModelOperator(
        task_id="promote",
        model=spec,
        pin=done["pin"],
        registered=done["registered"],
        verdict=done["verdict"],
    )
    done["operators"] = (train, evaluate, register, promote)
    try:
        done["promoted"] = run(promote, key)
    except AirflowSkipException as error:
        done["skipped"] = str(error)
    return done


def test_a_training_from_pin_to_verdict(stack: Stack, log: Log) -> None:
    """The same kind of model on two more days is no better: the champion stays, in writing."""
    world, _ = stack
    done = steps(world.spec, NIGHT, train="8d")
    assert done["pin"]["as_of"] == NIGHT
    assert done["registered"]["version"] == "2"
    assert done["verdict"]["champion_version"] == "1"
    assert done["verdict"]["verdict"] == "keep"
    assert done["skipped"] == f"not promoted because {done['verdict']['reason']}"
    newest = world.ledger.entries(model="late_orders", kind="verdict")[-1]
    assert newest.key == NIGHT
    assert newest.evidence == done["verdict"] | {"run_id": done["trained"]["run_id"]}
    assert newest.evidence["assumed"] == {}
    tags = world.tracking.by_version("late_orders", "2").tags
    assert tags["airflow.task_id"] == "register"
    text = log.take()
    for part in (
        f"── pinned late_orders as of {NIGHT}",
        f"── trained late_orders as of {NIGHT}",
        "verdict     KEEP",
        "/mlops/reports/late_orders__gate/",
        "── registered late_orders version 2",
        "── did not promote late_orders version 2",
    ):
        assert part in text


def test_too_few_rows_to_tell_promote_nothing_and_say_so(stack: Stack, log: Log) -> None:
    world, _ = stack
    gate = world.spec.gate.model_copy(update={"min_class_rows": 10_000})
    done = steps(world.spec.model_copy(update={"gate": gate}), NIGHT)
    assert done["verdict"]["verdict"] == "cannot_tell"
    assert "rows are too few to tell; the gate needs at least 10000 of each" in done["skipped"]
    newest = world.ledger.entries(model="late_orders", kind="verdict")[-1]
    assert newest.evidence["verdict"] == "cannot_tell"
    assert world.tracking.by_version("late_orders", "2").tags["mlops.verdict"] == "cannot_tell"
    champion = world.ledger.champion("late_orders")
    assert champion is not None
    assert champion.version == "1"
    assert "verdict     CANNOT_TELL" in log.take()


def test_every_task_has_its_page(stack: Stack) -> None:
    world, _ = stack
    train, evaluate, register, promote = steps(world.spec, NIGHT)["operators"]
    assert [type(link) for link in train.operator_extra_links] == [MlflowRunLink]
    assert [type(link) for link in evaluate.operator_extra_links] == [MlflowRunLink, ReportLink]
    address = ReportLink().get_link(evaluate, ti_key=None)
    assert re.search(rf"/mlops/reports/late_orders__gate/{NIGHT}/\d+$", address)
    for operator in (train, evaluate):
        assert "/runs/" in MlflowRunLink().get_link(operator, ti_key=None)
    for operator in (register, promote):
        assert "/models/late_orders/versions/2" in MlflowModelVersionLink().get_link(
            operator, ti_key=None
        )


def test_a_first_champion_is_promoted(stack: Stack, log: Log, tmp_path: Path) -> None:
    world, _ = stack
    spec = project(tmp_path / "other", name="other_orders")
    world.tracking.client.create_experiment(
        "other_orders", artifact_location=str(tmp_path / "artifacts")
    )
    done = steps(spec, NIGHT)
    assert done["promoted"] == {"name": "other_orders", "version": "1"}
    champion = world.ledger.champion("other_orders")
    assert champion is not None
    assert champion.version == "1"
    text = log.take()
    assert "── promoted other_orders version 1" in text
    assert "before    none" in text


def test_the_event_of_a_promotion_names_version_and_pins(stack: Stack, tmp_path: Path) -> None:
    world, _ = stack
    promote = PromoteModelOperator(
        task_id="promote",
        model=world.spec,
        pin=to_json(world.pin),
        registered=to_json(world.champion),
        verdict=to_json(world.verdict),
        outlets=[model_asset(world.spec)],
    )
    extra = announced(promote)
    told = ("table", "version", "n_rows", "digest", "first", "last")
    pins = [{name: getattr(pin, name) for name in told} for pin in world.pin.pins]
    assert extra.pop("pins") == pins
    assert extra == {
        "name": "late_orders",
        "version": "1",
        "run_id": world.trained.run_id,
        "digest": world.trained.digest,
        "as_of": world.as_of,
    }


def test_the_form_wins_over_the_partition_key(stack: Stack) -> None:
    world, _ = stack
    pin = PinTrainingDataOperator(task_id="pin", model=world.spec)
    found = run(pin, None, as_of=day(12), train="3d", evaluation="2d")
    assert found["as_of"] == day(12)
    assert found["train"] == [day(6), day(8)]
    assert found["evaluation"] == [day(9), day(10)]
    with pytest.raises(SpecError, match="is not a day"):
        run(pin, None, as_of="last night")


def test_an_empty_form_trains_as_of_the_day_of_the_run(stack: Stack) -> None:
    """Of the run and not of the attempt, which may be after midnight; by the clock of the data."""
    world, _ = stack
    pin = PinTrainingDataOperator(task_id="pin", model=world.spec)
    for as_of in (None, ""):
        given = context(pin, key=None, as_of=as_of)
        given["dag_run"].run_after = datetime(2024, 3, 18, 23, 30, tzinfo=UTC)
        assert pin.execute(given)["as_of"] == "2024-03-18"
    key = context(pin, key=day(15))
    assert pin.execute(key)["as_of"] == day(15)


def test_a_run_without_a_key_says_where_it_is_written(stack: Stack) -> None:
    world, _ = stack
    with pytest.raises(AirflowFailException, match=r"no partition key.* below Advanced Options"):
        run(ScorePartitionOperator(task_id="score", model=world.spec), None)


# --- score, drift, monitor


def test_a_day_is_scored_and_compared(stack: Stack, log: Log) -> None:
    world, _ = stack
    score = ScorePartitionOperator(task_id="score", model=world.spec)
    scored = [run(score, day(number)) for number in (15, 16, 17)][-1]
    assert (scored["model_version"], scored["predictions"]["n_rows"]) == ("1", ROWS_PER_DAY)
    assert "/versions/1" in score.mlflow_version_url
    assert "version 1, files" in log.take()
    drift_task = MeasureDriftOperator(task_id="drift", model=world.spec, scored=scored)
    drift = run(drift_task, day(17))
    (entry,) = world.ledger.entries(kind="drift")
    assert (entry.key, entry.evidence) == (day(17), drift)
    text = log.take()
    assert "ok     speed: " in text
    assert "/mlops/reports/late_orders__predictions/" in drift_task.report_url
    assert "late_orders.decide weighs this" in text
    monitor = MeasurePerformanceOperator(task_id="monitor", model=world.spec)
    measured = run(monitor, day(17))
    (entry,) = world.ledger.entries(kind="performance")
    assert entry.evidence == measured
    assert measured["coverage"] == 1.0
    (entry,) = world.ledger.entries(kind="labels")
    assert (entry.key, [check["name"] for check in entry.evidence["checks"]]) == (
        day(17),
        ["label"],
    )
    text = log.take()
    assert "100.0% of the last day" in text
    assert "ok     label share " in text
    assert "/mlops/reports/late_orders__labels/" in monitor.report_url


def test_a_scored_day_is_estimated_and_judged_once_its_labels_are_there(
    stack: Stack, log: Log
) -> None:
    world, _ = stack
    limits = PerformanceSpec(window="1d", max_window="1d", min_rows=50)
    spec = world.spec.model_copy(update={"performance": limits})
    score = ScorePartitionOperator(task_id="score", model=spec)
    # The version has learnt until day 8: what it predicts of the days since is calibrated on.
    for number in range(9, 18):
        scored = run(score, day(number))
    log.take()
    task = EstimatePerformanceOperator(task_id="estimate", model=spec, scored=scored)
    estimate = run(task, day(17))
    (entry,) = world.ledger.entries(kind="estimate")
    assert (entry.key, entry.evidence) == (day(17), estimate)
    (check,) = estimate["checks"]
    assert check["name"] == "roc_auc"
    assert check["lower"] < check["upper"]
    text = log.take()
    assert "estimated performance of late_orders" in text
    assert "estimate is blind to concept change" in text
    assert run(task, day(17)) == estimate
    assert len(world.ledger.entries(kind="estimate", history=True)) == 1
    run(MeasurePerformanceOperator(task_id="monitor", model=spec), day(17))
    (entry,) = world.ledger.entries(kind="estimate_outcome")
    (judged,) = entry.evidence["checks"]
    assert (judged["lower"], judged["upper"]) == (check["lower"], check["upper"])
    assert "the interval estimated before labels has " in log.take()


def test_the_event_of_a_scored_day_names_predictions_and_version(stack: Stack) -> None:
    world, _ = stack
    score = ScorePartitionOperator(
        task_id="score", model=world.spec, outlets=[predictions_asset(world.spec)]
    )
    extra = announced(score, day(15))
    table = world.spec.predictions_table
    (commit,) = world.lake.table(table).commits(first=day(15), last=day(15))
    assert extra == {
        "table": table,
        "partition": day(15),
        "version": commit.version,
        "n_rows": ROWS_PER_DAY,
        "digest": commit.digest,
        "known_at": commit.known_at,
        "known_by": "committed",
        "committed_at": commit.committed_at,
        "model_version": "1",
    }


def test_before_the_first_champion_nothing_is_scored(empty_stack: Any, spec: ModelSpec) -> None:
    with pytest.raises(AirflowSkipException, match=r"no champion yet.*late_orders\.train"):
        run(ScorePartitionOperator(task_id="score", model=spec))
    assert not empty_stack[0].exists(spec.predictions_table)


def test_a_day_that_was_never_scored_is_not_measured(stack: Stack) -> None:
    world, _ = stack
    with pytest.raises(AirflowSkipException, match="was never scored"):
        run(MeasurePerformanceOperator(task_id="monitor", model=world.spec), day(3))
    assert world.ledger.entries(kind="performance") == []
    assert world.ledger.entries(kind="labels") == []


# --- decide


def decide(spec: ModelSpec, night: str) -> tuple[Any, Any]:
    decision = run(DecideRetrainingOperator(task_id="decide", model=spec), night)
    request = RequestRetrainingOperator(task_id="request", model=spec, decision=decision)
    return decision, request


def written(ledger: Ledger) -> list[Any]:
    return [entry.evidence for entry in ledger.entries(kind="decision")]


def test_without_a_champion_a_training_is_asked_for(
    empty_stack: Any, spec: ModelSpec, log: Log
) -> None:
    decision, request = decide(spec, NIGHT)
    assert (decision["retrain"], decision["cause"]) == (True, "no_champion")
    assert written(empty_stack[1]) == [decision]
    text = log.take()
    assert "RETRAIN" in text
    assert f"late_orders.train as of {NIGHT}" in text
    run_context = context(request, key=NIGHT)
    request.execute(run_context)
    event = run_context["outlet_events"][retrain_request_asset(spec)]
    assert event.extra == {"cause": "no_champion", "reason": "there is no champion yet"}


def test_that_nobody_can_tell_is_written_down_and_asks_for_nothing(stack: Stack, log: Log) -> None:
    world, _ = stack
    decision, request = decide(world.spec, NIGHT)
    assert (decision["retrain"], decision["cause"]) == (False, "cannot_tell")
    assert written(world.ledger) == [decision]
    assert "CANNOT TELL, not retrained" in log.take()
    run_context = context(request, key=NIGHT)
    with pytest.raises(AirflowSkipException, match="cannot tell because version 1: "):
        request.execute(run_context)
    assert len(run_context["outlet_events"]) == 0


def test_alarms_of_the_champion_ask_for_a_training(stack: Stack) -> None:
    world, _ = stack
    alarm = {"name": "roc_auc", "value": 0.5, "threshold": 0.7, "alarm": True, "text": "AUC fell"}
    for number in (15, 16):
        window = {"first": day(number), "last": day(number), "n_rows": 9}
        evidence = window | {"model_version": "1", "checks": [alarm]}
        world.ledger.record(
            model="late_orders", kind="performance", key=day(number), evidence=evidence
        )
    decision, _ = decide(world.spec, NIGHT)
    assert (decision["retrain"], decision["cause"]) == (True, "performance")
    assert "AUC fell" in decision["reason"]


def test_an_operator_returns_what_its_step_found(stack: Stack) -> None:
    world, _ = stack
    pin = PinTrainingDataOperator(task_id="pin", model=world.spec)
    found = run(pin, world.as_of)
    assert found == json.loads(json.dumps(to_json(world.pin)))
