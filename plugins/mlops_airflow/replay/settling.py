"""Wait until Airflow has nothing left to do, and stop at the first failure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlops_airflow.replay.failures import stop_at_failures
from mlops_airflow.replay.patience import PATIENCE_S, Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mlops_airflow.rest import AirflowApi, DagRun, PendingPartition

    Concern = Callable[[DagRun | PendingPartition], bool]
    Watcher = Callable[[list[DagRun], list[PendingPartition]], None]

__all__ = ["ACTIVE_STATES", "wait_until_quiet"]

ACTIVE_STATES = ("queued", "running")
POLL_INTERVAL_S = 0.4


def _any(_: DagRun | PendingPartition) -> bool:
    """Look at all runs."""
    return True


def _silent(_: str) -> None:
    """Take a line and do nothing with it."""


def wait_until_quiet(
    api: AirflowApi,
    watch: Watcher,
    *,
    dag_ids: Collection[str] = (),
    concerns: Concern = _any,
    say: Callable[[str], None] = _silent,
    poll_interval_s: float = POLL_INTERVAL_S,
    patience_s: float = PATIENCE_S,
) -> None:
    """Wait until no run is active and none is about to start.

    An asset event becomes a run only some scheduler loops later, and a run may start and end
    between two requests. So Airflow counts as quiet when two looks in a row, the second at once,
    find no active run and no complete pending partition, and the number of runs is the same. A run
    that waits for a person is not waited for.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to wait for.
    watch : callable
        Called at each look with which runs are active and which are about to start.
    dag_ids : collection of str, optional
        Only runs of these Dags; others may go on for ever.
    concerns : callable, optional
        Whether a run matters; others are neither waited for nor stopped at.
    say : callable, optional
        Called with a line about what takes long.
    poll_interval_s : float
        Seconds between two looks.
    patience_s : float
        Seconds that tasks may wait while none runs.

    Raises
    ------
    RunFailedError
        If a run failed and no newer run of the same partition repairs it.
    AirflowStuckError
        If a Dag is paused whose run waits, or nothing has run for `patience_s`.
    """
    quiet_at: int | None = None
    told: set[str] = set()
    patience = Patience(api, say, patience_s=patience_s)
    while True:
        # One request while something runs: each costs the api-server time that tasks need.
        found = api.runs(*dag_ids, states=(*ACTIVE_STATES, "failed"))
        runs = [run for run in found if concerns(run)]
        stop_at_failures(api, runs)
        active = [run for run in runs if run.state in ACTIVE_STATES]
        active = [run for run in active if not _waits_for_person(api, run, told, say)]
        complete = [] if active else _complete(api, dag_ids, concerns)
        watch(active, complete)
        if not active and not complete:
            n_runs = api.count_runs(*dag_ids)
            if n_runs == quiet_at:
                return
            quiet_at = n_runs
            continue
        quiet_at = None
        patience.check(active, complete)
        time.sleep(poll_interval_s)


def _waits_for_person(
    api: AirflowApi, run: DagRun, told: set[str], say: Callable[[str], None]
) -> bool:
    """Return whether a release waits for a person, which may take days; say so once."""
    if not run.dag_id.endswith(".release") or not api.waits_for_person(run):
        return False
    if run.run_id not in told:
        told.add(run.run_id)
        where = api.task_url(run, "approve")
        say(f"{run.dag_id} for version {run.partition_key} waits for a person at {where}")
    return True


def _complete(
    api: AirflowApi, dag_ids: Collection[str], concerns: Concern
) -> list[PendingPartition]:
    pending = api.pending_partitions(dag_ids)
    return [part for part in pending if part.is_complete and concerns(part)]
