"""The connections that a command works with."""

from __future__ import annotations

import os
from pathlib import Path

from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.recorded_connections import connection_variables
from mlops_airflow.stack.settings import StackSettings

__all__ = ["connect"]


def connect() -> None:
    """Use the connections of the environment, else those recorded, and of the embedded stack."""
    settings = StackSettings.from_env()
    if settings.secrets_file.exists():
        env = component_environment(settings, load_credentials(settings.secrets_file))
    else:  # no embedded stack yet, or another Airflow, where other connections come from
        env = connection_variables(settings.connections_file) | _before_a_stack(settings)
    for name, value in env.items():
        if name.startswith("AIRFLOW"):
            os.environ.setdefault(name, value)


def _before_a_stack(settings: StackSettings) -> dict[str, str]:
    """Say where the projects are before there is a stack, unless there is another Airflow.

    Airflow makes folders in its home as soon as it is imported: it gets that of the stack to come,
    and none in a person's own.
    """
    home = os.environ.get("AIRFLOW_HOME")
    is_other = home is not None or Path("~/airflow/airflow.cfg").expanduser().exists()
    found = {} if is_other else {"AIRFLOW_HOME": str(settings.airflow_home)}
    if "MLOPS_DAGS_FOLDER" in os.environ or not is_other:
        found["AIRFLOW__CORE__DAGS_FOLDER"] = str(settings.dags_folder)
    return found
