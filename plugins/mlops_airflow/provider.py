"""What this package tells Airflow's provider manager."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

__all__ = ["get_provider_info"]


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
        "extra-links": [
            "mlops_airflow.links.MlflowRunLink",
            "mlops_airflow.links.MlflowModelVersionLink",
            "mlops_airflow.links.ReportLink",
        ],
    }
