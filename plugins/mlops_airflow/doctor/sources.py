"""The sources of the projects, each connection once: whether they can be reached from here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_airflow.doctor.finding import alarm, cannot_tell, fine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.doctor.finding import Finding
    from mlops_tasks.specs import DatasetSpec

__all__ = ["sources"]


def sources() -> Iterator[Finding]:
    """Open the connection of each source that a project in the Dag folder names."""
    from mlops_airflow.projects import read_projects
    from mlops_tasks.exceptions import TransientError

    found: dict[str, DatasetSpec] = {}
    for project in read_projects():
        if project.error:
            fix = "as it says; mlops check lists all of it"
            yield alarm("sources", project.error.splitlines()[0], str(project.file), fix)
        for dataset in project.datasets:
            if dataset.source.conn_id:
                found.setdefault(dataset.source.conn_id, dataset)
    for conn_id, dataset in sorted(found.items()):
        place = f"connection {conn_id}, of dataset {dataset.name}"
        failure = _failure(dataset)
        if failure is None:
            yield fine("sources", "opens", place)
        elif isinstance(failure, TransientError):
            yield cannot_tell("sources", str(failure), place, "look again once it answers")
        else:
            yield alarm("sources", str(failure), place, "as it says")


def _failure(dataset: DatasetSpec) -> Exception | None:
    from mlops_airflow.hooks.source import SourceHook
    from mlops_tasks.checks.data import connection_failure

    return connection_failure(
        dataset,
        lambda one: SourceHook(one.source.conn_id).get_source(one.source),
        datetime.now(UTC),
    )
