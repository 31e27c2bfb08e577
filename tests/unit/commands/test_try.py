"""``mlops try`` as a person types it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from tests.unit.orders import Source, day

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPEC = """
from pathlib import Path
from tests.unit.orders import project

MODEL = project(Path(__file__).parent / "files")
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A folder of projects with one in it, and its source."""
    source = Source(tmp_path / "shop.db")
    for number in range(14):
        source.add(number)
    folder = tmp_path / "dags" / "tried_orders"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "spec.py").write_text(SPEC)
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no stack"))
    monkeypatch.setattr("mlops_airflow.projects.projects_folder", lambda: tmp_path / "dags")
    connection = json.dumps({"conn_type": "sqlite", "host": str(source.path)})
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_SOURCE", connection)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    path = list(sys.path)
    yield source
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "tried_orders"]:
        sys.modules.pop(name)


def call(*words: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["try", *words])
    return done.exit_code, done.output


RANGE = ("--from", day(0), "--to", day(13))


def test_it_says_what_every_step_came_to_and_why_there_is_a_champion() -> None:
    code, said = call("late_orders", *RANGE)
    assert code == 0, said
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert any(
        line.startswith(f"take in orders {day(0)} to {day(9)} 800 rows") and line.endswith(" fine")
        for line in lines
    ), said
    assert any(line.startswith(f"score late_orders {day(10)} 80 rows") for line in lines), said
    for title in ("Steps", "Trainings and the gate", "Decisions", "What monitoring could tell"):
        assert title in lines
    assert f"Version 1 of late_orders, trained as of {day(9)}, is the champion: ROC AUC" in said


def test_json_is_all_that_goes_to_the_output(capfd: pytest.CaptureFixture[str]) -> None:
    done = CliRunner().invoke(app, ["try", "late_orders", *RANGE, "--json"])
    report = json.loads(done.stdout)
    assert report["exit_code"] == done.exit_code == 0
    assert report["trainings"][0]["metric"] == "roc_auc"
    assert {step["name"] for step in report["steps"]} >= {"ingest", "train", "score", "decide"}


def test_a_step_that_fails_is_named_with_its_fix_and_without_a_trace(shop: Source) -> None:
    shop.run("ALTER TABLE traffic RENAME COLUMN speed TO pace")
    code, said = call("late_orders", *RANGE)
    assert code == 3
    assert f"The loop stops at ingest traffic {day(0)}: " in said
    assert "speed" in said
    assert "Traceback" not in said


def test_the_trace_is_shown_when_asked_for(shop: Source) -> None:
    shop.run("DROP TABLE traffic")
    code, said = call("late_orders", *RANGE, "--traceback")
    assert code == 3
    assert "Traceback" in said


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    code, said = call("late_order")
    assert code == 3
    assert "late_orders" in said
