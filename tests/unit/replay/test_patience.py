"""Long tasks are waited for; what nobody works on ends the wait with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from mlops_airflow.replay.exceptions import AirflowStuckError
from mlops_airflow.replay.patience import LOOK_CLOSER_S, PATIENCE_S, Patience
from mlops_airflow.rest import AirflowApi, Dag, DagRun, TaskInstance

RUN = DagRun("d.ingest", "r1", "running", "2024-01-01", "manual", None, None, None)


@dataclass
class Airflow:
    """One run, whose task has a state."""

    state: str | None
    paused: bool = False
    scheduler: str = "healthy"
    base_url: str = "http://airflow"
    said: list[str] = field(default_factory=list)

    def task_instances(self, run: DagRun) -> list[TaskInstance]:
        return [TaskInstance("ingest", self.state, 2, -1)]

    def dags(self) -> dict[str, Dag]:
        return {"d.ingest": Dag("d.ingest", self.paused, False, "dag.py")}

    def health(self, *, tries: int = 1) -> dict[str, Any]:
        found = {"status": self.scheduler, "latest_scheduler_heartbeat": "2026-01-01T00:00:00Z"}
        return {"scheduler": found, "triggerer": {"status": None}}

    def log_error(self, run: DagRun, task: TaskInstance) -> str:
        return "SourceUnavailableError: refused"

    def task_url(self, run: DagRun, task_id: str) -> str:
        return f"http://airflow/{run.dag_id}/{task_id}"


def wait(airflow: Airflow, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look every second for some time."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    patience = Patience(cast("AirflowApi", airflow), airflow.said.append)
    for _ in range(int(seconds)):
        patience.check([RUN], [])
        now[0] += 1.0


@pytest.mark.parametrize("state", ["running", "deferred", "restarting"])
def test_a_task_at_work_may_take_hours(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wait(Airflow(state), 7200, monkeypatch)


def test_what_is_tried_again_is_waited_for_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = Airflow("up_for_retry")
    wait(airflow, 1000, monkeypatch)
    assert airflow.said == [
        "d.ingest 2024-01-01, task ingest: try 2 failed and is repeated later: "
        "SourceUnavailableError: refused"
    ]


def test_a_person_is_waited_for_and_the_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = Airflow("awaiting_input")
    wait(airflow, 1000, monkeypatch)
    assert airflow.said == [
        "d.ingest 2024-01-01, task ingest: waits for a person at http://airflow/d.ingest/ingest"
    ]


def test_paused_dag_is_named_at_the_first_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowStuckError, match=r"d\.ingest is paused and its run waits"):
        wait(Airflow("scheduled", paused=True), LOOK_CLOSER_S + 2, monkeypatch)


def test_dead_scheduler_is_named_after_it_had_time_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflow = Airflow("queued", scheduler="unhealthy")
    wait(airflow, PATIENCE_S - 20, monkeypatch)
    with pytest.raises(AirflowStuckError, match=r"the scheduler is unhealthy .last heartbeat 2026"):
        wait(airflow, PATIENCE_S + 20, monkeypatch)


def test_missing_worker_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowStuckError, match="no worker takes tasks"):
        wait(Airflow("queued"), PATIENCE_S + 20, monkeypatch)
