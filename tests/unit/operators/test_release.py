"""The tasks of ``<model>.release`` and what asks for it: a person's word, checked when it comes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowSkipException,
    ParamValidationError,
    TaskDeferred,
)

from mlops_airflow.assets import model_asset, release_request_asset
from mlops_airflow.forms import release_form
from mlops_airflow.operators import questions
from mlops_airflow.operators.approve import ApproveReleaseOperator
from mlops_airflow.operators.release import ReleaseModelOperator, RequestReleaseOperator
from mlops_airflow.triggers import answers as trigger_module
from mlops_airflow.triggers.approval import ApprovalTrigger
from mlops_tasks.registry.champions import registered_version
from mlops_tasks.registry.ledger import Champion
from mlops_tasks.serialization import to_json
from tests.unit.operators.conftest import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.registry.ledger import LedgerEntry
    from mlops_tasks.registry.versions import RegisteredVersion
    from tests.unit.conftest import World
    from tests.unit.orders import Source

    Stack = tuple[World, Source]

NAME = "late_orders"


class Page:
    """What Airflow's page of required actions was given."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def put(self, **fields: Any) -> None:
        self.asked.append(fields)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """Take what would go to Airflow's API server."""
    found = Page()
    monkeypatch.setattr(questions, "upsert_hitl_detail", found.put)
    return found


def registered(world: World, number: str) -> RegisteredVersion:
    """Register the champion's files once more."""
    source, run_id = world.champion.model_uri, world.champion.run_id
    found = world.tracking.client.create_model_version(NAME, source, run_id)
    assert str(found.version) == number
    version = replace(world.champion, version=number, generation=0)
    assert world.ledger.register(version)
    return version


def ask(world: World, number: str = "2", verdict: str = "ask", author: str | None = None) -> Any:
    """Run the last task of a training whose gate has said this; return the outlet's event."""
    said = replace(
        world.verdict,
        verdict=verdict,
        reason="it is better where it counts",
        champion_version="1",
        champion_generation=1,
    )
    operator = RequestReleaseOperator(
        task_id="request_release",
        model=world.spec,
        pin=to_json(world.pin),
        registered=to_json(registered(world, number)),
        verdict=to_json(said),
    )
    ours = context(operator, key="2024-03-17", person=author)
    operator.execute(ours)
    return ours["outlet_events"][release_request_asset(world.spec)]


def approving(world: World, **options: Any) -> ApproveReleaseOperator:
    return ApproveReleaseOperator(task_id="approve", model=world.spec, **options)


def parked(operator: ApproveReleaseOperator, number: str = "2", **run: Any) -> TaskDeferred:
    """Run the task until it waits."""
    with pytest.raises(TaskDeferred) as found:
        operator.execute(context(operator, key=number, **run))
    return found.value


def answered(
    operator: ApproveReleaseOperator,
    option: str,
    who: str | None = "bob",
    *,
    number: str = "2",
    person: str | None = None,
    **given: str,
) -> dict[str, Any]:
    """Let the task go on with an answer, as Airflow's API gives it."""
    event = {
        "chosen_options": [option],
        "params_input": given,
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": f"{who}-id", "name": who} if who else None,
        "timedout": who is None,
    }
    ours = context(operator, key=number, person=person)
    found: dict[str, Any] = operator.execute_complete(ours, event)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def approvals(world: World, number: str = "2") -> list[LedgerEntry]:
    return world.ledger.entries(model=NAME, kind="approval", key=number, history=True)


def evidence(world: World, number: str = "2") -> str:
    found = world.ledger.newest(NAME, "release_request", key=number)
    assert found is not None
    return str(found.evidence["evidence"])


def releasing(world: World, number: str = "2") -> Any:
    """Run the last task; return what it returns and its event, or why it was skipped."""
    asset = model_asset(world.spec)
    operator = ReleaseModelOperator(task_id="promote", model=world.spec, outlets=[asset])
    ours = context(operator, key=number)
    try:
        return operator.execute(ours), ours["outlet_events"][asset].extra
    except AirflowSkipException as error:
        return str(error)


# --- asking


def test_a_request_is_emitted_with_the_version_as_its_key(stack: Stack) -> None:
    world, _ = stack
    event = ask(world, author="alice")
    assert (event.partition_keys, event.extra) == ({"2"}, {"version": "2"})
    (entry,) = world.ledger.entries(model=NAME, kind="release_request")
    assert (entry.key, entry.by) == ("2", "alice")
    assert entry.evidence["author"] == "alice"
    assert (entry.evidence["champion_version"], entry.evidence["as_of"]) == ("1", world.as_of)


def test_a_verdict_that_releases_nothing_is_skipped_with_its_reason(stack: Stack) -> None:
    world, _ = stack
    for number, verdict in (("2", "keep"), ("3", "cannot_tell")):
        with pytest.raises(AirflowSkipException, match="nothing to release because it is better w"):
            ask(world, number, verdict)
    assert world.ledger.entries(kind="release_request") == []


def test_a_request_is_emitted_once(stack: Stack) -> None:
    world, _ = stack
    ask(world)
    operator = RequestReleaseOperator(
        task_id="request_release",
        model=world.spec,
        pin=to_json(world.pin),
        registered=to_json(registered_version(NAME, "2", ledger=world.ledger)),
        verdict=to_json(replace(world.verdict, verdict="ask", reason="another reason")),
    )
    ours = context(operator, key="2024-03-17")
    when = datetime(2024, 3, 17, 4, 30, tzinfo=UTC)
    event = SimpleNamespace(partition_key="2", timestamp=when)
    ours["inlet_events"] = {release_request_asset(world.spec): [event]}
    with pytest.raises(AirflowSkipException, match=r"version 2 was requested at 2024-03-17 04:30"):
        operator.execute(ours)
    (entry,) = world.ledger.entries(kind="release_request", history=True)
    assert entry.evidence["reason"] == "it is better where it counts", "what was asked stays"


@pytest.mark.parametrize("key", [None, "2024-03-01", "two", "-2"])
def test_a_run_about_no_version_says_how_it_is_started(stack: Stack, key: str | None) -> None:
    world, _ = stack
    for operator in (approving(world), ReleaseModelOperator(task_id="promote", model=world.spec)):
        with pytest.raises(AirflowFailException, match="the number of a version, as MLflow has it"):
            operator.execute(context(operator, key=key))


def test_a_form_names_the_version_where_no_partition_key_does(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world)
    operator = approving(world)
    for key, named in ((None, "2"), ("2", "2"), ("2", None)):
        with pytest.raises(TaskDeferred):
            operator.execute(context(operator, key=key, version=named))
    assert [one["subject"] for one in page.asked] == ["Release late_orders version 2?"] * 3
    with pytest.raises(AirflowFailException, match=r"partition key '2' and its form says version"):
        operator.execute(context(operator, key="2", version="1"))
    form = release_form()["version"]
    assert (form.resolve(None), form.resolve("12")) == (None, "12")
    for wrong in ("0", "two", "-1", "1.0"):
        with pytest.raises(ParamValidationError):
            form.resolve(wrong)


# --- the person


def test_nobody_is_asked_where_the_gate_promotes(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world, verdict="promote")
    operator = approving(world)
    with pytest.raises(AirflowSkipException, match="the gate promotes version 2 by itself"):
        operator.execute(context(operator, key="2"))
    assert page.asked == []
    (done, event) = releasing(world)
    assert done == {"name": NAME, "version": "2"}
    assert (event["version"], event["as_of"]) == ("2", world.as_of)
    assert world.ledger.champion(NAME) == Champion("2", 2)


def test_the_page_shows_what_a_person_decides_on(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world, author="alice")
    operator = approving(world, response_timeout=timedelta(hours=2))
    found = parked(operator)
    assert found.method_name == "execute_complete"
    assert isinstance(found.trigger, ApprovalTrigger)
    (asked,) = page.asked
    assert asked["subject"] == "Release late_orders version 2?"
    assert (asked["options"], asked["defaults"]) == (["Approve", "Reject"], ["Reject"])
    assert asked["params"]["evidence"]["value"] == evidence(world)
    assert set(asked["params"]) == {"comment", "evidence"}
    # Airflow's page has both buttons switched off while a field that must be filled is empty.
    comment = asked["params"]["comment"]
    assert comment["value"] is None
    assert "null" in comment["schema"]["type"]
    for part in (
        "it is better where it counts",
        "asked for by alice",
        "champion 1",
        "roc_auc",
        "gate.html",
    ):
        assert part in asked["body"], part
    left = found.trigger.deadline - datetime.now(UTC).timestamp()
    assert 7100 < left <= 7200
    path, arguments = found.trigger.serialize()
    assert path == "mlops_airflow.triggers.approval.ApprovalTrigger"
    assert json.loads(json.dumps(arguments))["version"] == "2"
    assert ApprovalTrigger(**arguments).serialize() == (path, arguments)


def test_an_approved_version_is_released_and_says_by_whom(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world, author="alice")
    operator = approving(world)
    parked(operator)
    done = answered(operator, "Approve", evidence=evidence(world), comment="checked the slices")
    assert (done["approved"], done["by"]) == (True, "bob")
    (entry,) = approvals(world)
    assert (entry.by, entry.evidence["comment"]) == ("bob", "checked the slices")
    released, _ = releasing(world)
    assert released["version"] == "2"
    (*_, moved) = world.ledger.entries(model=NAME, kind="promotion", history=True)
    assert moved.by == "bob"
    assert moved.evidence["reason"] == "approved by bob: checked the slices"


def test_a_rejected_version_is_kept_out_and_says_by_whom(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world)
    operator = approving(world)
    parked(operator)
    done = answered(operator, "Reject", comment="not in December")
    assert (done["approved"], done["counted"]) == (False, True)
    assert releasing(world) == "not released because rejected by bob: not in December"
    assert world.ledger.champion(NAME) == Champion("1", 1)


def test_no_answer_in_time_keeps(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world)
    operator = approving(world)
    parked(operator)
    done = answered(operator, "Approve", None)  # whatever the defaults may be
    assert (done["approved"], done["reason"]) == (False, "kept: nobody has answered in time")
    assert "nobody has answered in time" in releasing(world)


@pytest.mark.parametrize(
    ("who", "person", "given", "why"),
    [
        ("alice", None, True, "alice has asked for it, and another person has to approve it"),
        ("carol", "carol", True, "carol has asked for it"),
        ("bob", None, False, "it names the evidence nothing"),
    ],
)
def test_an_approval_that_does_not_count_is_written_down_and_asked_again(
    stack: Stack, page: Page, who: str, person: str | None, given: bool, why: str
) -> None:
    world, _ = stack
    ask(world, author="alice")
    operator = approving(world)
    parked(operator)
    fields = {"evidence": evidence(world)} if given else {}
    with pytest.raises(TaskDeferred):
        answered(operator, "Approve", who, person=person, **fields)
    assert len(page.asked) == 2, "the request is open again"
    (entry,) = approvals(world)
    assert (entry.evidence["counted"], entry.by) == (False, who)
    assert why in entry.evidence["reason"]
    assert "nobody has approved it" in releasing(world)
    done = answered(operator, "Approve", "dave", evidence=evidence(world))
    assert done["approved"]
    assert releasing(world)[0]["version"] == "2"


def test_the_id_of_a_user_is_a_name_of_theirs(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world, author="alice-id")
    operator = approving(world)
    with pytest.raises(TaskDeferred):
        answered(operator, "Approve", "alice", evidence=evidence(world))


def test_an_approval_comes_too_late_for_what_was_superseded(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world)
    operator = approving(world)
    parked(operator)
    ask(world, "3")
    done = answered(operator, "Approve", evidence=evidence(world))
    why = "kept: version 3 has asked since and supersedes it"
    assert (done["approved"], done["reason"]) == (False, why)
    assert releasing(world) == f"not released because {why}"


def test_what_is_superseded_before_it_asks_asks_nobody(stack: Stack, page: Page) -> None:
    world, _ = stack
    ask(world)
    ask(world, "3")
    operator = approving(world)
    done = operator.execute(context(operator, key="2"))
    assert "version 3 has asked since" in done["reason"]
    assert page.asked == []


def test_a_task_that_is_run_again_asks_again_only_where_nobody_has_answered(
    stack: Stack, page: Page
) -> None:
    world, _ = stack
    ask(world)
    operator = approving(world)
    parked(operator)
    parked(operator)
    assert len(page.asked) == 2, "it was killed before it heard the answer"
    done = answered(operator, "Approve", evidence=evidence(world))
    assert operator.execute(context(operator, key="2")) == done
    assert len(page.asked) == 2
    parked(operator, run="manual__2")  # a run of its own asks anew


# --- the trigger


class Request:
    """A request in Airflow's database, as the triggerer sees it."""

    def __init__(self) -> None:
        self.response_received = False
        self.chosen_options: list[str] = []
        self.params_input: dict[str, str] = {}
        self.responded_at: datetime | None = None
        self.responded_by_user: Any = None
        self.closed: list[list[str]] = []
        self.fails = False

    def get(self, *, ti_id: Any) -> Request:
        return self

    def update(self, *, ti_id: Any, chosen_options: list[str], params_input: Any) -> None:
        if self.fails:  # somebody was faster
            self.fails = False
            self.answer("Approve", "bob")
            raise RuntimeError("409 Conflict")
        self.closed.append(chosen_options)
        self.answer(*chosen_options)

    def answer(self, option: str, who: str | None = None) -> None:
        self.response_received, self.chosen_options = True, [option]
        self.responded_at = datetime.now(UTC)
        self.responded_by_user = SimpleNamespace(id=who, name=who) if who else None


@pytest.fixture
def request_in_airflow(monkeypatch: pytest.MonkeyPatch) -> Request:
    found = Request()
    monkeypatch.setattr(trigger_module, "get_hitl_detail_content_detail", found.get)
    monkeypatch.setattr(trigger_module, "update_hitl_detail_response", found.update)
    return found


@pytest.fixture
def waiting(stack: Stack, page: Page) -> Callable[..., dict[str, Any]]:
    """Return a function that lets the trigger of a parked task work until it wakes the task."""
    world, _ = stack
    ask(world)

    def wake(*, limit_s: float = 3600.0, then: Callable[[], None] = lambda: None) -> dict[str, Any]:
        operator = approving(world, response_timeout=timedelta(seconds=limit_s))
        arguments = parked(operator).trigger.serialize()[1] | {"poke_interval": 0.05}

        async def first_event() -> dict[str, Any]:
            waits = asyncio.ensure_future(anext(ApprovalTrigger(**arguments).run()))
            await asyncio.sleep(0.1)
            then()
            return dict((await asyncio.wait_for(waits, 10)).payload)

        return asyncio.run(first_event())

    return wake


def test_an_answer_from_before_the_task_was_parked_is_found(
    waiting: Callable[..., dict[str, Any]], request_in_airflow: Request
) -> None:
    event = waiting(then=lambda: request_in_airflow.answer("Approve", "bob"))
    assert (event["chosen_options"], event["timedout"]) == (["Approve"], False)
    assert event["responded_by_user"] == {"id": "bob", "name": "bob"}
    assert request_in_airflow.closed == []


def test_a_newer_version_wakes_the_task_and_closes_the_request(
    stack: Stack, waiting: Callable[..., dict[str, Any]], request_in_airflow: Request
) -> None:
    event = waiting(then=lambda: ask(stack[0], "3"))
    assert request_in_airflow.closed == [["Reject"]]
    assert (event["chosen_options"], event["responded_by_user"]) == (["Reject"], None)


def test_the_end_of_the_time_closes_the_request(
    waiting: Callable[..., dict[str, Any]], request_in_airflow: Request
) -> None:
    event = waiting(limit_s=0.2)
    assert (event["timedout"], request_in_airflow.closed) == (True, [["Reject"]])


def test_an_answer_at_the_last_moment_counts(
    waiting: Callable[..., dict[str, Any]], request_in_airflow: Request
) -> None:
    request_in_airflow.fails = True
    event = waiting(limit_s=0.2)
    assert (event["chosen_options"], request_in_airflow.closed) == (["Approve"], [])
