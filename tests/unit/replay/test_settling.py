"""Airflow counts as quiet only when nothing is left that could start by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from mlops_airflow.replay.exceptions import AirflowStuckError, RunFailedError
from mlops_airflow.replay.failures import failures
from mlops_airflow.replay.settling import wait_until_quiet
from mlops_airflow.rest import AirflowApi, Dag, DagRun, PendingPartition, TaskInstance

COMPLETE = PendingPartition("flight_delays.score", "2013-02-01", is_complete=True)
HALF = PendingPartition("flight_delays.monitor", "2013-02-01", is_complete=False)


def a_run(state: str, run_id: str = "r1", key: str = "2013-02-01") -> DagRun:
    return DagRun("flights.ingest", run_id, state, key, "manual", None, None, None)


@dataclass
class Airflow:
    """What Airflow shows at each look: active runs, pending partitions, number of runs."""

    looks: list[tuple[list[DagRun], list[PendingPartition], int]]
    known: list[DagRun] = field(default_factory=list)
    base_url: str = "http://airflow"
    position: int = -1

    def runs(self, *dag_ids: str, states: tuple[str, ...] = ()) -> list[DagRun]:
        if "queued" not in states:
            return [run for run in self.known if run.state in states]
        self.position = min(self.position + 1, len(self.looks) - 1)
        return self.looks[self.position][0]

    def runs_of(self, dag_id: str, key: str) -> list[DagRun]:
        return [run for run in self.known if (run.dag_id, run.partition_key) == (dag_id, key)]

    def dags(self) -> dict[str, Dag]:
        return {}

    def health(self, *, tries: int = 1) -> dict[str, Any]:
        return {"scheduler": {"status": "healthy"}}

    def pending_partitions(self, dag_ids: object = ()) -> list[PendingPartition]:
        return self.looks[self.position][1]

    def count_runs(self, *dag_ids: str) -> int:
        return self.looks[self.position][2]

    def task_instances(self, run: DagRun) -> list[TaskInstance]:
        return [TaskInstance("ingest", "success", 1, -1), TaskInstance("validate", "failed", 2, -1)]

    def log_tail(self, run: DagRun, task: TaskInstance, n_lines: int = 20) -> list[str]:
        return [f"last words of {task.task_id}"]

    def log_error(self, run: DagRun, task: TaskInstance) -> str:
        return f"ValueError: of {task.task_id}"

    def task_url(self, run: DagRun, task_id: str) -> str:
        return f"{self.run_url(run)}/tasks/{task_id}"

    def run_url(self, run: DagRun) -> str:
        return f"{self.base_url}/dags/{run.dag_id}/runs/{run.run_id}"


def wait(airflow: Airflow, **options: Any) -> list[str]:
    seen: list[str] = []

    def watch(active: list[DagRun], complete: list[PendingPartition]) -> None:
        seen.append(f"{len(active)}/{len(complete)}")

    wait_until_quiet(cast("AirflowApi", airflow), watch, poll_interval_s=0.0, **options)
    return seen


def test_quiet_after_two_equal_looks() -> None:
    assert wait(Airflow([([], [HALF], 5)])) == ["0/0", "0/0"]


def test_waits_for_active_runs_and_for_partitions_about_to_start() -> None:
    looks = [([a_run("running")], [], 1), ([], [COMPLETE], 1), ([a_run("queued")], [], 2)]
    assert wait(Airflow([*looks, ([], [], 2)])) == ["1/0", "0/1", "1/0", "0/0", "0/0"]


def test_run_that_came_and_went_between_two_looks_is_noticed() -> None:
    assert wait(Airflow([([], [], 1), ([], [], 2), ([], [], 2)])) == ["0/0", "0/0", "0/0"]


def test_failed_run_stops_with_page_task_and_log() -> None:
    failed = a_run("failed")
    with pytest.raises(RunFailedError) as caught:
        wait(Airflow([([failed], [], 1)], known=[failed]))
    text = str(caught.value)
    assert "flights.ingest failed for 2013-02-01, in task 'validate'" in text
    assert "http://airflow/dags/flights.ingest/runs/r1" in text
    assert "ValueError: of validate" in text
    assert "last words of validate" in text


def test_failed_run_without_failed_task_is_told_too() -> None:
    failed = a_run("failed")
    airflow = Airflow([([failed], [], 1)], known=[failed])
    airflow.task_instances = lambda run: []  # type: ignore[method-assign]
    with pytest.raises(RunFailedError, match="the run itself failed"):
        wait(airflow)


def test_newer_run_of_the_same_partition_repairs_a_failure() -> None:
    repaired = [a_run("failed", "r1"), a_run("success", "r2")]
    assert failures(cast("AirflowApi", Airflow([], known=repaired))) == []
    assert wait(Airflow([([repaired[0]], [], 2)], known=repaired)) == ["0/0", "0/0"]
    elsewhere = [a_run("failed", "r1"), a_run("success", "r2", key="2013-02-02")]
    assert failures(cast("AirflowApi", Airflow([], known=elsewhere))) == elsewhere[:1]


def test_standstill_is_an_error_that_names_what_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mlops_airflow.replay.patience.LOOK_CLOSER_S", 0.0)
    airflow = Airflow([([a_run("queued")], [], 1)])
    airflow.task_instances = lambda run: []  # type: ignore[method-assign]
    with pytest.raises(AirflowStuckError, match=r"flights.ingest\[2013-02-01\] queued"):
        wait(airflow, patience_s=0.0)


def test_runs_beside_are_neither_waited_for_nor_stopped_at() -> None:
    beside = [a_run("failed", "r1", key="2026-01-01"), a_run("running", "r2", key="2026-01-02")]
    airflow = Airflow([(beside, [], 2)], known=beside)
    assert wait(airflow, concerns=lambda key: key == "2013-02-01") == ["0/0", "0/0"]
    with pytest.raises(RunFailedError):
        wait(airflow)
