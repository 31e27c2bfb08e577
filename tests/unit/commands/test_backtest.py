"""``mlops backtest`` as a person types it; on two processors, fits and policies side by side."""

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
N_DAYS = 26


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A folder of projects with one in it, and its source."""
    source = Source(tmp_path / "shop.db")
    for number in range(N_DAYS):
        source.add(number)
    folder = tmp_path / "dags" / "tested_orders"
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
    for name in [name for name in sys.modules if name.partition(".")[0] == "tested_orders"]:
        sys.modules.pop(name)


def call(*words: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["backtest", *words])
    return done.exit_code, done.output


RANGE = ("--from", day(0), "--to", day(N_DAYS - 1))


@pytest.mark.slow  # starts processes, as it does where there is more than one processor
def test_it_compares_policies_and_draws_them(tmp_path: Path) -> None:
    files = "--html", str(tmp_path / "policies.html"), "--png", str(tmp_path / "policies.png")
    chosen = "--policy", "never", "--policy", "weekly"
    code, said = call("late_orders", *RANGE, *chosen, *files)
    assert code == 0, said
    for word in ("never", "weekly", "oracle", "ROC AUC", "regret", "settings are chosen"):
        assert word in said
    assert "was cheapest, its trainings counted" in said
    assert f"wrote {tmp_path / 'policies.html'}" in said
    assert "<b>weekly</b>" in (tmp_path / "policies.html").read_text("utf-8")
    assert (tmp_path / "policies.png").read_bytes().startswith(b"\x89PNG")


def test_what_it_cannot_compare_is_said_in_a_line() -> None:
    code, said = call("late_orders", *RANGE, "--policy", "wekly")
    assert code == 3
    assert "there is no policy 'wekly' to compare" in said
    code, said = call("late_orders", "--from", day(0), "--to", day(12))
    assert code == 3
    assert "too short to compare policies" in said
    code, said = call("late_orders", *RANGE, "--play-from", day(3))
    assert code == 3
    assert f"nothing can be played from {day(3)} on" in said
    code, said = call("late_orders", *RANGE, "--shown-from", day(1))
    assert code == 3
    assert f"periods from {day(1)} on cannot be shown" in said
