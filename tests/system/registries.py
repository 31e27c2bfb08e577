"""An MLflow server and a ledger of a test's own, as one of several environments has them."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from mlops_airflow.stack.environment import tool
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.registry.tracking import Tracking
from tests.system.conftest import free_ports, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Environment:
    """An MLflow server, a ledger and a lake."""

    def __init__(self, home: Path, uri: str) -> None:
        self.home, self.uri, self.tracking = home, uri, Tracking(uri, login=None)
        self.ledger = Ledger(f"sqlite:///{home / 'ledger.db'}")
        self.lake = Lake(home / "lake")

    def fields(self) -> dict[str, dict[str, object]]:
        """Return the fields of the connections to the registry, the ledger and the lake."""
        scheme, _, host = self.uri.partition("://")
        return {
            "mlflow": {"conn_type": "mlflow", "schema": scheme, "host": host},
            "ledger": {"conn_type": "sqlite", "host": str(self.home / "ledger.db")},
            "lake": {"conn_type": "file", "extra": {"path": str(self.lake.root)}},
        }

    def connections(self, name: str = "DEFAULT") -> dict[str, str]:
        """Return the variables that give Airflow these connections, under a name."""
        return {
            f"AIRFLOW_CONN_{what.upper()}_{name}": json.dumps(fields)
            for what, fields in self.fields().items()
        }


@contextmanager
def serving(home: Path) -> Iterator[Environment]:
    """Start an MLflow server on a database in a folder that does not exist yet."""
    home.mkdir()
    (port,) = free_ports(1)
    command = [tool("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--workers", "1"]
    command += ["--artifacts-destination", str(home / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    uri = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return httpx.get(f"{uri}/health", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=os.environ | quiet, **silent) as server:
        try:
            wait_for(up, "MLflow answers", timeout_s=180)
            yield Environment(home, uri)
        finally:
            server.terminate()
