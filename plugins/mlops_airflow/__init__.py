"""The MLOps loop for Apache Airflow: operators, hooks, Dags from specs, and a local stack."""

from mlops_airflow.moved import MOVED
from mlops_tasks.moved import serve_old_paths

__all__: list[str] = []

serve_old_paths("mlops_airflow", MOVED)
