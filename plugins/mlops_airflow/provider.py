"""What this package declares to Airflow's provider manager."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

__all__ = ["get_provider_info"]

_NAME = "MLOps"
_STEPS = (
    *("ingest", "validate", "pin", "train", "evaluate", "register", "promote"),
    *("score", "monitor", "decide", "maintenance"),
)
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


def _modules(*names: str) -> list[dict[str, Any]]:
    paths = [f"mlops_airflow.{name}" for name in names]
    return [{"integration-name": _NAME, "python-modules": paths}]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description.

    Returns
    -------
    dict
        Package, connection types, links, operators, sensors, triggers and decorators.
    """
    return {
        "package-name": "mlops-airflow",
        "name": _NAME,
        "description": "The MLOps loop on Airflow and MLflow.",
        "versions": [version("mlops-airflow")],
        "connection-types": [
            {
                "connection-type": "mlflow",
                "hook-class-name": "mlops_airflow.hooks.mlflow.MlflowHook",
            }
        ],
        "integrations": [{"integration-name": _NAME, "tags": ["software"]}],
        "operators": _modules(*(f"operators.{name}" for name in _STEPS)),
        "sensors": _modules("sensors.partitions"),
        "triggers": _modules("triggers.partitions"),
        "task-decorators": [
            {"name": f"mlops_{step}", "class-name": f"mlops_airflow.decorators.{step}.{step}_task"}
            for step in ("ingest", "train")
        ],
        "config": {"mlops": {"description": "The MLOps loop.", "options": _OPTIONS}},
        "extra-links": [
            "mlops_airflow.links.MlflowRunLink",
            "mlops_airflow.links.MlflowModelVersionLink",
            "mlops_airflow.links.ReportLink",
        ],
    }
