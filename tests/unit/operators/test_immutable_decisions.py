"""What was decided stays: a repeated night adds a note, a verdict its own, a check a correction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mlops_airflow.assets import retrain_request_asset
from mlops_airflow.operators.decide import DecideRetrainingOperator, RequestRetrainingOperator
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.monitor import MeasurePerformanceOperator
from mlops_tasks.exceptions import PreregistrationError
from mlops_tasks.lake import overwrite_partition
from mlops_tasks.registry.artifacts import GATE_REPORT
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.pin import pin_training_data
from mlops_tasks.steps.promote import promote
from mlops_tasks.steps.register import register
from mlops_tasks.steps.score import score
from mlops_tasks.steps.train import train
from tests.unit.operators.conftest import context
from tests.unit.orders import day, rows_of

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import LedgerEntry
    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

NIGHT = day(17)
ALARM = {"name": "roc_auc", "value": 0.5, "threshold": 0.7, "alarm": True, "text": "AUC fell"}


def decide(world: World, night: str = NIGHT, *, run: str = "manual__1") -> dict[str, Any]:
    operator = DecideRetrainingOperator(task_id="decide", model=world.spec)
    return plain(operator.execute(context(operator, key=night, run=run)))


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


def alarm(world: World, *numbers: int, version: str = "1", **more: Any) -> None:
    for number in numbers:
        window = {"first": day(number), "last": day(number), "n_rows": 9}
        evidence = window | {"model_version": version, "checks": [ALARM], **more}
        world.ledger.record(
            model="late_orders", kind="performance", key=day(number), evidence=evidence
        )


def entries(world: World, kind: str) -> list[LedgerEntry]:
    return world.ledger.entries(model="late_orders", kind=kind, history=True)


def promoted(world: World, version: str, night: str) -> None:
    """Make a version the champion as of a night, in the ledger alone."""
    before = world.ledger.champion("late_orders")
    assert before is not None
    world.ledger.promote(
        "late_orders", version=version, generation=before.generation, key=night, evidence={}
    )


# --- decisions


def test_a_repeated_night_gets_a_note_beside_its_decision(stack: Stack) -> None:
    world, _ = stack
    then = decide(world)
    assert not then["retrain"]
    alarm(world, 15, 16)
    assert decide(world, run="manual__2") == then
    assert [entry.evidence for entry in entries(world, "decision")] == [then]
    (note,) = entries(world, "decision_note")
    assert (note.key, note.dag_run) == (NIGHT, "late_orders.dag/manual__2")
    assert note.evidence["then"] == then
    assert note.evidence["now"]["cause"] == "performance"
    assert note.evidence["same"] is False
    assert note.evidence["text"].startswith("decided was: cannot tell because version 1: 2 d")
    assert "today: retrain (performance): performance alarmed on 2" in note.evidence["text"]


def test_a_repeated_night_that_would_be_decided_the_same_says_so(stack: Stack) -> None:
    world, _ = stack
    assert decide(world) == decide(world, run="backfill__1")
    (note,) = entries(world, "decision_note")
    assert note.evidence["same"] is True
    assert note.evidence["text"].startswith("today it would be the same: cannot tell ")


def test_a_killed_attempt_that_is_retried_needs_no_note(stack: Stack) -> None:
    world, _ = stack
    assert decide(world) == decide(world)
    assert entries(world, "decision_note") == []
    assert len(entries(world, "decision")) == 1


def test_the_log_of_a_repeated_night_says_both(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = stack
    decide(world)
    alarm(world, 15, 16)
    said: dict[str, Any] = {}
    monkeypatch.setattr(
        "mlops_airflow.operators.base.log_summary", lambda _, __, facts: said.update(facts)
    )
    decide(world, run="manual__2")
    assert said["decision"] == "CANNOT TELL, not retrained"
    assert said["absent"] == [
        "2 days of late_orders are not scored: 2024-03-17, 2024-03-18, 160 rows wait"
    ]
    assert said["decided"].endswith("UTC by late_orders.dag/manual__1")
    assert "today: retrain (performance)" in said["note"]


def test_the_past_is_judged_with_the_champion_of_that_night(stack: Stack) -> None:
    """Version 1 was champion on the night, and alarmed; version 2 came two nights later."""
    world, _ = stack
    alarm(world, 15, 16)
    promoted(world, "2", day(19))
    found = decide(world)
    assert (found["retrain"], found["cause"]) == (True, "performance")
    assert found["evidence"]["champion_version"] == "1"
    later = decide(world, day(19))
    assert (later["cause"], later["evidence"]["champion_version"]) == ("cannot_tell", "2")


def test_a_champion_of_a_training_of_the_past_was_none_then(stack: Stack) -> None:
    world, _ = stack
    decide(world, day(20))
    promoted(world, "2", day(16))  # as of an old night, promoted after a newer one was decided
    assert decide(world)["evidence"]["champion_version"] == "1"
    assert decide(world, day(21))["evidence"]["champion_version"] == "2"


def test_before_the_first_champion_the_past_cannot_be_told(stack: Stack) -> None:
    world, _ = stack
    found = decide(world, day(10))
    assert (found["retrain"], found["cause"]) == (False, "cannot_tell")
    assert f"no version is known to have been champion on {day(10)}" in found["reason"]


def test_evidence_counts_from_the_night_by_which_it_was_known(stack: Stack) -> None:
    world, _ = stack
    alarm(world, 15, 16, known_at=day(18))
    assert decide(world)["cause"] == "cannot_tell"
    assert decide(world, day(18))["cause"] == "performance"


def test_a_correction_counts_from_the_night_by_which_it_was_known(stack: Stack) -> None:
    world, _ = stack
    alarm(world, 15, 16, known_at=day(17))
    (*_, loud) = entries(world, "performance")
    quiet = loud.evidence | {"checks": [ALARM | {"alarm": False}], "known_at": day(20)}
    world.ledger.record(model="late_orders", kind="performance", key=day(16), evidence=quiet)
    assert decide(world)["cause"] == "performance"
    assert decide(world, day(20))["cause"] == "cannot_tell"


# --- the request


def request(world: World, decision: dict[str, Any], *events: Any) -> Any:
    operator = RequestRetrainingOperator(task_id="request", model=world.spec, decision=decision)
    given = context(operator, key=NIGHT)
    asset = retrain_request_asset(world.spec)
    given["inlet_events"][asset] = list(events)
    operator.execute(given)
    return given["outlet_events"][asset]


def emitted(key: str) -> Any:
    return SimpleNamespace(partition_key=key, timestamp=datetime(2024, 3, 18, 3, tzinfo=UTC))


def test_a_night_asks_for_one_training(stack: Stack) -> None:
    world, _ = stack
    alarm(world, 15, 16)
    decision = decide(world)
    assert request(world, decision, emitted(day(16))).extra["cause"] == "performance"
    with pytest.raises(AirflowSkipException, match=f"as of {NIGHT} was requested at 2024-03-18 03"):
        request(world, decide(world, run="manual__2"), emitted(day(16)), emitted(NIGHT))


# --- verdicts


def evaluated(world: World, pin: Any, trained: Any, *, run: str = "manual__1") -> dict[str, Any]:
    operator = EvaluateModelOperator(
        task_id="evaluate", model=world.spec, pin=to_json(pin), trained=to_json(trained)
    )
    return plain(operator.execute(context(operator, key=pin.as_of, run=run)))


def test_a_model_is_judged_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated task returns the verdict it gave, also when its model is champion by now."""
    world, _ = stack
    pin = pin_training_data(world.spec, NIGHT, lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    first = evaluated(world, pin, trained)
    assert first["champion_version"] == "1"
    promoted(world, "2", NIGHT)
    monkeypatch.setattr("mlops_airflow.operators.evaluate.evaluate", None)
    assert evaluated(world, pin, trained, run="manual__2") == first
    assert len(entries(world, "verdict")) == 1


def test_another_training_as_of_the_night_adds_its_verdict(stack: Stack) -> None:
    world, _ = stack
    pin = pin_training_data(world.spec, NIGHT, lake=world.lake)
    runs = []
    for _ in range(2):
        trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
        evaluated(world, pin, trained)
        runs.append(trained.run_id)
    assert [entry.evidence["run_id"] for entry in entries(world, "verdict")] == runs


def test_a_training_of_the_past_changes_no_champion(stack: Stack) -> None:
    """It is compared with the champion of that night; today's has seen the window."""
    world, _ = stack
    pin = pin_training_data(world.spec, world.as_of, lake=world.lake)
    evaluation = pin.evaluation
    later = replace(pin, train=(pin.train[0], evaluation[1]), evaluation=(day(17), day(17)))
    trained = train(world.spec, later, lake=world.lake, tracking=world.tracking)
    stores: Any = {"tracking": world.tracking, "ledger": world.ledger}
    version = register(world.spec.name, trained, world.verdict, **stores)
    newer = replace(world.verdict, champion_version="1", champion_generation=1)
    assert promote(version, newer, as_of=day(18), **stores)
    again = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    verdict = evaluated(world, pin, again)
    assert verdict["champion_version"] == "1"
    assert verdict["verdict"] == "keep"


def test_a_better_model_of_the_past_says_why_it_is_not_promoted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = stack
    promoted(world, "1000", day(18))
    current = SimpleNamespace(version="1000")
    monkeypatch.setattr(EvaluateModelOperator, "champion", lambda *_: current)
    better = replace(world.verdict, verdict="promote", champion_version="1")
    rivals = []

    def judge(*given: Any, **_: Any) -> Any:
        rivals.append(given[3].version)
        return better

    monkeypatch.setattr("mlops_tasks.steps.evaluate.judge", judge)
    monkeypatch.setattr("mlops_tasks.steps.evaluate.further_criteria", lambda *_, **__: [])
    found = evaluated(world, world.pin, replace(world.trained, run_id=world.trained.run_id))
    assert rivals == ["1"]
    assert found["verdict"] == "keep"
    assert f"version 1000 has become champion since {world.as_of}" in found["reason"]
    report = world.tracking.read_json(world.trained.run_id, GATE_REPORT)
    assert report["verdict"]["verdict"] == "keep", "the report says what the ledger says"
    assert report["verdict"]["reason"] == found["reason"]


def test_a_gate_is_registered_before_anything_is_scored_and_not_changed_after(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt that scored was killed; the spec is softened, and the task started again."""
    world, _ = stack
    pin = pin_training_data(world.spec, NIGHT, lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mlops_tasks.steps.evaluate.judge", killed)
        with pytest.raises(KeyboardInterrupt):
            evaluated(world, pin, trained)
    assert not entries(world, "verdict")
    (registered,) = entries(world, "preregistration")
    assert registered.key == f"{NIGHT}/{trained.run_id}"
    assert registered.evidence["pins"] == {one.table: one.digest for one in pin.pins}
    assert "digest" in registered.evidence

    gate = world.spec.gate.model_copy(update={"non_inferiority": {"log_loss": 9.0}})
    softer = world.spec.model_copy(update={"gate": gate})
    operator = EvaluateModelOperator(
        task_id="evaluate", model=softer, pin=to_json(pin), trained=to_json(trained)
    )
    with pytest.raises(PreregistrationError, match="margins differs"):
        operator.execute(context(operator, key=pin.as_of))
    assert not entries(world, "verdict")
    verdict = evaluated(world, pin, trained)
    assert verdict["plan"] == registered.evidence["digest"]
    assert len(entries(world, "preregistration")) == 1
    report = world.tracking.read_bytes(trained.run_id, GATE_REPORT)
    assert verdict["artifacts"][GATE_REPORT] == hashlib.sha256(report).hexdigest()


def test_of_two_evaluations_that_overlap_the_first_verdict_stands(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one has seen no verdict when it began, and measured other milliseconds."""
    world, _ = stack
    pin = pin_training_data(world.spec, NIGHT, lake=world.lake)
    trained = train(world.spec, pin, lake=world.lake, tracking=world.tracking)
    first: list[dict[str, Any]] = []
    evaluate = EvaluateModelOperator._evaluate

    def overtaken(self: EvaluateModelOperator, *given: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(EvaluateModelOperator, "_evaluate", evaluate)
            first.append(evaluated(world, pin, trained))
        return evaluate(self, *given)

    monkeypatch.setattr(EvaluateModelOperator, "_evaluate", overtaken)
    found = evaluated(world, pin, trained)
    assert found == first[0]
    assert [one.evidence["artifacts"] for one in entries(world, "verdict")] == [found["artifacts"]]
    version = replace(world.champion, run_id=trained.run_id, artifacts=found["artifacts"])
    world.tracking.read_artifact(version, GATE_REPORT)  # raises unless it is the one decided on


# --- monitoring


def measured(world: World, *, run: str) -> dict[str, Any]:
    operator = MeasurePerformanceOperator(task_id="monitor", model=world.spec)
    return plain(operator.execute(context(operator, key=NIGHT, run=run)))


def test_late_labels_correct_and_replace_nothing(stack: Stack) -> None:
    world, _ = stack
    for number in (15, 16, 17):
        score(
            world.spec,
            day(number),
            world.champion,
            lake=world.lake,
            tracking=world.tracking,
            token=2**41,
        )
    known = max(
        commit.known_at
        for commit in world.lake.table("deliveries").commits(first=day(15), last=day(17))
    )
    first = measured(world, run="asset__1")
    assert (first["known_at"], first["corrects"]) == (max(known, NIGHT), None)
    assert measured(world, run="asset__2") == first, "the same again is no news"
    labels = rows_of(17)["deliveries"].slice(0, 60)
    overwrite_partition(
        world.lake.table("deliveries"), day(17), labels, token=2**42, known_at="2030-01-01"
    )
    second = measured(world, run="asset__3")
    told = entries(world, "performance")
    assert [entry.evidence for entry in told] == [first, second]
    assert (second["known_at"], second["corrects"]) == ("2030-01-01", told[0].seq)
    assert len(entries(world, "labels")) == 2
