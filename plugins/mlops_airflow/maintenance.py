"""The Dag that looks after what all the others leave behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, CronPartitionTimetable, Param

from mlops_airflow.operators.maintenance import MaintainOperator
from mlops_airflow.retries import task_defaults
from mlops_airflow.run_conf import refuse_unknown_conf
from mlops_tasks.partitions import PARTITION_FORMAT, PERIOD

__all__ = ["build_maintenance"]


def build_maintenance(
    *, namespace: dict[str, Any], cron: str = "30 4 * * *", keep_days: int = 90
) -> None:
    """Build ``mlops.maintenance`` and put it where Airflow finds it.

    Parameters
    ----------
    namespace : dict
        ``globals()`` of the Dag file.
    cron : str, default "30 4 * * *"
        When it runs, in UTC.
    keep_days : int, default 90
        Days that logs, reports, runs and old versions of partitions are kept.
    """
    with DAG(
        "mlops.maintenance",
        schedule=CronPartitionTimetable(cron, timezone="UTC", key_format=PARTITION_FORMAT),
        start_date=datetime(2024, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        description="End what dead tasks left, and remove what nothing needs",
        doc_md=_DOC,
        tags=["mlops", "maintenance"],
        default_args={"owner": "mlops", "pre_execute": refuse_unknown_conf} | task_defaults(PERIOD),
        params={
            "dry_run": Param(False, type="boolean", description="Only report what would be done"),
            "keep_days": Param(
                keep_days,
                type="integer",
                minimum=1,
                maximum=3650,
                description="Days that logs, reports, runs and old versions are kept",
            ),
        },
    ) as dag:
        MaintainOperator(task_id="maintain")
    namespace["mlops_maintenance"] = dag


_DOC = """
### End what dead tasks left, and remove what nothing needs
Every night: MLflow runs whose task is over are ended as KILLED, versions that a killed registration
made twice are removed, tables are compacted, and old files, runs, reports, task logs and temporary
folders are removed. Champion, challenger and previous, every pin and whatever else the ledger names
stay. The block in the log says what was removed and what was kept, and why; one part that fails
stops no other. Trigger it with `dry_run` to see what it would do.
"""
