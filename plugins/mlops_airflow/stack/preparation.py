"""Make a home ready: folders, secrets and databases; nothing is done twice."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_airflow.stack.credentials import (
    ADMIN_USER,
    KEYS,
    Credentials,
    load_credentials,
    write_private,
)
from mlops_airflow.stack.environment import tool
from mlops_airflow.stack.exceptions import StackSetupError
from mlops_airflow.stack.redaction import Redactor, environment_secrets
from mlops_airflow.stack.secret_holders import component_environments

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mlops_airflow.stack.settings import StackSettings

__all__ = ["make_home", "prepare"]

_MARKER = "prepared.json"
_LAST_CHARACTERS = 2000
_TIMEOUT_S = 300


def make_home(settings: StackSettings) -> None:
    """Create the folders of a stack, closed to everybody else.

    Parameters
    ----------
    settings : StackSettings
        The stack.
    """
    for folder in (
        settings.home,
        settings.airflow_home,
        settings.airflow_home / "logs",
        settings.mlflow_home,
        settings.mlflow_home / "artifacts",
        settings.home / "keys",
        settings.home / "lake",
        settings.logs_folder,
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)


def prepare(settings: StackSettings, report: Callable[[str], None]) -> Credentials:
    """Make a home ready to start from.

    Parameters
    ----------
    settings : StackSettings
        The stack; its home exists and is locked by the caller.
    report : callable
        Called with what is being done, one short line at a time.

    Returns
    -------
    Credentials
        The secrets of the stack.

    Raises
    ------
    StackSetupError
        If a database cannot be created or migrated.
    """
    credentials = load_credentials(settings.secrets_file)
    passwords = json.dumps({ADMIN_USER: credentials.admin_password}) + "\n"
    write_private(settings.passwords_file, passwords)
    for key in KEYS:
        write_private(settings.key_file(key), getattr(credentials, key))
    marker = settings.home / _MARKER
    databases = (settings.airflow_home / "airflow.db", settings.mlflow_home / "mlflow.db")
    # Both tools need seconds to find out that there is nothing to do.
    wanted = json.dumps(_versions())
    if not (
        all(db.exists() for db in databases) and marker.exists() and marker.read_text() == wanted
    ):
        report("Preparing the databases of Airflow and MLflow")
        if not marker.exists():  # an interrupted first set-up leaves tables half made
            for database in databases:
                database.unlink(missing_ok=True)
        _migrate(settings, credentials)
        write_private(marker, wanted)
    for database in filter(Path.exists, databases):  # another may be set in their place
        _let_readers_go_on(database)
    return credentials


def _let_readers_go_on(database: Path) -> None:
    """Set the write-ahead log of an SQLite file: reading does not wait for a writer. It is kept."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _migrate(settings: StackSettings, credentials: Credentials) -> None:
    components = component_environments(settings, credentials)
    environments = {"airflow": components["scheduler"], "mlflow": components["mlflow"]}
    commands = {
        "airflow": [tool("airflow"), "db", "migrate"],
        # Left to the server, several processes would create the tables at once and break them.
        "mlflow": [
            tool("mlflow"),
            "db",
            "upgrade",
            f"sqlite:///{settings.mlflow_home / 'mlflow.db'}",
        ],
    }
    running = {
        name: _start(settings, command, environments[name]) for name, command in commands.items()
    }
    try:
        outputs = {name: _finish(process) for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()  # has ended already, unless the set-up was interrupted
            process.wait()
    redact = Redactor({*credentials.values(), *environment_secrets(environments["airflow"])})
    for name, (returncode, output) in outputs.items():
        write_private(settings.component_log(f"setup-{name}"), redact(output))
        if returncode != 0:
            msg = (
                f"`{name} {' '.join(commands[name][1:])}` failed with code {returncode}. "
                f"Its last lines:\n{redact(output)[-_LAST_CHARACTERS:]}"
            )
            raise StackSetupError(msg)


def _start(
    settings: StackSettings, command: list[str], env: Mapping[str, str]
) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own commands, no shell
        command,
        env=dict(env),
        cwd=settings.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=0o077,
    )


def _finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        output, _ = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        output += f"\n(ended after {_TIMEOUT_S} s)"
    return process.returncode, output


def _versions() -> dict[str, str]:
    packages = ("alembic", "apache-airflow-core", "mlflow", "sqlalchemy")
    return {name: version(name) for name in packages}
