from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_tasks.registry.ledger import Champion, Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World


@pytest.fixture
def lost(own_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The world, and a ledger that knows nothing of it."""
    path = tmp_path / "new.db"
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no-stack"))
    database = own_world.tracking.uri.removeprefix("sqlite:///")
    for name, host in (("LEDGER", str(path)), ("MLFLOW", database)):
        connection = {"conn_type": "sqlite", "host": host}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}_DEFAULT", json.dumps(connection))
    return Ledger(f"sqlite:///{path}")


def adopt(*options: str, answer: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ledger", "adopt", *options], input=answer)
    return done.exit_code, " ".join(done.output.split())


def test_a_champion_is_taken_over_by_name_after_a_look(lost: Ledger, own_world: World) -> None:
    words = ("late_orders", "1", "--because", "the disk was lost", "--champion")
    code, said = adopt(*words, answer="n\n")
    assert code == 1
    assert "version 1 of late_orders, made 20" in said
    assert f"run {own_world.trained.run_id}" in said
    assert f"verdict {own_world.verdict.reason}" in said
    assert lost.registration("late_orders", "1") is None, "a no changes nothing"
    code, said = adopt(*words, answer="y\n")
    assert code == 0
    assert f"files {own_world.champion.digest[:12]}" in said
    assert "it is the champion of late_orders" in said
    assert lost.champion("late_orders") == Champion("1", 1)
    (entry,) = lost.entries(kind="adoption")
    assert entry.evidence["reason"] == "the disk was lost"
    assert entry.evidence["person"]


def test_it_does_not_ask_when_told_so_and_names_what_is_missing(lost: Ledger) -> None:
    assert adopt("late_orders", "1", "--because", "x", "--yes")[0] == 0
    assert lost.champion("late_orders") is None, "only if asked for"
    code, said = adopt("late_orders", "7", "--because", "x", "--yes")
    assert code == 1
    assert "7" in said
    assert "not found" in said
    assert adopt("late_orders", "1")[0] == 2, "a reason is needed"
