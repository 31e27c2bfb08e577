"""The connections that a command works with."""

from __future__ import annotations

import os

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
    else:  # no embedded stack: other connections come from elsewhere
        env = connection_variables(settings.connections_file)
    for name, value in env.items():
        if name.startswith("AIRFLOW"):
            os.environ.setdefault(name, value)
