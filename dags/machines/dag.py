"""The Dags of the datasets that the machine models share."""

from machines.spec import READINGS, TRENDS
from mlops_airflow.lifecycle import build_dataset_dags

build_dataset_dags(READINGS, namespace=globals())
build_dataset_dags(TRENDS, namespace=globals())
