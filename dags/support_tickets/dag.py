"""The Dags of the support ticket model, all from its spec."""

from mlops_airflow.lifecycle import build_dags
from support_tickets.spec import MODEL

build_dags(MODEL, namespace=globals())
