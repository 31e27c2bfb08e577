"""What this package declares to Airflow's provider manager."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

__all__ = ["get_provider_info"]


_OPTIONS = {
    "retry_base_s": {
        "description": "Seconds before the first retry of a task; each further delay is doubled.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "30",
        "default": "10",
    },
    "retry_longest_s": {
        "description": "Longest delay between two attempts of a task, in seconds.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "1800",
        "default": "3600",
    },
    "time_limit_s": {
        "description": "Seconds after which a task is ended, whatever it does; an operator's "
        "execution_timeout wins.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "7200",
        "default": "1800",
    },
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description.

    Returns
    -------
    dict
        Package, connection types and links.
    """
    return {
        "package-name": "mlops-airflow",
        "name": "MLOps",
        "description": "The MLOps loop on Airflow and MLflow.",
        "versions": [version("mlops-airflow")],
        "connection-types": [
            {
                "connection-type": "mlflow",
                "hook-class-name": "mlops_airflow.hooks.mlflow.MlflowHook",
            }
        ],
        "config": {"mlops": {"description": "The MLOps loop.", "options": _OPTIONS}},
        "extra-links": [
            "mlops_airflow.links.MlflowRunLink",
            "mlops_airflow.links.MlflowModelVersionLink",
            "mlops_airflow.links.ReportLink",
        ],
    }
