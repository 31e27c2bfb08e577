"""MLflow's server behind a login: the app that ``mlflow server --app-name mlops`` serves.

MLflow's own app lets everybody in who reaches its port, and writes wherever a client says. Here
every route but ``/health`` asks for a login, and the server keeps artifacts in its own folder only.

MLflow's own image runs this package, too: it imports nothing else of this project.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mlops_airflow.mlflow_server.login import LoginRequired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_airflow.mlflow_server.login import AsgiApp

__all__ = ["PASSWORD_VARIABLE", "USER_VARIABLE", "create_app"]

USER_VARIABLE = "MLOPS_MLFLOW_USERNAME"
PASSWORD_VARIABLE = "MLOPS_MLFLOW_PASSWORD"  # noqa: S105 - a name
#: MLflow's own; `mlflow server --allowed-hosts` sets it.
_HOSTS_VARIABLE = "MLFLOW_SERVER_ALLOWED_HOSTS"


def create_app() -> AsgiApp:
    """Return MLflow's app, closed.

    Returns
    -------
    AsgiApp
        For uvicorn, which `mlflow server` starts.

    Raises
    ------
    RuntimeError
        If the environment names no user, password or host: an open server is never started.
    """
    from mlops_airflow.mlflow_server.locations import keep_artifacts_inside

    user, password = _setting(os.environ, USER_VARIABLE), _setting(os.environ, PASSWORD_VARIABLE)
    hosts = _setting(os.environ, _HOSTS_VARIABLE).split(",")
    keep_artifacts_inside()
    # Reads the environment when it is imported.
    from mlflow.server.fastapi_app import app

    return LoginRequired(app, user, password, hosts)


def _setting(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        msg = f"{name} is not set: MLflow's server does not start without a login and its own hosts"
        raise RuntimeError(msg)
    return value
