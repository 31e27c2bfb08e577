"""The components of the stack: their names and their command lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_airflow.stack.environment import tool
from mlops_airflow.stack.settings import LOOPBACK

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings

__all__ = ["COMPONENTS", "ENDED_BY_CHILD", "OUTLIVED_BY_TASKS", "component_commands"]

COMPONENTS = ("mlflow", "api-server", "scheduler", "triggerer", "dag-processor")

#: Components that end in order once their only child has ended. Asked itself, the triggerer ends
#: the child and then waits ten seconds for news from a pipe that is already closed.
ENDED_BY_CHILD = frozenset({"triggerer"})
#: Components whose tasks are left to finish when it dies.
OUTLIVED_BY_TASKS = frozenset({"scheduler"})


def component_commands(settings: StackSettings) -> dict[str, list[str]]:
    """Return the command line of every component.

    Parameters
    ----------
    settings : StackSettings
        The stack.

    Returns
    -------
    dict of str to list of str
        Command lines by component, in the order they are started.
    """
    airflow = tool("airflow")
    return {
        "mlflow": _mlflow(settings),
        "api-server": [
            airflow,
            "api-server",
            f"--host={LOOPBACK}",
            f"--port={settings.airflow_port}",
            "--workers=1",
        ],
        # The log servers of these two listen on every interface and have no setting for it.
        "scheduler": [airflow, "scheduler", "--skip-serve-logs"],
        "triggerer": [airflow, "triggerer", "--skip-serve-logs"],
        "dag-processor": [airflow, "dag-processor"],
    }


def _mlflow(settings: StackSettings) -> list[str]:
    return [
        tool("mlflow"),
        "server",
        "--app-name=mlops",  # mlops_airflow.mlflow_server: MLflow's own app asks for no login
        f"--host={LOOPBACK}",
        f"--port={settings.mlflow_port}",
        "--workers=1",
        f"--backend-store-uri=sqlite:///{settings.mlflow_home / 'mlflow.db'}",
        "--serve-artifacts",
        f"--artifacts-destination={(settings.mlflow_home / 'artifacts').as_uri()}",
        f"--allowed-hosts={LOOPBACK}:{settings.mlflow_port}",
    ]
