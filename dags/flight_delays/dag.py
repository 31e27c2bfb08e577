"""The Dags of the flight delay model, all from its spec."""

from flight_delays.spec import MODEL
from mlops_airflow.lifecycle import build_dags

build_dags(MODEL, namespace=globals())
