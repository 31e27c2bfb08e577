"""Start Dag runs by REST and read from Airflow when what happened."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlops_airflow.rest import AirflowApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_airflow.rest.http import AirflowHttp

__all__ = ["BenchmarkError", "RunTimes", "TaskTimes", "run_dag", "unpause", "wait_for_dags"]

#: Reading a run costs the api-server time that tasks need; its end is taken from Airflow's record.
POLL_S = 0.5
PARSE_TIMEOUT_S = 180.0
RUN_TIMEOUT_S = 900.0
_NOT_FOUND = 404


class BenchmarkError(RuntimeError):
    """A benchmark cannot go on."""


@dataclass(frozen=True, slots=True)
class TaskTimes:
    """When one task did what, in seconds since the epoch."""

    task_id: str
    started: float
    execute_began: float
    execute_ended: float
    ended: float


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When one run did what, in seconds since the epoch; its tasks in order."""

    dag_id: str
    triggered: float
    ended: float
    tasks: tuple[TaskTimes, ...]

    @property
    def wall_s(self) -> float:
        """Seconds from the REST request to the recorded success of the run."""
        return self.ended - self.triggered

    @property
    def execute_s(self) -> float:
        """Seconds inside the operators' ``execute``."""
        return sum(task.execute_ended - task.execute_began for task in self.tasks)

    def parts(self) -> dict[str, float]:
        """Split the wall time of the run, in seconds per task.

        Returns
        -------
        dict of str to float
            The parts add up to the wall time divided by the number of tasks.

        Examples
        --------
        >>> task = TaskTimes("a", started=1.0, execute_began=1.2, execute_ended=2.0, ended=2.1)
        >>> run = RunTimes("dag", triggered=0.5, ended=2.5, tasks=(task,))
        >>> run.parts()["execute"]
        0.8
        >>> round(sum(run.parts().values()), 6)
        2.0
        """
        before = [self.triggered, *(task.ended for task in self.tasks[:-1])]
        pairs = list(zip(self.tasks, before, strict=True))
        sums = {
            "until started": sum(task.started - end for task, end in pairs),
            "until execute": sum(task.execute_began - task.started for task in self.tasks),
            "execute": self.execute_s,
            "after execute": sum(task.ended - task.execute_ended for task in self.tasks),
            "end of run": self.ended - self.tasks[-1].ended,
        }
        return {name: seconds / len(self.tasks) for name, seconds in sums.items()}


def wait_for_dags(http: AirflowHttp, dag_ids: Iterable[str]) -> None:
    """Wait until Airflow has parsed some Dags.

    Parameters
    ----------
    http : AirflowHttp
        The Airflow.
    dag_ids : iterable of str
        The Dags.

    Raises
    ------
    BenchmarkError
        If one of them does not appear.
    """
    end = time.monotonic() + PARSE_TIMEOUT_S
    missing = set(dag_ids)
    while missing := {dag_id for dag_id in missing if not _is_parsed(http, dag_id)}:
        if time.monotonic() > end:
            errors = http.send("GET", "/api/v2/importErrors")["import_errors"]
            raise BenchmarkError(f"Airflow does not know {sorted(missing)}. Its errors: {errors}")
        time.sleep(POLL_S)


def unpause(http: AirflowHttp, dag_ids: Iterable[str]) -> None:
    """Let Dags run.

    Parameters
    ----------
    http : AirflowHttp
        The Airflow.
    dag_ids : iterable of str
        The Dags.
    """
    for dag_id in dag_ids:
        http.send("PATCH", f"/api/v2/dags/{quote(dag_id)}", json={"is_paused": False})


def run_dag(http: AirflowHttp, dag_id: str, partition_key: str | None) -> RunTimes:
    """Trigger a Dag, wait for its success and read its times.

    Parameters
    ----------
    http : AirflowHttp
        The Airflow.
    dag_id : str
        An unpaused Dag whose tasks run one after the other.
    partition_key : str or None
        Partition of the run.

    Returns
    -------
    RunTimes
        As Airflow recorded them.

    Raises
    ------
    BenchmarkError
        If the run fails or does not end.
    """
    run_id = f"benchmark__{time.time():.3f}"
    path = f"/api/v2/dags/{quote(dag_id)}/dagRuns"
    triggered = time.time()
    body = {
        "dag_run_id": run_id,
        "logical_date": None,
        # SQLite gives the scheduler whole seconds: a run due "now" would wait for the next one.
        "run_after": (datetime.now(UTC) - timedelta(seconds=1)).isoformat(),
        "partition_key": partition_key,
    }
    http.send("POST", path, json=body)
    run = _wait_for_end(http, f"{path}/{run_id}")
    rows = http.send("GET", f"{path}/{run_id}/taskInstances")["task_instances"]
    rows.sort(key=lambda row: row["start_date"])
    tasks = tuple(_task_times(http, f"{path}/{run_id}/taskInstances", row) for row in rows)
    return RunTimes(dag_id, triggered, _seconds(run["end_date"]), tasks)


def _is_parsed(http: AirflowHttp, dag_id: str) -> bool:
    try:
        http.send("GET", f"/api/v2/dags/{quote(dag_id)}")
    except AirflowApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return False
    return True


def _wait_for_end(http: AirflowHttp, path: str) -> dict[str, Any]:
    end = time.monotonic() + RUN_TIMEOUT_S
    while True:
        run = http.send("GET", path)
        if run["state"] == "success":
            return run
        if run["state"] == "failed" or time.monotonic() > end:
            tasks = http.send("GET", f"{path}/taskInstances")["task_instances"]
            states = {task["task_id"]: task["state"] for task in tasks}
            raise BenchmarkError(f"a run of {run['dag_id']} is {run['state']}; its tasks: {states}")
        time.sleep(POLL_S)


def _task_times(http: AirflowHttp, path: str, row: dict[str, Any]) -> TaskTimes:
    log = http.send(
        "GET",
        f"{path}/{quote(row['task_id'])}/logs/{row['try_number']}",
        params={"full_content": True},
    )
    began, ended = _execute_times(log["content"], row["task_id"])
    return TaskTimes(
        row["task_id"], _seconds(row["start_date"]), began, ended, _seconds(row["end_date"])
    )


def _execute_times(entries: list[Any], task_id: str) -> tuple[float, float]:
    """Find in a task's log the end of ``Pre Execute`` and the start of ``Post Execute``."""
    began = None
    group = ""
    for entry in entries:
        if not isinstance(entry, dict) or not entry.get("timestamp"):
            continue
        event = str(entry.get("event"))
        if event.startswith("::group::"):
            group = event.removeprefix("::group::")
        if event == "::endgroup::" and group == "Pre Execute" and began is None:
            began = _seconds(entry["timestamp"])
        if event == "::group::Post Execute" and began is not None:
            return began, _seconds(entry["timestamp"])
    raise BenchmarkError(f"the log of task {task_id!r} does not say when execute began and ended")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
