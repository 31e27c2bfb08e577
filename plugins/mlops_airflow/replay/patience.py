"""How long to wait while nothing changes in Airflow, and what to say of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlops_airflow.replay.exceptions import AirflowStuckError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlops_airflow.rest import AirflowApi, DagRun, PendingPartition, TaskInstance

__all__ = ["Patience", "describe"]

#: Seconds without any change before a closer look, and between two of them.
LOOK_CLOSER_S = 15.0
#: Seconds that tasks may wait while none runs: longer than a dead scheduler needs to be back.
PATIENCE_S = 180.0

_AT_WORK = ("running", "restarting", "deferred", "up_for_reschedule")


class Patience:
    """Wait for tasks that run however long they take, and give up where none does.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to wait for.
    say : callable
        Called with a line about what takes long.
    patience_s : float
        Seconds that tasks may wait while none runs.
    """

    def __init__(
        self, api: AirflowApi, say: Callable[[str], None], *, patience_s: float = PATIENCE_S
    ) -> None:
        self._api, self._say, self._patience_s = api, say, patience_s
        self._seen, self._changed_at, self._looked_at = "", 0.0, 0.0
        self._said: set[str] = set()

    def check(self, active: list[DagRun], complete: list[PendingPartition]) -> None:
        """Look at what goes on.

        Parameters
        ----------
        active : list of DagRun
            Runs queued or running.
        complete : list of PendingPartition
            Partitions about to become runs.

        Raises
        ------
        AirflowStuckError
            If a Dag is paused whose run waits, or nothing has run for `patience_s`.
        """
        now, seen = time.monotonic(), describe(active, complete)
        if seen != self._seen:
            self._seen, self._changed_at, self._looked_at = seen, now, now
        elif now - self._looked_at >= LOOK_CLOSER_S:
            self._looked_at = now
            self._look_closer(active)

    def _look_closer(self, active: list[DagRun]) -> None:
        tasks = [(run, task) for run in active for task in self._api.task_instances(run)]
        self._report(tasks)
        waits = ("up_for_retry", "awaiting_input")
        if any(task.state in _AT_WORK or task.state in waits for _, task in tasks):
            self._changed_at = time.monotonic()
            return
        dags = self._api.dags()
        if paused := sorted(
            {r.dag_id for r in active if r.dag_id in dags and dags[r.dag_id].is_paused}
        ):
            raise AirflowStuckError(
                f"{', '.join(paused)} is paused and its run waits. Unpause it in Airflow, or by "
                "`mlops start`, and run the same command again"
            )
        waited = time.monotonic() - self._changed_at
        if waited >= self._patience_s:
            raise AirflowStuckError(
                f"nothing has run in Airflow for {waited:.0f} s, and these wait: {self._seen}. "
                f"{self._health()}"
            )

    def _report(self, tasks: Iterable[tuple[DagRun, TaskInstance]]) -> None:
        """Say once what is tried again, and what waits for a person."""
        for run, task in tasks:
            name = f"{run.dag_id} {run.partition_key}, task {task.task_id}"
            line = ""
            if task.state == "up_for_retry":
                why = self._api.log_error(run, task)
                line = f"{name}: try {task.try_number} failed and is repeated later: {why}"
            elif task.state == "awaiting_input":
                line = f"{name}: waits for a person at {self._api.task_url(run, task.task_id)}"
            if line and line not in self._said:
                self._said.add(line)
                self._say(line)

    def _health(self) -> str:
        health = self._api.health(tries=3)
        ill = [
            f"the {name.replace('_', '-')} is {found['status']} (last heartbeat "
            f"{found.get(f'latest_{name}_heartbeat') or 'never'})"
            for name, found in health.items()
            if found.get("status") not in ("healthy", None)
        ]
        if ill:
            return f"Of Airflow {' and '.join(ill)}: start it again; `mlops status` shows it"
        return (
            "Airflow's components are healthy, so no worker takes tasks: look at the workers, "
            f"their queues and pools, and at {self._api.base_url}"
        )


def describe(active: list[DagRun], complete: list[PendingPartition]) -> str:
    """Name what Airflow is busy with, in one line.

    Parameters
    ----------
    active : list of DagRun
        Runs queued or running.
    complete : list of PendingPartition
        Partitions about to become runs.

    Returns
    -------
    str
        Sorted, so that two equal states read the same.
    """
    names = {f"{run.dag_id}[{run.partition_key}] {run.state}" for run in active}
    names |= {f"{part.dag_id}[{part.partition_key}] about to start" for part in complete}
    return ", ".join(sorted(names))
