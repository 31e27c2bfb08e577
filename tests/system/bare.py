"""The built wheel in an environment of its own: an Airflow that knows nothing of the repository."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from tests.quality.discovery import ROOT
from tests.system.conftest import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

LOOPBACK = "127.0.0.1"
#: How long anything may take on a busy machine; what has ended is seen at once.
PATIENCE_S = 900
LOGIN = ("ada", "p@ss/w:rd %25")
_FOREIGN = (
    "AIRFLOW",
    "MLFLOW",
    "MLOPS",
    "_AIRFLOW",
    "_MLFLOW",
    "PYTHON",
    "VIRTUAL_ENV",
    "COVERAGE",
)


def build_wheel(folder: Path) -> Path:
    """Build the wheel as a release would."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
    (found,) = folder.glob("*.whl")
    return found


def bare_environment(home: Path) -> dict[str, str]:
    """Return the environment of this process without a trace of any Airflow, MLflow or Python."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return env | {"HOME": str(home), "AIRFLOW_HOME": str(home / "airflow")}


def run(*command: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command to its good end and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@dataclass
class BareAirflow:
    """An Airflow as people have it, and what they have made for it."""

    python: Path
    home: Path
    database: str
    airflow_port: int
    mlflow_port: int
    stack: ExitStack = field(repr=False)
    changes: dict[str, str] = field(default_factory=dict)
    started: dict[Path, subprocess.Popen[bytes]] = field(default_factory=dict, repr=False)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.airflow_port}"

    @property
    def env(self) -> dict[str, str]:
        options = {
            "CORE__DAGS_FOLDER": str(self.home / "projects"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__FERNET_KEY": "81HqDtbqAywKSOumSha3BhWNOdQ26slT6K0YaZeZyPs=",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "logins.json"),
            "CORE__PARALLELISM": "2",
            "DATABASE__SQL_ALCHEMY_CONN": self.database,
            "API__HOST": LOOPBACK,
            "API__PORT": str(self.airflow_port),
            "API__BASE_URL": self.url,
            "API__WORKERS": "1",
            "API_AUTH__JWT_SECRET": "a secret of this test that is long enough",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }
        return (
            bare_environment(self.home)
            | {"PATH": os.pathsep.join((str(self.python.parent), os.environ["PATH"]))}
            | {f"AIRFLOW__{name}": value for name, value in options.items()}
            | self.changes
        )

    def tool(self, name: str, *arguments: object) -> str:
        return run(self.python.parent / name, *arguments, env=self.env, cwd=self.home)

    def start(self, name: str, *arguments: object, env: dict[str, str] | None = None) -> None:
        """Start a server, which ends with the stack of this object."""
        file = self.home / f"{name}-{arguments[0]}.log"
        log = self.stack.enter_context(file.open("wb"))
        process = subprocess.Popen(
            [str(part) for part in (self.python.parent / name, *arguments)],
            env=self.env | (env or {}),
            cwd=self.home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self.stack.callback(_end, process)
        self.started[file] = process

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Poll until a condition holds, or a server has ended."""

        def holds() -> object:
            for log, process in self.started.items():
                end = log.read_text(errors="replace")[-2000:]
                assert process.poll() is None, f"{log.stem} has ended: {end}"
            return condition()

        wait_for(holds, what, timeout_s=PATIENCE_S)

    def doctor(self) -> tuple[int, dict[str, str]]:
        """Return the exit code of `mlops doctor`, and what it says by check."""
        done = subprocess.run(
            [str(self.python.parent / "mlops"), "doctor", "--json"],
            env=self.env,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        assert done.stdout.startswith("{"), done.stdout[-2000:] + done.stderr[-2000:]
        found = json.loads(done.stdout)["findings"]
        return done.returncode, {one["check"]: f"{one['answer']}: {one['found']}" for one in found}


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid)
        for one in (*family.children(recursive=True), family):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait(30)
