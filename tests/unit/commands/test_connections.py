"""Which connections a command uses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from mlops_airflow.commands.connections import connect
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAKE, LEDGER = "AIRFLOW_CONN_LAKE_DEFAULT", "AIRFLOW_CONN_LEDGER_DEFAULT"


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """Return the folder of a stack that was never started; the environment is put back."""
    with patch.dict(os.environ, {"MLOPS_HOME": str(tmp_path)}):
        for name in (LAKE, LEDGER):
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
