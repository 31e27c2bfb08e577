"""``mlops history``, ``served``, ``ledger verify`` and ``ledger aliases`` as a person uses them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from mlops_airflow.cli import app
from mlops_tasks.registry.ledger.anchors import write_anchor
from mlops_tasks.steps.score import score

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.conftest import World


@pytest.fixture
def here(own_world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world behind the connections that commands use."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no-stack"))
    home = own_world.lake.root.parent
    connections: dict[str, dict[str, Any]] = {
        "LEDGER": {"conn_type": "sqlite", "host": f"{home}/ledger.db"},
        "MLFLOW": {"conn_type": "sqlite", "host": f"{home}/mlflow.db"},
        "LAKE": {"conn_type": "file", "extra": {"path": str(own_world.lake.root)}},
    }
    for name, connection in connections.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}_DEFAULT", json.dumps(connection))
    return own_world


def mlops(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, " ".join(done.output.split())


def as_json(*words: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, [*words, "--json"])
    return done.exit_code, json.loads(done.output)


def test_history_for_people_and_programs(here: World) -> None:
    code, said = mlops("history", "late_orders")
    assert code == 0
    assert "promotion" in said
    assert "Champion of late_orders: 1" in said
    assert "Rolled back: 0% of the promoted versions" in said
    assert "From promotion to rollback: cannot tell, of 0" in said
    code, found = as_json("history", "late_orders", "--verdicts")
    assert (code, found["champion"], found["moves"][0]["after"]) == (0, "1", "1")
    assert mlops("history", "late") == (
        3,
        "mlops: the ledger does not know 'late'; it knows late_orders",
    )


def test_served_says_who_decided_about_a_row(here: World) -> None:
    day = here.as_of
    stores = {"lake": here.lake, "tracking": here.tracking, "token": here.ledger.next_token()}
    score(here.spec, day, here.champion, **stores)
    row = here.lake.table("late_orders__predictions").read().to_pylist()[0]
    key = f"order_id={row['order_id']}"
    code, said = mlops("served", "late_orders", "--at", "2099-01-01", "--key", key)
    assert code == 0
    assert f"{day}: version 1 said score {row['score']}" in said
    code, found = as_json("served", "late_orders", "--at", "2099-01-01T00:00+02:00", "--key", key)
    assert (code, found["at"], found["version"]) == (0, "2098-12-31T22:00:00+00:00", "1")
    assert found["predictions"][0]["values"] == {"score": row["score"]}
    assert mlops("served", "late_orders", "--at", "2001-01-01")[0] == 3
    for wrong in (("--at", "soon"), ("--at", "2099-01-01", "--key", "7")):
        assert mlops("served", "late_orders", *wrong)[0] == 2


def test_verify_in_three_answers(here: World) -> None:
    code, said = mlops("ledger", "verify")
    assert code == 3
    assert "CANNOT TELL no head is anchored" in said
    write_anchor(here.lake, here.ledger.head())
    code, said = mlops("ledger", "verify")
    assert (code, said.endswith("Nothing was changed, put in, removed or cut off.")) == (0, True)
    head = here.ledger.head()
    assert as_json("ledger", "verify", "--anchor", f"{head.seq}:{head.hash}")[0] == 0
    code, found = as_json("ledger", "verify", "--anchor", f"{head.seq + 3}:{'a' * 64}")
    assert (code, found["answer"], found["findings"][0]["kind"]) == (1, "alarm", "cut")
    code, said = mlops("ledger", "verify", "--anchor", "x")
    assert (code, said.startswith("mlops: 'x' is no anchor")) == (3, True)


def test_an_alias_moved_in_mlflow_is_found_and_undone(here: World) -> None:
    assert mlops("ledger", "aliases") == (0, "All aliases are where the ledger says.")
    client = here.tracking.client
    client.create_model_version("late_orders", here.champion.model_uri)
    client.set_registered_model_alias("late_orders", "champion", "2")
    moved = (
        "late_orders: alias champion points at version 2 in MLflow; by the ledger it is version 1"
    )
    assert mlops("ledger", "aliases") == (1, moved)
    code, said = mlops("ledger", "verify")
    assert (code, "ALARM model 'late_orders': alias champion" in said) == (1, True)
    for wrong in (("--undo",), ("late_orders", "--undo"), ("late_orders", "--undo", "--adopt")):
        assert mlops("ledger", "aliases", *wrong)[0] == 2
    code, said = mlops("ledger", "aliases", "late_orders", "--adopt", "--because", "x")
    assert code == 3
    assert "version 2 of 'late_orders' is not in the ledger" in said
    code, said = mlops("ledger", "aliases", "late_orders", "--undo", "--because", "by mistake")
    assert (code, said) == (0, f"{moved}: undone")
    assert str(client.get_model_version_by_alias("late_orders", "champion").version) == "1"
    (entry,) = here.ledger.entries(kind="alias_move")
    assert (entry.evidence["state"], entry.evidence["reason"]) == ("undone", "by mistake")
    assert entry.by


def test_decisions_for_people_and_programs(here: World) -> None:
    assert mlops("decisions", "late_orders") == (
        3,
        "mlops: nothing was decided about 'late_orders' yet; late_orders.decide does so",
    )
    said = {"retrain": False, "cause": "cannot_tell", "reason": "6 days are not scored"}
    for key, more in (("2024-03-17", {"cause": "none"}), ("2024-03-18", {"help": ["look at it"]})):
        here.ledger.record(model="late_orders", kind="decision", key=key, evidence=said | more)
    code, text = mlops("decisions", "late_orders")
    assert code == 0
    assert "2024-03-18 cannot tell none 6 days are not scored" in text
    assert "Of 2: retrain 0, not retrained 1, cannot tell 1" in text
    assert text.endswith("What would help: look at it")
    code, found = as_json("decisions", "late_orders", "--last", "1")
    assert (code, [one["answer"] for one in found]) == (0, ["cannot_tell"])
