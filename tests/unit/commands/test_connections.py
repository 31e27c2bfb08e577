"""Which connections a command uses."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from mlops_airflow import commands
from mlops_airflow.commands.connections import connect
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.environment import component_environment
from mlops_airflow.stack.exceptions import StackSettingsError
from mlops_airflow.stack.recorded_connections import connection_variables, record_connection
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

LAKE, LEDGER = "AIRFLOW_CONN_LAKE_DEFAULT", "AIRFLOW_CONN_LEDGER_DEFAULT"


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a stack that was never started; the environment is put back."""
    with patch.dict(os.environ, {"MLOPS_HOME": str(tmp_path)}):
        for name in (LAKE, LEDGER, "AIRFLOW_CONN_SHOP"):
            os.environ.pop(name, None)
        yield tmp_path


def test_without_a_stack_the_environment_is_left_alone() -> None:
    before = dict(os.environ)
    connect()
    assert dict(os.environ) == before


def test_connections_of_the_stack_fill_in_for_those_that_are_missing(home: Path) -> None:
    load_credentials(StackSettings.from_env().secrets_file)
    os.environ[LEDGER] = "sqlite:///elsewhere.db"
    connect()
    assert str(home / "lake") in os.environ[LAKE]
    assert os.environ[LEDGER] == "sqlite:///elsewhere.db"


def test_recorded_connections_count_with_a_stack_and_without_one(home: Path) -> None:
    settings = StackSettings.from_env()
    record_connection(settings.connections_file, "shop", '{"conn_type": "sqlite", "host": "a.db"}')
    connect()
    assert '"a.db"' in os.environ["AIRFLOW_CONN_SHOP"]
    os.environ["AIRFLOW_CONN_SHOP"] = "sqlite:///b.db"
    credentials = load_credentials(settings.secrets_file)
    assert component_environment(settings, credentials)["AIRFLOW_CONN_SHOP"] == "sqlite:///b.db"
    del os.environ["AIRFLOW_CONN_SHOP"]
    assert '"a.db"' in component_environment(settings, credentials)["AIRFLOW_CONN_SHOP"]


def test_a_connection_is_recorded_once_and_closed_to_others(home: Path) -> None:
    file = StackSettings.from_env().connections_file
    one, other = (
        '{"conn_type": "sqlite", "host": "a.db"}',
        '{"conn_type": "sqlite", "host": "b.db"}',
    )
    assert record_connection(file, "shop", one)
    assert record_connection(file, "shop", one)
    assert not record_connection(file, "shop", other)
    assert record_connection(file, "post", other)
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(connection_variables(file)) == ["AIRFLOW_CONN_SHOP", "AIRFLOW_CONN_POST"]
    file.write_text("[]")
    with pytest.raises(StackSettingsError, match="no JSON object of connections"):
        connection_variables(file)


def test_projects_are_beside_it_where_there_is_no_airflow_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW__CORE__DAGS_FOLDER", raising=False)
    connect()  # AIRFLOW_HOME is set for all tests: somebody else's Airflow
    assert "AIRFLOW__CORE__DAGS_FOLDER" not in os.environ
    monkeypatch.delenv("AIRFLOW_HOME")
    (tmp_path / "dags").mkdir()
    connect()
    assert os.environ["AIRFLOW__CORE__DAGS_FOLDER"] == str(tmp_path / "dags")


def test_connections_are_looked_for_before_airflow_is_imported() -> None:
    """Airflow makes folders in its home when it is imported; until then nobody has said which."""
    late = []
    for file in sorted(Path(commands.__path__[0]).glob("*.py")):
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            nodes = list(ast.walk(function))
            asked = [
                node.lineno
                for node in nodes
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "connect"
            ]
            late += [
                f"{file.name}:{node.lineno}"
                for node in nodes
                if isinstance(node, ast.ImportFrom)
                and str(node.module).startswith(("airflow", "mlops_airflow.hooks"))
                and asked
                and node.lineno < min(asked)
            ]
    assert not late
