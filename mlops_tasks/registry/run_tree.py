"""MLflow runs that attempts of one task share: found by their tags, closed when they are left."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

__all__ = [
    "ATTEMPT_TAG",
    "TRAINING_TAG",
    "close_orphans",
    "create_run",
    "ended_by_signal",
    "experiment_id",
    "scheduled_run",
    "unfinished_run",
]

# The task that a run is of, and the digest of all that it depends on.
ATTEMPT_TAG, TRAINING_TAG = "mlops.task", "mlops.training"
_KIND_TAG, _KIND = "mlflow.experimentKind", "custom_model_development"


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an experiment, which says of itself that it is no GenAI project."""
    import mlflow

    experiment = mlflow.set_experiment(name)
    if _KIND_TAG not in experiment.tags:  # else its page opens as one of traces and prompts
        client.set_experiment_tag(experiment.experiment_id, _KIND_TAG, _KIND)
    return str(experiment.experiment_id)


def create_run(client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str]) -> str:
    """Create a run with MLflow's own tags, such as the user, and these."""
    from mlflow.tracking.context.registry import resolve_tags

    found = client.create_run(experiment, run_name=name, tags=resolve_tags(dict(tags)))
    return str(found.info.run_id)


def unfinished_run(
    client: MlflowClient,
    experiment: str,
    tags: Mapping[str, str],
    *,
    opened: str = "",
    part: bool = False,
) -> str:
    """Return the run of an earlier attempt that may be gone on with; empty if there is none.

    `opened` is one that another task has opened for this one; `part` says that the run is part of
    another one: such a run may be gone on with when it is finished, too.
    """
    task, digest = tags.get(ATTEMPT_TAG), tags.get(TRAINING_TAG)
    if opened:
        run = client.get_run(opened)
        same = run.data.tags.get(TRAINING_TAG, digest) == digest
        if run.info.status != "FINISHED" and same:
            return opened
    if task is None or digest is None:
        return ""
    query = f"{_tagged(ATTEMPT_TAG, task)} and {_tagged(TRAINING_TAG, digest)}"
    if not part:  # a version may stand on a finished run
        query += " and attributes.status != 'FINISHED'"
    found = client.search_runs([experiment], query, max_results=1)
    return str(found[0].info.run_id) if found else ""


def scheduled_run(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> str:
    """Return the run that an earlier attempt has opened for another task; empty without."""
    task = tags.get(ATTEMPT_TAG)
    if task is None:
        return ""
    query = f"attributes.status = 'SCHEDULED' and {_tagged(ATTEMPT_TAG, task)}"
    found = client.search_runs([experiment], query, max_results=1)
    return str(found[0].info.run_id) if found else ""


def close_orphans(
    client: MlflowClient, experiment: str, tags: Mapping[str, str], *, but: str
) -> None:
    """Close what killed attempts of the same task have left running, but the one to go on with."""
    task = tags.get(ATTEMPT_TAG)
    if task is None:
        return
    query = f"attributes.status = 'RUNNING' and {_tagged(ATTEMPT_TAG, task)}"
    for run in client.search_runs([experiment], query):
        if run.info.run_id != but:
            client.set_terminated(run.info.run_id, "KILLED")


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Turn SIGTERM into an exception inside the block, so that the run can be closed.

    Airflow's own handler calls ``on_kill`` and returns: the task would go on until it is killed.
    """

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    try:
        previous = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: nobody sends it signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _tagged(tag: str, value: str) -> str:
    """Return the condition of a search that a tag has a value."""
    return f"tags.`{tag}` = '{value.replace(chr(39), '')}'"
