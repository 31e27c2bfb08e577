"""Failed runs: which of them count, and what they failed of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.replay.exceptions import RunFailedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mlops_airflow.rest import AirflowApi, DagRun

__all__ = ["failures", "stop_at_failures"]


def failures(api: AirflowApi, dag_ids: Collection[str] = ()) -> list[DagRun]:
    """List the failed runs that no newer run of the same partition has repaired.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to look at.
    dag_ids : collection of str, optional
        Only runs of these Dags.

    Returns
    -------
    list of DagRun
        Oldest first.
    """
    return [run for run in api.runs(*dag_ids, states=("failed",)) if not _is_repaired(api, run)]


def stop_at_failures(api: AirflowApi, runs: Iterable[DagRun]) -> None:
    """Raise for the first failed run.

    Parameters
    ----------
    api : AirflowApi
        The Airflow to look at.
    runs : iterable of DagRun
        Its runs, in any state.

    Raises
    ------
    RunFailedError
        If there is one that no newer run of the same partition has repaired.
    """
    for run in runs:
        if run.state == "failed" and not _is_repaired(api, run):
            raise _run_failed(api, run)


def _is_repaired(api: AirflowApi, run: DagRun) -> bool:
    if run.partition_key is None:
        return False
    # Runs come in the order of their creation.
    return api.runs_of(run.dag_id, run.partition_key)[-1].run_id != run.run_id


def _run_failed(api: AirflowApi, run: DagRun) -> RunFailedError:
    tasks = [task for task in api.task_instances(run) if task.state == "failed"]
    if not tasks:
        return RunFailedError(run, api.run_url(run), "(none)", "the run itself failed")
    (task, *_), url = tasks, api.task_url(run, tasks[0].task_id)
    return RunFailedError(
        run, url, task.task_id, api.log_error(run, task), api.log_tail(run, task, n_lines=8)
    )
