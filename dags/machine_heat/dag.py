"""The Dags of the machine heat model, all from its spec."""

from machine_heat.spec import MODEL
from mlops_airflow.lifecycle import build_dags

build_dags(MODEL, namespace=globals())
