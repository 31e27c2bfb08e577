"""MLflow, by Airflow connection."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException

from mlops_tasks.registry.tracking import ATTEMPT_TAG, Tracking

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_tasks.registry.versions import RegisteredVersion

__all__ = ["MlflowHook", "airflow_tags"]

_DEFAULTS = {
    # By default the client blocks for four minutes where a server is away: the task's retries wait.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # Read at its first import: nobody has asked for bars in logs, or for figures to be sent home.
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MlflowHook(BaseHook):
    """Give a client of the tracking server that a connection points at.

    Parameters
    ----------
    mlflow_conn_id : str, default "mlflow_default"
        Connection of type ``mlflow``: schema ``http`` or ``https``, host, port, login, password.
        The host may be the whole address, with a path: ``https://mlflow.example.com/team``.
    """

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "mlflow"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.mlflow_conn_id = mlflow_conn_id

    def get_conn(self, tags: dict[str, str] | None = None) -> Tracking:
        """Return the client; `tags` go to every run it opens."""
        connection: Any = self.get_connection(self.mlflow_conn_id)
        login = (connection.login, connection.password) if connection.login else None
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        return Tracking(self.get_uri(), tags or {}, login=login)

    def get_uri(self) -> str:
        """Return the address of the server, which holds no password."""
        connection: Any = self.get_connection(self.mlflow_conn_id)
        if connection.conn_type == "sqlite":  # a store without a server, for tests and notebooks
            return f"sqlite:///{connection.host}"
        host = str(connection.host or "").rstrip("/")
        if not host:
            raise AirflowException(
                f"connection {self.mlflow_conn_id!r} has no host; set it to that of the MLflow "
                "server, or to its whole address"
            )
        address = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        scheme, _, rest = address.partition("://")
        place, _, path = rest.partition("/")
        if connection.port and ":" not in place:
            place = f"{place}:{connection.port}"
        return f"{scheme}://{place}/{path}".rstrip("/")

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the server answers and takes the login: Airflow's Test button."""
        from mlops_airflow.hooks.mlflow_probe import probe_mlflow

        connection: Any = self.get_connection(self.mlflow_conn_id)
        login = (connection.login, connection.password or "") if connection.login else None
        return probe_mlflow(self.get_uri(), login)

    def run_url(self, tracking: Tracking, run_id: str) -> str:
        """Return the address of a run's page."""
        experiment = tracking.client.get_run(run_id).info.experiment_id
        return f"{self.get_uri()}/#/experiments/{experiment}/runs/{run_id}"

    def version_url(self, version: RegisteredVersion) -> str:
        """Return the address of a model version's page."""
        return f"{self.get_uri()}/#/models/{version.name}/versions/{version.version}"


def airflow_tags(context: Context) -> dict[str, str]:
    """Return the tags that lead from an MLflow run back to its Airflow task.

    Parameters
    ----------
    context : Context
        Of the running task.

    Returns
    -------
    dict of str to str
        Ids, partition, attempt, and a note with the link to the task's log.
    """
    ti: Any = context["ti"]
    url = ti.log_url
    bundle = getattr(ti, "bundle_instance", None)
    return {
        ATTEMPT_TAG: f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}",
        "airflow.dag_id": ti.dag_id,
        "airflow.run_id": ti.run_id,
        "airflow.task_id": ti.task_id,
        "airflow.try_number": str(ti.try_number),
        "airflow.partition_key": str(context.get("partition_key") or ""),
        "airflow.bundle_version": str(getattr(bundle, "version", None) or ""),
        "airflow.log_url": url,
        "mlflow.note.content": f"Made by Airflow: [{ti.dag_id} / {ti.task_id}]({url})",
    }
