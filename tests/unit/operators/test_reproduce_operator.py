"""A reproduction as a task and as a command: the verdict is written down and decides the end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_airflow.operators.reproduce import ReproduceModelOperator, reproduction_facts
from mlops_tasks.exceptions import NotReproducedError, UnknownVersionError
from mlops_tasks.registry.artifacts import FINGERPRINT, PROJECT
from mlops_tasks.registry.reproduction.comparison import Difference, ReproductionVerdict
from mlops_tasks.steps.reproduce import Reproduction
from tests.unit.operators.conftest import context
from tests.unit.orders import day

if TYPE_CHECKING:
    from tests.unit.conftest import World

    Stack = tuple[World, Any]


@pytest.fixture
def versions(stack: Stack) -> World:
    """Version 8 has no fingerprint, and the sources of version 9 are not those of its training."""
    world = stack[0]
    artifacts = dict(world.champion.artifacts)
    changed = artifacts | {PROJECT: "0" * 64}
    artifacts.pop(FINGERPRINT)
    assert world.ledger.register(replace(world.champion, version="8", artifacts=artifacts))
    assert world.ledger.register(replace(world.champion, version="9", artifacts=changed))
    return world


def run(world: World, version: str | None) -> Any:
    operator = ReproduceModelOperator(task_id="reproduce", model=world.spec, model_version=version)
    return operator.execute(context(operator, key=day(17)))


def test_another_model_fails_at_once_and_in_writing(versions: World) -> None:
    with pytest.raises(NotReproducedError, match=r"version 9 of 'late_orders' is not reproduced"):
        run(versions, "9")
    (entry,) = versions.ledger.entries(model="late_orders", kind="reproduction")
    assert entry.key == "9"
    assert (entry.evidence["verdict"], entry.evidence["differs"]) == ("failed", "code")
    assert "project.zip of run" in entry.evidence["reason"]


def test_what_cannot_be_told_is_skipped_in_writing(versions: World) -> None:
    with pytest.raises(AirflowSkipException, match="version 8 of 'late_orders': it cannot be told"):
        run(versions, "8")
    (entry,) = versions.ledger.entries(model="late_orders", kind="reproduction")
    assert (entry.evidence["verdict"], entry.evidence["differs"]) == ("cannot tell", "parameters")


def test_a_version_that_nobody_knows_is_an_error(versions: World) -> None:
    with pytest.raises(UnknownVersionError, match="version 77"):
        run(versions, "77")


@pytest.mark.parametrize("version", [None, "", " None "])
def test_without_a_version_it_is_the_champion_and_without_one_nothing(
    stack: Stack, version: str | None
) -> None:
    operator = ReproduceModelOperator(
        task_id="reproduce", model="nobody_trained", model_version=version
    )
    with pytest.raises(AirflowSkipException, match="nothing to reproduce"):
        operator.execute(context(operator, key=day(17)))


def test_a_person_is_told_what_matters_first() -> None:
    found = Reproduction(
        "late_orders",
        "3",
        ReproductionVerdict.FAILED,
        differs="seed",
        reason="another model",
        differences=(Difference("seed", "a 1 recorded, 2 now"),),
        environment="e" * 64,
        content="c" * 64,
        found_content="d" * 64,
        reused=True,
    )
    facts = reproduction_facts(found)
    assert list(facts)[:3] == ["verdict", "because", "first that differs"]
    assert facts["verdict"] == "FAILED"
    assert facts["content"] == "cccccccccccc recorded, dddddddddddd now"
    assert facts["differences"] == ["seed: a 1 recorded, 2 now"]
    assert "(was there)" in facts["took"]
    assert "nobody can say" in facts["what to do"]


@pytest.mark.parametrize(
    ("version", "code", "said"),
    [
        ("late_orders@9", 1, "FAILED"),
        ("late_orders@8", 3, "CANNOT TELL"),
        ("late_orders@77", 3, "version 77"),
        ("late_orders", 2, "write MODEL@VERSION"),
        ("late_orders@newest", 2, "write MODEL@VERSION"),
        ("@3", 2, "write MODEL@VERSION"),
    ],
)
def test_the_command_ends_by_the_verdict(
    versions: World, version: str, code: int, said: str
) -> None:
    done = CliRunner().invoke(app, ["reproduce", version])
    assert done.exit_code == code, done.output
    assert said in done.output


def test_the_command_says_the_same_as_json(versions: World) -> None:
    done = CliRunner().invoke(app, ["reproduce", "late_orders@9", "--json"])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert (found["verdict"], found["differs"]) == ("failed", "code")
    (entry,) = versions.ledger.entries(model="late_orders", kind="reproduction")
    assert entry.evidence == found
    assert entry.dag_run == "mlops reproduce"
    assert entry.by
