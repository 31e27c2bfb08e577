"""The monthly Dag that trains a version of a model again, from its record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronPartitionTimetable

from mlops_airflow.forms import reproduce_form
from mlops_airflow.operators.reproduce import ReproduceModelOperator
from mlops_airflow.retries import task_defaults
from mlops_airflow.run_conf import refuse_unknown_conf
from mlops_tasks.partitions import PERIOD

if TYPE_CHECKING:
    from mlops_tasks.specs import ModelSpec

__all__ = ["reproduce_dag"]

_MONTHLY = "0 6 1 * *"
_DOC = """### Train a version of `{name}` again, from its record: is it the same model?
Every month for the champion, or from its form for any version. In a virtual environment made anew
from the recorded one, with the recorded sources, pin and seeds; nothing is registered. Succeeds
when the model is the same, fails when it is another one and names the first input that differs, and
is skipped when it cannot be told, as where pinned rows were removed."""


def reproduce_dag(model: ModelSpec) -> DAG:
    """Build ``<model>.reproduce``.

    Parameters
    ----------
    model : ModelSpec
        The model.
    """
    with DAG(
        f"{model.name}.reproduce",
        # Without a start date the first run is at the next tick; with one in the past it would be
        # at once, when a model is started and has no champion yet. So it would for three days after
        # a tick, too: by default Airflow catches up with one a tenth of the period ago, and takes
        # False for the default.
        schedule=CronPartitionTimetable(
            _MONTHLY, timezone="UTC", key_format="%Y-%m-%d", run_immediately=timedelta(0)
        ),
        catchup=False,
        max_active_runs=1,
        auto_register=False,
        description=f"Train a version of {model.name} again, from its record: is it the same?",
        doc_md=_DOC.format(name=model.name),
        tags=["mlops", "reproduce", model.name],
        params=reproduce_form(),
        default_args={"owner": model.owner, "pre_execute": refuse_unknown_conf}
        | task_defaults(PERIOD),
    ) as dag:
        ReproduceModelOperator(
            task_id="reproduce", model=model, model_version="{{ params.version or '' }}"
        )
    return dag
