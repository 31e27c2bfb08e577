"""The command: what it prints, records and asks."""

from __future__ import annotations

import json
import os
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
    ):
        assert words in done.output
    recorded = json.loads((here / "home" / "connections.json").read_text())
    assert recorded == {"late_source": {"conn_type": "sqlite", "host": str(here / "shop.db")}}
    again = run("late", "--source", "shop.db", "--target", "late", "--ci", "none", "--json")
    assert {one["state"] for one in json.loads(again.stdout)["files"]} == {"kept"}


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
