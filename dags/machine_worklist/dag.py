"""An ordinary Dag: starts when a model has scored a day, and runs operators of one's own."""

from datetime import timedelta

from airflow.sdk import DAG, Asset, PartitionedAssetTimetable

from machine_worklist.operators import WorklistOperator
from mlops_airflow.retries import task_defaults

SCORED = Asset(
    name="machine_failures.predictions",
    uri="x-mlops://machine_failures/predictions",
    group="dataset",
)

with DAG(
    "machine_worklist.report",
    schedule=PartitionedAssetTimetable(assets=SCORED),
    description="Which machines does the plant look at tomorrow?",
    doc_md="""### Which machines does the plant look at tomorrow?
    Starts for a day once `machine_failures` has scored it. `rank` names the ten machines that are
    likeliest to fail, in its log and as its result, for whoever plans the next day.""",
    catchup=False,
    tags=["mlops", "report", "machine_failures"],
    default_args={"owner": "plant-data"} | task_defaults(timedelta(days=1)),
):
    WorklistOperator(task_id="rank", predictions="machine_failures__predictions")
