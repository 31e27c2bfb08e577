"""Connections from the environment, and the part of a task's context that operators read."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlops_tasks.lake import Lake
    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.registry.tracking import Tracking
    from tests.unit.conftest import World
    from tests.unit.orders import Source

# Airflow reads this once, at its first import; without it, it would write to the user's home.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


class TaskInstance:
    """The part of a running task instance that the operators read."""

    def __init__(self, dag_id: str, run_id: str, task_id: str) -> None:
        self.dag_id, self.run_id, self.task_id = dag_id, run_id, task_id
        self.map_index, self.try_number, self.id = -1, 1, uuid4()
        self.log_url = f"http://localhost:8080/dags/{dag_id}/runs/{run_id}/tasks/{task_id}"


def context(
    operator: Any,
    *,
    key: str | None,
    run: str = "manual__1",
    person: str | None = None,
    **params: Any,
) -> Any:
    """Return what Airflow would hand to `execute` in a run with this partition key."""
    from airflow.sdk.execution_time.context import OutletEventAccessors

    ti = TaskInstance("late_orders.dag", run, operator.task_id)
    return {
        "ti": ti,
        "partition_key": key,
        "params": {"as_of": None, "train": "10d", "evaluation": "4d"} | params,
        "outlet_events": OutletEventAccessors(),
        "inlet_events": {inlet: [] for inlet in operator.inlets},
        "dag_run": SimpleNamespace(
            run_type="manual",
            run_after=datetime.now(UTC),
            start_date=datetime.now(UTC),
            triggering_user_name=person,
        ),
    }


@pytest.fixture
def stack(own_world: World, tmp_path: Path, connect: Callable[..., None]) -> tuple[World, Source]:
    """The world and its source database, behind the connections the operators use."""
    from tests.unit.orders import Source

    source = Source(tmp_path / "source.db")
    _connect(connect, own_world.lake, own_world.ledger, own_world.tracking, source)
    return own_world, source


@pytest.fixture
def empty_stack(
    lake: Lake, ledger: Ledger, tracking: Tracking, tmp_path: Path, connect: Callable[..., None]
) -> tuple[Lake, Ledger, Tracking, Source]:
    """The same before anything has happened."""
    from tests.unit.orders import Source

    source = Source(tmp_path / "source.db")
    _connect(connect, lake, ledger, tracking, source)
    return lake, ledger, tracking, source


def _connect(
    connect: Callable[..., None], lake: Lake, ledger: Ledger, tracking: Tracking, source: Source
) -> None:
    connect("lake_default", conn_type="file", extra={"path": str(lake.root)})
    connect("ledger_default", conn_type="sqlite", host=f"{lake.root.parent}/ledger.db")
    connect("mlflow_default", conn_type="sqlite", host=tracking.uri.removeprefix("sqlite:///"))
    connect("shop_source", conn_type="sqlite", host=str(source.path))
