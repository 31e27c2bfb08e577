"""The nightly maintenance as a task: all parts over real stores, one block in the log."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.operators.maintenance import MaintainOperator, _alive
from mlops_tasks.exceptions import MaintenanceError
from mlops_tasks.maintenance import end_dead_runs
from mlops_tasks.registry.tracking import ATTEMPT_TAG
from tests.unit.operators.conftest import context

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.tracking import Tracking
    from tests.unit.conftest import World
    from tests.unit.orders import Source

PARTS = [
    *("ledger", "aliases"),
    *("dead runs", "spare versions", "old runs", "tables"),
    *("reports", "task logs", "temporary folders"),
]


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, list[str]]]:
    """Return what is reported, by the title of its block."""
    found: dict[str, dict[str, list[str]]] = {}
    monkeypatch.setattr(
        MaintainOperator, "report", lambda _, title, facts: found.update({title: facts})
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path / "logs"))
    return found


def maintain(**params: Any) -> None:
    operator = MaintainOperator(task_id="maintain")
    operator.execute(
        context(operator, key="2024-03-20", **({"dry_run": False, "keep_days": 1} | params))
    )


def test_it_says_what_it_kept_and_touches_nothing_that_is_needed(
    stack: tuple[World, Source], blocks: dict[str, dict[str, list[str]]]
) -> None:
    world, _ = stack
    maintain()
    (facts,) = blocks.values()
    assert list(facts) == PARTS
    assert not [line for lines in facts.values() for line in lines if "FAILED" in line]
    world.tracking.load(world.champion.model_uri, world.champion.digest)
    for pin in world.pin.pins:
        world.lake.table(pin.table).verify_pin(pin)


def test_a_dry_run_is_called_one(
    stack: tuple[World, Source], blocks: dict[str, dict[str, list[str]]]
) -> None:
    maintain(dry_run=True)
    assert list(blocks) == ["would be maintained (dry run), things kept for 1 days"]


def test_one_part_that_fails_makes_the_task_red_and_stops_no_other(
    stack: tuple[World, Source], blocks: dict[str, dict[str, list[str]]]
) -> None:
    world, _ = stack
    log = world.lake.table("orders").folder / "_delta_log"
    max(log.glob("*.json")).write_bytes(b"")
    with pytest.raises(MaintenanceError, match="tables failed"):
        maintain()
    (facts,) = blocks.values()
    assert list(facts) == PARTS
    assert facts["tables"][0].startswith("FAILED: DamagedTableError")


@pytest.mark.parametrize(
    ("states", "ends_as"),
    [
        ({"manual__1": {"train": "failed"}}, "KILLED"),
        ({"manual__1": {"train": "running"}}, "RUNNING"),
        ({"manual__1": {"train": "up_for_retry"}}, "RUNNING"),
        ({"manual__1": {"train": None}}, "RUNNING"),
        ({}, "KILLED"),
    ],
    ids=["failed", "running", "up for retry", "cleared", "its run was deleted"],
)
def test_it_asks_airflow_whether_a_task_lives(
    tracking: Tracking, states: dict[str, Any], ends_as: str
) -> None:
    tags = {
        ATTEMPT_TAG: "m.train/manual__1/train/-1",
        "airflow.dag_id": "m.train",
        "airflow.run_id": "manual__1",
        "airflow.task_id": "train",
    }
    experiment = tracking.client.create_experiment("m")
    run = tracking.client.create_run(experiment, tags=tags).info.run_id
    ti = SimpleNamespace(get_task_states=lambda **_: states)
    end_dead_runs(tracking, alive=lambda found: _alive(ti, found), grace_s=0)
    assert tracking.client.get_run(run).info.status == ends_as
