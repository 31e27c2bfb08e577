"""The connections that a command works with."""

from __future__ import annotations

import os

from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.settings import StackSettings

__all__ = ["connect"]


def connect() -> None:
    """Use the connections of the environment, else those of the embedded stack."""
    settings = StackSettings.from_env()
    if not settings.secrets_file.exists():
        return  # no embedded stack: the connections come from elsewhere
    env = component_environment(settings, load_credentials(settings.secrets_file))
    for name, value in env.items():
        if name.startswith("AIRFLOW"):
            os.environ.setdefault(name, value)
