"""What `mlops status` says of aliases that others have moved."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_airflow.commands.moves import open_alias_moves
from mlops_tasks.registry.aliases import AliasMove
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def said(ledger: Ledger, model: str, move: AliasMove) -> None:
    ledger.record(model=model, kind="alias_move", key=move.alias, evidence=to_json(move))


def test_a_home_without_a_ledger_has_none(tmp_path: Path) -> None:
    assert open_alias_moves(tmp_path) == []
    assert not (tmp_path / "ledger.db").exists(), "and none is made to look into"


def test_a_move_is_open_until_a_person_has_said_what_it_was(ledger: Ledger, tmp_path: Path) -> None:
    said(ledger, "visits", AliasMove("champion", "3", "2"))
    said(ledger, "orders", AliasMove("previous", None, "1"))
    orders, visits = sorted(open_alias_moves(tmp_path))
    assert orders.startswith(
        "orders: alias previous is gone in MLflow; by the ledger it is version"
    )
    assert visits.startswith("visits: alias champion points at version 3 in MLflow; by the ledger")
    said(ledger, "orders", AliasMove("previous", None, "1", "undone", "by mistake"))
    assert len(open_alias_moves(tmp_path)) == 1


def test_status_names_them(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said(ledger, "visits", AliasMove("champion", "3", "2"))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 4, "nothing runs, and the ledger is there all the same"
    assert "Moved outside: visits: alias champion points at version 3" in done.stdout
    assert "mlops ledger aliases" in done.stdout
    found = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert len(found["alias_moves"]) == 1
