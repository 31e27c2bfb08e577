"""Wait until Airflow has nothing left to do, and stop at the first failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.airflow_api import AirflowApi
    from demo.airflow_records import DagRun, PendingPartition

    Watcher = Callable[[list[DagRun], list[PendingPartition]], None]

ACTIVE_STATES = ("queued", "running")
POLL_INTERVAL_S = 0.4
PATIENCE_S = 900.0


class RunFailedError(RuntimeError):
    """A Dag run failed; the message holds its address, the failed task and its last log lines.

    Parameters
    ----------
    run : DagRun
        The run.
    url : str
        Its page in Airflow's UI.
    task_id : str
        The first failed task.
    log : list of str
        The last lines of its log.
    """

    def __init__(self, run: DagRun, url: str, task_id: str, log: list[str]) -> None:
        self.run, self.url, self.task_id, self.log = run, url, task_id, log
        lines = "\n".join(f"    {line}" for line in log)
        super().__init__(
            f"{run.dag_id} failed for {run.partition_key}, in task {task_id!r}.\n"
            f"  Page: {url}\n  Last lines of its log:\n{lines}\n"
            "  Repair the cause, then start the demo again: it runs the failed tasks once more."
        )


class AirflowStuckError(RuntimeError):
    """Nothing moved in Airflow for a long time."""


def wait_until_quiet(
    api: AirflowApi,
    watch: Watcher,
    *,
    poll_interval_s: float = POLL_INTERVAL_S,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait until no run is active and none is about to start.

    An asset event becomes a run only some scheduler loops later, and a run may start and end
    between two requests. So Airflow counts as quiet when two looks in a row, the second at once,
    find no active run and no complete pending partition, and the number of runs is the same.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to wait for.
    watch : callable
        Called at each look with which runs are active and which are about to start.
    poll_interval_s, patience_s : float
        Seconds between two looks, and without any change until giving up.

    Raises
    ------
    RunFailedError
        If a run failed and no newer run of the same partition repairs it.
    AirflowStuckError
        If the same runs were active for `patience_s`.
    """
    quiet_at: int | None = None
    seen, changed_at = "", time.monotonic()
    while True:
        # One request while something runs: each costs the api-server time that tasks need.
        runs = api.runs(states=(*ACTIVE_STATES, "failed"))
        active = [run for run in runs if run.state in ACTIVE_STATES]
        if len(active) < len(runs):
            stop_at_failures(api)
        complete = [] if active else [p for p in api.pending_partitions() if p.is_complete]
        watch(active, complete)
        if not active and not complete:
            n_runs = api.count_runs()
            if n_runs == quiet_at:
                return
            quiet_at = n_runs
            continue
        quiet_at = None
        if (now_seen := describe(active, complete)) != seen:
            seen, changed_at = now_seen, time.monotonic()
        elif time.monotonic() - changed_at > patience_s:
            raise AirflowStuckError(
                f"nothing moved in Airflow for {patience_s:.0f} s; it waits for: {seen}. Look at "
                f"{api.base_url} whether a Dag is paused, and at the scheduler's log"
            )
        time.sleep(poll_interval_s)


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


def failures(api: AirflowApi) -> list[DagRun]:
    """List the failed runs that no newer run of the same partition has repaired.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to look at.

    Returns
    -------
    list of DagRun
        Oldest first.
    """
    failed = api.runs(states=("failed",))
    if not failed:
        return []
    # Runs come in the order of their creation: what remains is the newest run of a partition.
    newest = {(run.dag_id, run.partition_key): run.run_id for run in api.runs()}
    return [run for run in failed if newest[run.dag_id, run.partition_key] == run.run_id]


def stop_at_failures(api: AirflowApi) -> None:
    """Raise for the first failed run.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to look at.

    Raises
    ------
    RunFailedError
        If there is one.
    """
    for run in failures(api):
        tasks = [task for task in api.task_instances(run) if task.state == "failed"]
        if not tasks:
            raise RunFailedError(run, api.run_url(run), "(none: the run itself failed)", [])
        raise RunFailedError(run, api.run_url(run), tasks[0].task_id, api.log_tail(run, tasks[0]))
