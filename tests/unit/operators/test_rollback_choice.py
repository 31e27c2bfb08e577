"""A rollback whose form names no version: the task asks which, and does what was chosen."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from mlops_airflow.assets import model_asset
from mlops_airflow.operators import questions
from mlops_airflow.operators.rollback import RollbackModelOperator
from mlops_airflow.triggers import answers
from mlops_airflow.triggers.rollback_choice import RollbackChoiceTrigger
from mlops_tasks.exceptions import VersionNotAllowedError
from mlops_tasks.faults import FAULT_VARIABLE, InjectedFaultError
from mlops_tasks.registry.ledger import Champion
from tests.unit.operators.conftest import context

if TYPE_CHECKING:
    from mlops_tasks.registry.ledger import LedgerEntry
    from tests.unit.conftest import World
    from tests.unit.orders import Source

NAME, KEEP = "late_orders", "Keep version 3"


@pytest.fixture
def moved(stack: tuple[World, Source]) -> World:
    """Versions 2 and 3, with the same files, have taken the place of version 1 in turn."""
    world, _ = stack
    for number in ("2", "3"):
        made = world.tracking.client.create_model_version(
            NAME, world.champion.model_uri, world.champion.run_id
        )
        version = replace(world.champion, version=str(made.version), generation=0)
        assert world.ledger.register(version)
        move = {"version": number, "generation": int(number) - 1, "key": f"2024-03-1{number}"}
        world.ledger.promote(NAME, **move, evidence={})
    return world


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Take what would go to Airflow's API server."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(questions, "upsert_hitl_detail", lambda **said: found.append(said))
    return found


class Run:
    """One run of the task, by alice."""

    def __init__(self, world: World, run: str = "manual__1", **form: Any) -> None:
        self.outlet = model_asset(world.spec)
        self.operator = RollbackModelOperator(
            task_id="rollback", model=world.spec, outlets=[self.outlet]
        )
        form = {"version": None, "reason": "too high for JFK"} | form
        self.context = context(self.operator, key=None, run=run, person="alice", **form)

    def parked(self) -> TaskDeferred:
        with pytest.raises(TaskDeferred) as found:
            self.operator.execute(self.context)
        return found.value

    def answered(self, option: str, who: str | None = "bob", *, generation: int = 3) -> Any:
        """Go on with an answer, as Airflow's API gives it."""
        event = {
            "chosen_options": [option],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": f"{who}-id", "name": who} if who else None,
            "timedout": who is None,
        }
        return self.operator.execute_complete(self.context, event, generation=generation)


def said(world: World) -> list[LedgerEntry]:
    return world.ledger.entries(model=NAME, kind="rollback_answer", history=True)


def option(world_asked: list[dict[str, Any]], number: str) -> str:
    (found,) = (one for one in world_asked[-1]["options"] if one.startswith(f"Version {number}:"))
    return str(found)


def test_the_page_lists_the_past_champions_and_the_reason(
    moved: World, asked: list[dict[str, Any]]
) -> None:
    found = Run(moved, version="").parked()
    (page,) = asked
    assert page["subject"] == "Return late_orders to which of its past champions?"
    assert [one[:10] for one in page["options"]] == ["Version 2:", "Version 1:", KEEP[:10]]
    assert (page["options"][-1], page["defaults"], page["params"]) == (KEEP, [KEEP], {})
    auc = moved.champion.metrics["roc_auc"]
    assert page["options"][0].endswith(f"UTC, roc_auc {auc:.4f}")
    for part in ("alice wants to leave version 3", "too high for JFK", *page["options"][:-1]):
        assert part in page["body"], part
    assert "older" not in page["body"]
    assert isinstance(found.trigger, RollbackChoiceTrigger)
    assert (found.method_name, found.kwargs) == ("execute_complete", {"generation": 3})
    left = found.trigger.deadline - datetime.now(UTC).timestamp()
    assert 3500 < left <= 3600, "a rollback that was forgotten must not happen the next day"
    path, arguments = found.trigger.serialize()
    assert path == "mlops_airflow.triggers.rollback_choice.RollbackChoiceTrigger"
    assert RollbackChoiceTrigger(**json.loads(json.dumps(arguments))).serialize()[1] == arguments
    assert moved.ledger.champion(NAME) == Champion("3", 3)


def test_what_was_chosen_is_the_champion_and_the_ledger_says_by_whom(
    moved: World, asked: list[dict[str, Any]]
) -> None:
    run = Run(moved)
    run.parked()
    done = run.answered(option(asked, "1"))
    assert done == {"name": NAME, "before": "3", "version": "1", "reason": "too high for JFK"}
    assert run.context["outlet_events"][run.outlet].extra == {"name": NAME, "version": "1"}
    assert moved.ledger.champion(NAME) == Champion("1", 4)
    (answer,) = said(moved)
    assert (answer.by, answer.evidence["version"]) == ("bob", "1")
    (entry,) = moved.ledger.entries(model=NAME, kind="rollback")
    assert (entry.by, entry.evidence["reason"]) == ("bob", "too high for JFK")
    assert run.operator.execute(run.context) == done, "run again, it moves nothing more"
    assert moved.ledger.champion(NAME) == Champion("1", 4)


@pytest.mark.parametrize(
    ("chosen", "who", "why"),
    [(KEEP, "bob", "bob keeps it"), (KEEP, None, "nobody has chosen in time")],
)
def test_whoever_keeps_and_whoever_is_silent_moves_nothing(
    moved: World, asked: list[dict[str, Any]], chosen: str, who: str | None, why: str
) -> None:
    run = Run(moved)
    run.parked()
    with pytest.raises(AirflowSkipException, match=f"champion of late_orders is kept: {why}"):
        run.answered(chosen, who)
    (answer,) = said(moved)
    assert (answer.by, answer.evidence["version"]) == (who or "", None)
    with pytest.raises(AirflowSkipException, match=why):
        run.operator.execute(run.context)
    assert len(asked) == 1, "what was answered is not asked again"
    Run(moved, "manual__2").parked()
    assert moved.ledger.champion(NAME) == Champion("3", 3)


def test_an_answer_about_another_champion_moves_nothing(
    moved: World, asked: list[dict[str, Any]]
) -> None:
    run = Run(moved)
    run.parked()
    chosen = option(asked, "1")
    named = Run(moved, "manual__2", version="2")
    assert named.operator.execute(named.context)["version"] == "2"
    with pytest.raises(AirflowSkipException, match="the champion was moved meanwhile, and bob"):
        run.answered(chosen)
    assert moved.ledger.champion(NAME) == Champion("2", 4)


def test_an_answer_that_was_heard_is_followed_by_the_next_attempt(
    moved: World, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(moved)
    run.parked()
    monkeypatch.setenv(FAULT_VARIABLE, "promote:before_ledger:raise")
    with pytest.raises(InjectedFaultError):
        run.answered(option(asked, "1"))
    assert moved.ledger.champion(NAME) == Champion("3", 3)
    monkeypatch.delenv(FAULT_VARIABLE)
    assert run.operator.execute(run.context)["version"] == "1"
    assert len(asked) == 1
    (entry,) = moved.ledger.entries(model=NAME, kind="rollback")
    assert entry.by == "bob"


def test_nobody_is_asked_without_a_reason(moved: World, asked: list[dict[str, Any]]) -> None:
    run = Run(moved, reason=" ")
    with pytest.raises(VersionNotAllowedError, match="needs a reason"):
        run.operator.execute(run.context)
    assert asked == []


def test_a_champion_that_moves_closes_the_question(
    moved: World, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[list[str]] = []

    def update(*, chosen_options: list[str], **_: Any) -> None:
        closed.append(chosen_options)

    def get(*, ti_id: Any) -> Any:
        over = bool(closed)
        return SimpleNamespace(
            response_received=over,
            chosen_options=closed[-1] if over else None,
            params_input={},
            responded_at=datetime.now(UTC),
            responded_by_user=None,
        )

    monkeypatch.setattr(answers, "get_hitl_detail_content_detail", get)
    monkeypatch.setattr(answers, "update_hitl_detail_response", update)
    found = Run(moved).parked()
    arguments = found.trigger.serialize()[1] | {"poke_interval": 0.05}

    async def wake() -> dict[str, Any]:
        waits = asyncio.ensure_future(anext(RollbackChoiceTrigger(**arguments).run()))
        await asyncio.sleep(0.3)
        assert not waits.done(), "the champion is the same"
        about = {"version": "2", "generation": 3, "key": "rollback of 3", "kind": "rollback"}
        moved.ledger.promote(NAME, **about, evidence={})
        return dict((await asyncio.wait_for(waits, 10)).payload)

    event = asyncio.run(wake())
    assert (event["chosen_options"], event["timedout"], closed) == ([KEEP], True, [[KEEP]])


def test_the_time_is_the_operators_or_the_installations(
    moved: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = RollbackModelOperator(
        task_id="a", model=moved.spec, response_timeout=timedelta(minutes=5)
    )
    assert own.patience == timedelta(minutes=5)
    monkeypatch.setenv("AIRFLOW__MLOPS__CHOICE_LIMIT_S", "90")
    usual = RollbackModelOperator(task_id="b", model=moved.spec)
    assert usual.patience == timedelta(seconds=90)
