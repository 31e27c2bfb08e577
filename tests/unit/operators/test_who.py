"""Entries name who wanted them: the user who started the run, or the schedule."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.base import triggered_by
from mlops_airflow.operators.decide import DecideRetrainingOperator
from mlops_airflow.operators.pin import PinTrainingDataOperator
from mlops_airflow.operators.promote import PromoteModelOperator
from mlops_tasks.registry.ledger.anchors import read_anchors
from mlops_tasks.registry.ledger.chain import Head
from mlops_tasks.serialization import to_json
from tests.unit.operators.conftest import context

if TYPE_CHECKING:
    from tests.unit.conftest import World
    from tests.unit.orders import Source


@pytest.mark.parametrize(("user", "said"), [("ada", "ada"), (None, "schedule"), ("", "schedule")])
def test_a_run_was_started_by_a_user_or_the_schedule(user: str | None, said: str) -> None:
    run: Any = {"dag_run": SimpleNamespace(triggering_user_name=user)}
    assert triggered_by(run) == said


def by_ada(operator: Any, key: str | None) -> Any:
    run = context(operator, key=key)
    run["dag_run"].triggering_user_name = "ada"
    return json.loads(json.dumps(operator.execute(run)))


def test_the_loop_says_who_wanted_it(stack: tuple[World, Source]) -> None:
    world, _ = stack
    night, model, ledger = world.as_of, world.spec, world.ledger
    ledger.promote(model.name, version="9", generation=1, key=night, evidence={})
    before = len(ledger.entries(history=True))
    pin = by_ada(PinTrainingDataOperator(task_id="pin", model=model), night)
    steps = {
        "pin": pin,
        "registered": to_json(world.champion),
        "verdict": to_json(world.verdict) | {"champion_generation": 2},
    }
    by_ada(PromoteModelOperator(task_id="promote", model=model, **steps), night)
    by_ada(DecideRetrainingOperator(task_id="decide", model=model), night)
    entries = sorted(ledger.entries(history=True), key=lambda entry: entry.seq)[before:]
    assert [(entry.kind, entry.by) for entry in entries] == [
        *(("pin", "ada"), ("promotion", "ada"), ("decision", "ada")),
    ]
    promotion = entries[1]
    assert read_anchors(world.lake).heads == (Head(promotion.seq, promotion.hash),)
