"""The Dags of the machine failure model, all from its spec."""

from machine_failures.spec import MODEL
from mlops_airflow.lifecycle import build_dags

build_dags(MODEL, namespace=globals())
