"""What every Dag of the loop has in common: retries, time limit, reports of failures, owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG

from mlops_airflow.retries import task_defaults
from mlops_airflow.run_conf import refuse_unknown_conf
from mlops_tasks.partitions import PERIOD

if TYPE_CHECKING:
    from datetime import timedelta

    from mlops_tasks.specs import ModelSpec

__all__ = ["loop_dag", "model_dag"]


def model_dag(model: ModelSpec, verb: str, doc: str, **kwargs: Any) -> DAG:
    """Build a Dag of a model, ``<model>.<verb>``, with its first line of documentation as title."""
    tags = ["mlops", verb, model.name]
    return loop_dag(f"{model.name}.{verb}", doc, owner=model.owner, tags=tags, **kwargs)


def loop_dag(
    dag_id: str, doc: str, *, owner: str, schedule: Any, period: timedelta = PERIOD, **kwargs: Any
) -> DAG:
    """Build a Dag of the loop; its tasks are done again or given up before the next `period`."""
    lines = [line.strip() for line in doc.strip().splitlines()]
    return DAG(
        dag_id,
        schedule=schedule,
        description=lines[0].removeprefix("### "),
        doc_md="\n".join(lines),
        catchup=False,
        # Else a file that imports another one's dataset would be taken for where its Dags are.
        auto_register=False,
        default_args={"owner": owner, "pre_execute": refuse_unknown_conf} | task_defaults(period),
        **kwargs,
    )
