"""The connections that a command works with."""

from __future__ import annotations

import os

from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.settings import StackSettings

__all__ = ["connect"]


def connect() -> None:
    """Use the connections of the environment and of Airflow's store, else of the embedded stack."""
    # Else Airflow would look for them in the environment alone, as in a process of a task.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    settings = StackSettings.from_env()
    if not settings.secrets_file.exists():
        return  # no embedded stack: the connections come from elsewhere
    env = component_environment(settings, load_credentials(settings.secrets_file))
    for name, value in env.items():
        if name.startswith("AIRFLOW"):
            os.environ.setdefault(name, value)
