"""Seven tasks in a row that do nothing: all of a run's time is what Airflow takes for itself."""

from __future__ import annotations

from airflow.sdk import chain, dag, task


@dag(
    dag_id="benchmark.sequence",
    schedule=None,
    tags=["benchmark"],
    doc_md="Seven tasks in a row that do nothing, to time what Airflow takes for itself.",
)
def sequence() -> None:
    @task
    def nothing() -> None:
        """Do nothing."""

    chain(*(nothing.override(task_id=f"task_{number}")() for number in range(1, 8)))


sequence()
