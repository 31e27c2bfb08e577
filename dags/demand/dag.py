"""The Dags of the demand model, all from its spec."""

from demand.spec import MODEL
from mlops_airflow.lifecycle import build_dags

build_dags(MODEL, namespace=globals())
