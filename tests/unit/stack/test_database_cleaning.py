"""Airflow's database is cleaned once a day, by Airflow's own command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from mlops_airflow.stack import database_cleaning
from mlops_airflow.stack.database_cleaning import DatabaseCleaning
from mlops_airflow.stack.environment import tool

if TYPE_CHECKING:
    from pathlib import Path


def age(home: Path, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(home / "database_cleaned", (then, then))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    found: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        found.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(database_cleaning.subprocess, "run", run)
    return found


def test_it_is_due_once_a_day_and_not_on_the_first(
    tmp_path: Path, commands: list[list[str]]
) -> None:
    cleaning = DatabaseCleaning(tmp_path, env={}, report=lambda _: None)
    assert not cleaning.clean_if_due()
    age(tmp_path, 0.9)
    assert not cleaning.clean_if_due()
    age(tmp_path, 1.1)
    assert cleaning.clean_if_due()
    assert not cleaning.clean_if_due()
    assert len(commands) == 1


def test_a_failure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(database_cleaning, "tool", lambda _: "/bin/false")
    cleaning = DatabaseCleaning(tmp_path, env={}, report=told.append)
    cleaning.clean_if_due()
    age(tmp_path, 2)
    assert cleaning.clean_if_due()
    assert told == ["metadata database: NOT cleaned: it said nothing"]


@pytest.mark.slow
def test_airflow_removes_old_rows_and_keeps_young_ones_and_all_runs(tmp_path: Path) -> None:
    database = tmp_path / "airflow.db"
    env = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
    }
    subprocess.run(
        [tool("airflow"), "db", "migrate"], env=env, check=True, capture_output=True, timeout=300
    )
    with closing(sqlite3.connect(database)) as connection, connection:
        for event, when in (("old", "2020-01-01 00:00:00"), ("young", "2999-01-01 00:00:00")):
            connection.execute("INSERT INTO log (dttm, event) VALUES (?, ?)", (when, event))
    told: list[str] = []
    cleaning = DatabaseCleaning(tmp_path, env=env, report=told.append)
    cleaning.clean_if_due()
    age(tmp_path, 2)
    assert cleaning.clean_if_due()
    assert told[0].startswith("metadata database: removed what is older than 90 days")
    with closing(sqlite3.connect(database)) as connection:
        events = {row[0] for row in connection.execute("SELECT event FROM log")}
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
    assert "young" in events
    assert "old" not in events
    assert not [name for name in names if name.startswith("_airflow_deleted")]
