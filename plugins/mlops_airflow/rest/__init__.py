"""A small typed client of Airflow's REST API: what is needed to drive a loop and to read it."""

from mlops_airflow.rest.client import AirflowApi
from mlops_airflow.rest.http import AirflowApiError, LoginRefusedError
from mlops_airflow.rest.records import Dag, DagRun, PendingPartition, TaskInstance

__all__ = [
    "AirflowApi",
    "AirflowApiError",
    "Dag",
    "DagRun",
    "LoginRefusedError",
    "PendingPartition",
    "TaskInstance",
]
