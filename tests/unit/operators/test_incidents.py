"""Incidents from both sides: the clock that misses what is not there, and tasks that fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.notifications.callbacks import cause_of, report_failure, report_success
from mlops_airflow.operators.decide import DecideRetrainingOperator
from mlops_airflow.operators.incidents import WatchIncidentsOperator
from mlops_tasks.exceptions import FeatureError
from mlops_tasks.policy.incidents import Alarm, Cause, IncidentBook
from mlops_tasks.registry.aliases import AliasMove
from mlops_tasks.serialization import to_json
from mlops_tasks.steps.score import score
from tests.unit.notifications import servers
from tests.unit.operators.conftest import context
from tests.unit.orders import day

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlops_tasks.specs import ModelSpec
    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

NIGHT = day(17)
MODEL = "late_orders"


@pytest.fixture
def mails(connect: Callable[..., None]) -> Iterator[servers.MailServer]:
    with servers.mail_server() as server:
        connect("ops_mail", **server.connection)
        yield server


@pytest.fixture
def now(freeze_today: Callable[..., None]) -> Callable[[int], None]:
    """Let it be the morning after a day, so that its decision is about the present."""
    return lambda number: freeze_today(f"{day(number + 1)}T03:00:00")


def told_by(world: World, **changes: Any) -> ModelSpec:
    return world.spec.model_copy(update={"notify": ("ops_mail",), **changes})


def watch(model: ModelSpec, night: str = NIGHT, run: str = "scheduled__1") -> dict[str, Any]:
    decide = DecideRetrainingOperator(task_id="decide", model=model)
    decision = decide.execute(context(decide, key=night, run=run))
    operator = WatchIncidentsOperator(task_id="incidents", model=model, decision=decision)
    return operator.execute(context(operator, key=night, run=run))


def the(world: World, cause: Cause = Cause.SCORING, subject: str = MODEL) -> Any:
    return IncidentBook(world.ledger).newest(subject).get(cause)


def score_day(world: World, number: int) -> None:
    stores = {"lake": world.lake, "tracking": world.tracking}
    token = world.ledger.next_token()
    score(world.spec, day(number), world.champion, token=token, **stores)


# --- the clock


def test_what_nobody_scored_opens_once_tells_once_and_closes(
    stack: Stack, mails: servers.MailServer, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    model = told_by(world)
    first = watch(model)
    assert f"{MODEL}/scoring/1" in first["changed"]
    incident = the(world)
    assert incident.impact == "2 days unscored, 160 rows"
    assert incident.because.startswith("2 days of late_orders are not scored: 2024-03-17")
    assert incident.fix.startswith("look at the run of late_orders.score for 2024-03-18")
    sent = len(mails.mails)
    assert [t for t in mails.texts() if t.startswith("[Incident] late_orders: not scored")]
    again = watch(model, run="scheduled__2")
    assert again["told"] == []
    assert len(mails.mails) == sent
    for number in (16, 17):
        score_day(world, number)
    watch(model, run="scheduled__3")
    over = the(world)
    assert (over.state, over.closed_by) == ("closed", "clock")
    assert over.ended == "as of 2024-03-18 nothing of it is missing any more"
    assert sum(t.startswith("[Closed] late_orders: not scored") for t in mails.texts()) == 1
    assert len(mails.mails) > sent


def test_a_message_that_failed_is_sent_by_the_next_clock(
    stack: Stack, mails: servers.MailServer, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    model, mails.refuse = told_by(world), True
    first = watch(model)
    assert first["told"]
    assert all(
        "attempt 1 failed" in line and "SMTPDataError: 451" in line for line in first["told"]
    )
    mails.refuse = False
    second = watch(model, run="scheduled__2")
    assert second["changed"] == []
    assert len(second["told"]) == len(first["told"]) == len(mails.mails)


def test_nobody_is_told_of_a_past_that_is_played_again(
    stack: Stack, mails: servers.MailServer
) -> None:
    world, _ = stack
    assert watch(told_by(world))["told"] == []
    assert mails.mails == []
    assert not the(world).live


def test_a_partition_that_is_worth_no_look_any_more_stays_until_it_is_there(
    stack: Stack, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    watch(world.spec)
    later = day(60)
    now(60)
    watch(world.spec, later, run="scheduled__2")
    assert the(world).is_open, "the clock looks back two weeks, and the days are still unscored"
    assert day(17) in the(world).partitions


def test_past_its_deadline_a_model_has_an_incident_of_its_own(
    stack: Stack, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    watch(told_by(world, notify=(), deadline=world.spec.evaluation))
    late = the(world, Cause.DEADLINE)
    assert late.impact == "2 days late"
    assert late.because == "predictions are due 4 days after the rows (deadline of the spec)"
    for number in (16, 17):
        score_day(world, number)
    watch(told_by(world, notify=(), deadline=world.spec.evaluation), run="scheduled__2")
    assert not the(world, Cause.DEADLINE).is_open


def test_an_alias_that_was_moved_is_an_incident_until_a_person_has_put_it_right(
    stack: Stack, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    move = AliasMove("champion", "7", "1")
    about = {"model": MODEL, "kind": "alias_move", "key": "champion"}
    world.ledger.record(**about, evidence=to_json(move))
    watch(world.spec)
    found = the(world, Cause.ALIASES)
    assert "points at version 7 in MLflow; by the ledger it is version 1" in found.because
    assert f"mlops ledger aliases {MODEL} --undo" in found.fix
    world.ledger.record(**about, evidence=to_json(replace(move, state="undone")))
    watch(world.spec, run="scheduled__2")
    assert the(world, Cause.ALIASES).ended == "all aliases are where the ledger says"


# --- tasks


def ended(
    model: ModelSpec,
    task: str,
    key: str = NIGHT,
    *,
    error: BaseException | None = None,
    run: str = "asset_triggered__1",
) -> Any:
    dag_id, _, task_id = task.partition("/")
    operator = SimpleNamespace(model=model, owner=model.owner, task_id=task_id, inlets=())
    made = context(operator, key=key, run=run)
    made["ti"].dag_id, made["ti"].task = dag_id, operator
    made["dag_run"] = SimpleNamespace(partition_key=key, run_after=datetime.now(UTC))
    return made | ({"exception": error} if error else {})


def test_a_task_that_failed_for_good_opens_at_once_and_its_success_closes(
    stack: Stack, mails: servers.MailServer
) -> None:
    world, _ = stack
    model, task = told_by(world, owner="ops"), f"{MODEL}.score/score"
    error = FeatureError("column 'shop' is not there;\n  add it to features.sql")
    report_failure(ended(model, task, error=error))
    incident = the(world)
    assert incident.impact == "1 day unscored"
    assert incident.because == ("FeatureError: column 'shop' is not there; add it to features.sql")
    assert incident.fix == (
        "repair what the error names, then clear the task score of run asset_triggered__1 in "
        "late_orders.score"
    )
    assert incident.owner == "ops"
    assert incident.links["log"].startswith("http://localhost:8080/dags/")
    (text,) = mails.texts()
    assert text.startswith("[Incident] late_orders: not scored: 1 day unscored\n")
    report_failure(ended(model, task, day(16), error=error))
    assert the(world).impact == "2 days unscored"
    assert len(mails.mails) == 1, "in between nobody is told"
    report_success(ended(model, task))
    assert the(world).impact == "1 day unscored"
    report_success(ended(model, task, day(16)))
    assert not the(world).is_open
    assert [text.split("]")[0] for text in mails.texts()] == ["[Incident", "[Closed"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("could not read 'ann@example.com'"), "failed with ValueError; its log has"),
        (None, "was killed, or did not answer any more"),
    ],
)
def test_what_may_show_values_is_left_to_the_log(
    stack: Stack, error: BaseException | None, said: str
) -> None:
    world, _ = stack
    report_failure(ended(world.spec, f"{MODEL}.train/train", error=error))
    found = the(world, Cause.TRAINING)
    assert said in found.because
    assert "ann" not in found.because
    assert found.impact == "training as of 1 day failed"
    report_success(ended(world.spec, f"{MODEL}.train/pin", day(20)))
    assert the(world, Cause.TRAINING).is_open
    report_success(ended(world.spec, f"{MODEL}.train/train", day(20)))
    assert not the(world, Cause.TRAINING).is_open


def test_a_ledger_that_is_away_makes_no_task_fail_or_red(
    stack: Stack, connect: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    world, _ = stack
    connect("ledger_default", conn_type="no_such_database", host="x")
    report_success(ended(world.spec, f"{MODEL}.score/score"))
    report_failure(ended(world.spec, f"{MODEL}.score/score"))
    said = [record for record in caplog.records if "incidents were not looked at" in record.message]
    assert [record.levelname for record in said] == ["WARNING", "WARNING"]


def test_open_incidents_are_a_metric(
    stack: Stack, now: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = stack
    found: dict[str, int] = {}
    monkeypatch.setattr(
        "mlops_airflow.notifications.telling.stats.gauge",
        lambda name, value, *, tags: found.update({f"{name} {tags.get('subject')}": value}),
    )
    now(17)
    watch(world.spec)
    still = IncidentBook(world.ledger).newest(MODEL).values()
    assert found[f"mlops.incidents {MODEL}"] == sum(one.is_open for one in still) >= 1
    for number in (16, 17):
        score_day(world, number)
    watch(world.spec, run="scheduled__2")
    assert found[f"mlops.incidents {MODEL}"] == sum(
        one.is_open for one in IncidentBook(world.ledger).newest(MODEL).values()
    )


@pytest.mark.parametrize("key", ["banana", "2999-01-01"])
def test_a_mistyped_key_opens_no_incident(stack: Stack, key: str) -> None:
    world, _ = stack
    for task in ("score/score", "monitor/monitor"):
        report_failure(ended(world.spec, f"{MODEL}.{task}", key))
    assert IncidentBook(world.ledger).newest(MODEL) == {}


def test_the_clock_lives_with_a_mistyped_key_that_was_written_down(
    stack: Stack, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    for cause in (Cause.SCORING, Cause.MONITORING):
        book = IncidentBook(world.ledger)
        book.raise_alarm(Alarm(MODEL, cause, "failed", "run it again", partitions=("banana",)))
    watch(world.spec)
    assert the(world).partitions == (day(16), day(17))
    assert not the(world, Cause.MONITORING).is_open


def test_the_clock_does_not_take_back_what_it_cannot_see_yet(
    stack: Stack, now: Callable[[int], None]
) -> None:
    world, _ = stack
    now(17)
    tomorrow = day(18)
    report_failure(ended(world.spec, f"{MODEL}.score/score", tomorrow))
    watch(world.spec)
    assert the(world).partitions == (day(16), day(17), tomorrow)
    assert the(world).because.startswith("late_orders.score/score was killed")


def test_every_task_of_the_loop_has_a_cause() -> None:
    assert cause_of("orders.ingest", "ingest") is Cause.INGESTION
    assert cause_of("orders.refresh", "validate") is Cause.REFUSED
    assert cause_of("m.score", "drift") is cause_of("m.monitor", "monitor") is Cause.MONITORING
    assert cause_of("m.decide", "incidents") is Cause.DECISION
    assert cause_of("mlops.maintenance", "maintain") is Cause.MAINTENANCE
    assert cause_of("somebody_elses_dag", "task") is None
    report_failure({"ti": SimpleNamespace(dag_id="somebody_elses_dag", task_id="t")})  # type: ignore[arg-type]
