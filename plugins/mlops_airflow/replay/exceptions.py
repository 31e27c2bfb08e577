"""Why a replay ends early."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_airflow.rest import DagRun

__all__ = [
    "AirflowStuckError",
    "DagsNotReadyError",
    "NoFirstChampionError",
    "ReplayError",
    "RunFailedError",
]


class ReplayError(RuntimeError):
    """The replay cannot go on."""


class DagsNotReadyError(ReplayError):
    """Airflow does not have the Dags of the model, or cannot read their files."""


class AirflowStuckError(ReplayError):
    """Nothing moves in Airflow."""


class NoFirstChampionError(ReplayError):
    """The gate has refused the first model."""


class RunFailedError(ReplayError):
    """A Dag run failed; the message holds its address, the failed task and its first error.

    Parameters
    ----------
    run : DagRun
        The run.
    url : str
        Page of the task in Airflow's UI.
    task_id : str
        The first failed task.
    error : str
        The first error of its log, one line.
    log : list of str, optional
        The last lines of its log.
    """

    def __init__(
        self, run: DagRun, url: str, task_id: str, error: str, log: list[str] | None = None
    ) -> None:
        self.run, self.url, self.task_id, self.error, self.log = run, url, task_id, error, log or []
        lines = "".join(f"\n    {line}" for line in self.log)
        super().__init__(
            f"{run.dag_id} failed for {run.partition_key}, in task {task_id!r} of run "
            f"{run.run_id}:\n  {error}\n  {url}"
            + (f"\n  The end of its log:{lines}" if lines else "")
            + "\n  Fix the cause and run the same command again: it repeats what failed."
        )
