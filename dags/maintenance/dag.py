"""The Dag of the nightly maintenance; `mlops_airflow.maintenance` says what it does."""

from mlops_airflow.maintenance import build_maintenance

build_maintenance(namespace=globals())
