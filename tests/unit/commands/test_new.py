"""The command: what it prints, records and asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from tests.unit.scaffold.worlds import orders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dags").mkdir()
    folders = {"MLOPS_HOME": str(tmp_path / "home"), "MLOPS_DAGS_FOLDER": str(tmp_path / "dags")}
    with patch.dict(os.environ, folders):
        yield tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["new", *arguments])


def test_a_project_from_a_file(here: Path) -> None:
    orders(here / "shop.db", n_days=20)
    done = run("late", "--source", "shop.db", "--target", "late", "--ci", "gitlab")
    assert done.exit_code == 0, done.output
    for words in (
        "known later",
        "written  dags/late/spec.py",
        "written  .gitlab-ci.yml",
        "late_source",
        "mlops check late",
        # Its rows are of 2024.
        "so the spec has an `end`: its Dags take nothing after it",
    ):
        assert words in done.output
    recorded = json.loads((here / "home" / "connections.json").read_text())
    assert recorded == {"late_source": {"conn_type": "sqlite", "host": str(here / "shop.db")}}
    again = run("late", "--source", "shop.db", "--target", "late", "--ci", "none", "--json")
    assert {one["state"] for one in json.loads(again.stdout)["files"]} == {"kept"}


@pytest.mark.slow
def test_nothing_is_made_in_a_home_that_is_empty(here: Path) -> None:
    """Airflow makes folders as soon as it is imported; a person's home is none of its places."""
    home = here / "person"
    home.mkdir()
    orders(here / "shop.db", n_days=20)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env = {name: value for name, value in env.items() if not name.startswith("MLOPS_")}
    for words in (
        ("new", "late", "--source", "shop.db", "--target", "late", "--ci", "none"),
        ("check", "late"),
        # What it comes to is another matter: it has imported what it needs before it looks at this.
        ("try", "late", "--from", "2999-01-01"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mlops_airflow.cli", *words],
            cwd=here,
            env=env | {"HOME": str(home), "XDG_CACHE_HOME": str(here / "cache")},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        wanted = 3 if words[0] == "try" else 0
        assert done.returncode == wanted, done.stdout + done.stderr
        assert list(home.iterdir()) == []
    assert (here / ".mlops" / "airflow").is_dir()


def test_on_a_terminal_it_says_what_it_does(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orders(here / "shop.db", n_days=20)
    said: list[str] = []
    monkeypatch.setattr("rich.status.Status.update", lambda self, text: said.append(text))
    assert run("late", "--source", "shop.db", "--target", "late", "--ci", "none").exit_code == 0
    assert said[0] == "reading the rows"
    assert "trying the project on its own rows" in said
    assert any(text.startswith("key: order_id") for text in said)


def test_what_is_missing_is_named_where_nobody_can_be_asked(here: Path) -> None:
    done = run("late")
    assert done.exit_code == 1
    assert "Say it with --source" in done.stderr
    orders(here / "shop.db", n_days=5)
    done = run("late", "--source", "shop.db")
    assert done.exit_code == 1
    assert "Say it with --target; there are order_id, shop, items, contact, late" in done.stderr
    assert not list((here / "dags").iterdir())
    assert not (here / "home").exists()
