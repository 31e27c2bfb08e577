from __future__ import annotations

import contextlib
import json
import shlex
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack import preparation
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.exceptions import StackSetupError
from mlops_airflow.stack.preparation import make_home, prepare

if TYPE_CHECKING:
    from mlops_airflow.stack.settings import StackSettings

#: Stands for `airflow` and `mlflow`: writes down how it was called and makes its database.
TOOL = """#!/bin/sh
echo "$0 $@ $AIRFLOW_HOME" >> "$MLOPS_HOME/calls"
echo "key: $($AIRFLOW__CORE__FERNET_KEY_CMD)"
mkdir -p "$MLOPS_HOME/airflow" "$MLOPS_HOME/mlflow"
touch "$MLOPS_HOME/airflow/airflow.db" "$MLOPS_HOME/mlflow/mlflow.db"
exit {code}
"""


@pytest.fixture
def tools(made_home: StackSettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = made_home.home / "bin"
    folder.mkdir()
    monkeypatch.setattr(preparation, "tool", lambda name: str(folder / name))
    for name in ("airflow", "mlflow"):
        install(folder / name, code=0)
    return folder


def install(path: Path, *, code: int) -> None:
    path.write_text(TOOL.format(code=code))
    path.chmod(0o755)


def calls(settings: StackSettings) -> list[str]:
    file = settings.home / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    return sorted(" ".join([Path(line).name, *rest]) for line, *rest in map(str.split, lines))


def test_databases_are_made_once(made_home: StackSettings, tools: Path) -> None:
    told: list[str] = []

    first = prepare(made_home, told.append)
    second = prepare(made_home, told.append)

    assert first == second
    assert told == ["Preparing the databases of Airflow and MLflow"]
    assert calls(made_home) == [
        f"airflow db migrate {made_home.airflow_home}",
        f"mlflow db upgrade sqlite:///{made_home.mlflow_home}/mlflow.db",
    ]


def test_databases_have_a_write_ahead_log(made_home: StackSettings, tools: Path) -> None:
    prepare(made_home, str)

    for name in ("airflow/airflow.db", "mlflow/mlflow.db"):
        with contextlib.closing(sqlite3.connect(made_home.home / name)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("lost", ["prepared.json", "airflow/airflow.db", "mlflow/mlflow.db"])
def test_what_was_lost_is_made_again(made_home: StackSettings, tools: Path, lost: str) -> None:
    prepare(made_home, str)
    (made_home.home / lost).unlink()

    prepare(made_home, str)

    assert len(calls(made_home)) == 4


def test_new_versions_migrate_again(
    made_home: StackSettings, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(made_home, str)
    monkeypatch.setattr(preparation, "version", lambda name: "9")

    prepare(made_home, str)

    assert len(calls(made_home)) == 4


def test_failure_shows_the_end_without_secrets(made_home: StackSettings, tools: Path) -> None:
    install(tools / "airflow", code=7)

    message = r"(?s)`airflow db migrate` failed with code 7.*key: \*\*\*"
    with pytest.raises(StackSetupError, match=message):
        prepare(made_home, str)

    assert made_home.component_log("setup-airflow").read_text() == "key: ***\n"
    # The other one was waited for, and the next start tries again.
    assert len(calls(made_home)) == 2
    install(tools / "airflow", code=0)
    prepare(made_home, str)


def test_endless_command_is_ended(
    made_home: StackSettings, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_TIMEOUT_S", 0.2)
    (tools / "mlflow").write_text("#!/bin/sh\nexec sleep 60\n")

    with pytest.raises(StackSetupError, match=r"(?s)`mlflow db .* code -9.*ended after 0.2 s"):
        prepare(made_home, str)


def test_password_file_of_airflow(made_home: StackSettings, tools: Path) -> None:
    credentials = prepare(made_home, str)

    passwords = json.loads(made_home.passwords_file.read_text())
    assert passwords == {"admin": credentials.admin_password}
    assert stat.S_IMODE(made_home.passwords_file.stat().st_mode) == 0o600


def test_keys_lie_in_files_that_airflow_reads(made_home: StackSettings, tools: Path) -> None:
    credentials = prepare(made_home, str)

    env = component_environment(made_home, credentials, {})
    for name, key in (
        ("CORE__FERNET_KEY", credentials.fernet_key),
        ("API__SECRET_KEY", credentials.api_secret_key),
        ("API_AUTH__JWT_SECRET", credentials.jwt_secret),
    ):
        command = shlex.split(env[f"AIRFLOW__{name}_CMD"])
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == key
        assert stat.S_IMODE(Path(command[-1]).stat().st_mode) == 0o600


def test_home_is_closed_to_others(settings: StackSettings) -> None:
    settings.home.mkdir(mode=0o755)

    make_home(settings)
    make_home(settings)

    folders = [settings.home, *(p for p in settings.home.rglob("*") if p.is_dir())]
    assert len(folders) == 8
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
