"""An ordinary Dag of single operators: waits for a table of others, makes rows, trains, scores."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import DAG, Asset, CronPartitionTimetable, TriggerRule, task

from mlops_airflow.hooks.lake import LakeHook
from mlops_airflow.operators.evaluate import EvaluateModelOperator
from mlops_airflow.operators.promote import PromoteModelOperator
from mlops_airflow.operators.register import RegisterModelOperator
from mlops_airflow.operators.score import ScorePartitionOperator
from mlops_airflow.operators.smoke_test import SmokeTestModelOperator
from mlops_airflow.operators.train import TrainModelOperator
from mlops_airflow.operators.validate import ValidatePartitionOperator
from mlops_airflow.retries import task_defaults
from mlops_airflow.sensors.partitions import PartitionSensor
from mlops_tasks.specs import DatasetSpec, FunctionSource
from poor_visibility.model import MEASURED, hours

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.partitions import Partition

HOURS = DatasetSpec(
    name="visibility_hours",
    description="Hours of weather at the airports, and what can be seen three hours later.",
    owner="airline-data",
    source=FunctionSource(),  # the task below
    columns={
        "origin": "string",
        "observed_at": "timestamp",
        **dict.fromkeys((*MEASURED, "visib_later"), "float64?"),
    },
    key=("origin", "observed_at"),
    start=date(2013, 1, 1),
    end=date(2013, 12, 31),
)
SCORES = Asset("poor_visibility.predictions", uri="x-mlops://poor_visibility/predictions")
DAY = "{{ partition_key }}"


def before(days: int) -> str:
    """Return the template of the day so many days before that of the run."""
    return f"{{{{ macros.ds_add(partition_key, -{days}) }}}}"


with DAG(
    "poor_visibility.score",
    schedule=CronPartitionTimetable(
        "0 4 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"
    ),
    start_date=datetime(2013, 1, 1),
    end_date=datetime(2014, 1, 1),
    catchup=False,
    max_active_runs=1,
    description="Will pilots see less than five miles in three hours?",
    doc_md="""### Will pilots see less than five miles in three hours?
    Single operators in an ordinary Dag: waits for the `weather` of the day, makes rows of it by a
    function, trains on the days before, judges on the last week and scores the day. Trigger with
    a partition key, the day as YYYY-MM-DD.""",
    tags=["mlops", "score", "poor_visibility"],
    default_args={"owner": "airline-ml"} | task_defaults(timedelta(days=1)),
):
    wait = PartitionSensor(
        task_id="wait", table="weather", deferrable=True, poke_interval=30, timeout=6 * 3600
    )

    @task.mlops_ingest(dataset=HOURS)
    def make_rows(partition: Partition) -> pa.Table:
        """Return the rows of a day, made of what others have published."""
        return hours(LakeHook().get_conn(), partition.key)

    raw = make_rows()
    rows = ValidatePartitionOperator(task_id="validate", dataset=HOURS, raw=raw)
    train = TrainModelOperator(
        task_id="train",
        name="poor_visibility",
        table=HOURS,
        target="visib_later < 5",
        categorical=("origin",),
        numeric=MEASURED,
        estimator="poor_visibility.model:build",
        first=before(60),
        last=before(7),
        as_of=DAY,
    )
    verdict = EvaluateModelOperator(
        task_id="evaluate", trained=train.output, first=before(6), last=DAY, as_of=DAY
    ).output
    registered = RegisterModelOperator(
        task_id="register", model="poor_visibility", trained=train.output, verdict=verdict
    ).output
    tested = SmokeTestModelOperator(task_id="smoke_test", registered=registered)
    promote = PromoteModelOperator(
        task_id="promote", model="poor_visibility", registered=registered, verdict=verdict
    )
    score = ScorePartitionOperator(
        task_id="score",
        model="poor_visibility",
        table=HOURS,
        outlets=[SCORES],
        trigger_rule=TriggerRule.NONE_FAILED,
    )
    wait >> raw >> rows >> train
    tested >> promote >> score
