"""The smoke test as a task: from the registry, written to the ledger, failed at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.smoke_test import SmokeTestModelOperator
from mlops_tasks.exceptions import SmokeTestFailedError
from mlops_tasks.gate.smoke import SmokeTestResult
from mlops_tasks.serialization import from_json, to_json
from tests.unit.operators.conftest import context
from tests.unit.orders import day

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World

    Stack = tuple[World, Any]


def test_a_version_passes_and_the_ledger_says_so(stack: Stack) -> None:
    world = stack[0]
    operator = SmokeTestModelOperator(
        task_id="smoke_test",
        model=world.spec,
        pin=to_json(world.pin),
        registered=to_json(world.champion),
    )
    found = operator.execute(context(operator, key=day(17)))
    result = from_json(SmokeTestResult, json.loads(json.dumps(found)))
    assert result.passed
    assert {query.answer for query in result.queries} == {"passed"}
    assert (result.version, result.digest) == ("1", world.champion.digest)
    (entry,) = world.ledger.entries(model=world.spec.name, kind="smoke_test")
    assert (entry.key, entry.evidence) == ("1", found)
    assert operator.mlflow_version_url.endswith("/models/late_orders/versions/1")


def test_what_was_changed_in_the_registry_fails_at_once_and_in_writing(
    stack: Stack,
    tracking_files: Path,
) -> None:
    world = stack[0]
    path = tracking_files / "MLmodel"
    path.write_text(path.read_text() + "\n# more\n")
    operator = SmokeTestModelOperator(
        task_id="smoke_test", model=world.spec, registered=to_json(world.champion)
    )
    with pytest.raises(SmokeTestFailedError, match="version 1 of 'late_orders' failed its smoke"):
        operator.execute(context(operator, key=day(17)))
    (entry,) = world.ledger.entries(model=world.spec.name, kind="smoke_test")
    assert entry.evidence["passed"] is False
    assert "changed after registration" in entry.evidence["reason"]


def test_a_digest_that_travels_is_not_believed(stack: Stack) -> None:
    """XCom can be changed by who may edit it; the ledger says which files a version has."""
    world = stack[0]
    other = to_json(replace(world.champion, digest="0" * 64))
    operator = SmokeTestModelOperator(
        task_id="smoke_test", model=world.spec, pin=to_json(world.pin), registered=other
    )
    assert operator.execute(context(operator, key=day(17)))["digest"] == world.champion.digest
