"""``mlops lake optimize | vacuum | verify`` as a person types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mlops_airflow.commands import lake as commands
from mlops_tasks.lake import TrainingPin, known_by_schedule, overwrite_partition
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.serialization import to_json
from tests.unit.conftest import World, copy_world

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.lake import Lake

DAY = "2024-03-01"


@pytest.fixture(autouse=True)
def pinned(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold three versions of a day, the first of them pinned by a training in the ledger."""
    place = json.dumps({"conn_type": "file", "extra": {"path": str(lake.root)}})
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_DEFAULT", place)
    database = {"conn_type": "sqlite", "host": str(tmp_path / "ledger.db")}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER_DEFAULT", json.dumps(database))
    monkeypatch.delenv("AIRFLOW_CONN_MLFLOW_DEFAULT", raising=False)
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no stack"))
    for token in (1, 2, 3):
        rows = pa.table({"n": [token]})
        overwrite_partition(
            lake.table("orders"), DAY, rows, token=token, known_at=f"2024-0{token + 2}-01"
        )
    pin = lake.table("orders").pin(first=DAY, last=DAY, known_at="2024-03-01")
    training = TrainingPin(
        as_of="2024-03-02", train=(DAY, DAY), evaluation=(DAY, DAY), inputs={}, labels=pin
    )
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.record(model="m", kind="pin", key="2024-03-02", evidence=to_json(training))


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(commands.app, list(words))
    return done.exit_code, done.output


def test_optimize_says_what_it_gathered(lake: Lake) -> None:
    code, said = call("optimize")
    assert code == 0
    assert [word for word in said.split() if word.isalnum()][-4:] == ["orders", "3", "3", "0"]
    assert len(lake.table("orders").all_commits()) == 3


def test_commits_tell_what_was_known_when_and_what_really_was(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    table, other = lake.table("orders"), "2024-03-02"
    dated = known_by_schedule(table, other, other)
    overwrite_partition(table, other, pa.table({"n": [4]}), token=4, known_at=dated)
    code, said = call("commits", "orders")
    assert code == 0
    lines = [" ".join(line.split()) for line in said.splitlines() if "2024" in line]
    (commit,) = table.commits(first=other, last=other)
    assert len(lines) == 4
    assert f"1 │ 2024-03-02 │ assumed │ {commit.committed_at}" in lines[3]
    assert "2024-03-01 │ 1 │ 1 │ 2024-03-01 │ given │ 20" in lines[0]
    code, said = call("commits", "orders", other)
    assert len([line for line in said.splitlines() if "2024" in line]) == 1


def test_vacuum_keeps_what_the_ledger_pins_and_says_so(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.lake.maintenance._young", lambda *_: False)
    folder = lake.table("orders").folder / f"partition_key={DAY}"
    for words, left in ((("--dry-run",), 3), ((), 2)):
        code, said = call("vacuum", "orders", "--keep-days", "0", *words)
        assert code == 0
        assert "1 current, 1 pinned" in " ".join(said.split())
        assert "orders: pinned by training of m as of 2024-03-02 (1)" in " ".join(said.split())
        assert "0 registered versions and 1 trainings in the ledger were respected." in said
        assert len(list(folder.iterdir())) == left


def test_verify_proves_every_pin_or_names_the_damage(lake: Lake) -> None:
    code, said = call("verify")
    assert (code, said.strip()) == (0, "Every pinned row is what was pinned.")
    (file,) = lake.table("orders").all_commits()[0].files
    pq.write_table(pa.table({"n": [7]}), lake.table("orders").folder / file.path)
    code, said = call("verify")
    assert code == 1
    assert f"{file.path.rpartition('/')[2]} is not as it was written" in "".join(said.split("\n"))


# --- what registered versions pin


@pytest.fixture
def registered(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A registered version, a ledger that has never heard of it, and every day published anew."""
    own_world = copy_world(world, tmp_path / "world")
    place = json.dumps({"conn_type": "file", "extra": {"path": str(own_world.lake.root)}})
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_DEFAULT", place)
    ledger = {"conn_type": "sqlite", "host": str(tmp_path / "empty.db")}
    monkeypatch.setenv("AIRFLOW_CONN_LEDGER_DEFAULT", json.dumps(ledger))
    registry = {"conn_type": "sqlite", "host": str(tmp_path / "world" / "mlflow.db")}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(registry))
    for commit in own_world.lake.table("traffic").all_commits():
        rows = own_world.lake.table("traffic").load([commit]).slice(1)
        overwrite_partition(
            own_world.lake.table("traffic"),
            commit.partition,
            rows,
            token=10**9,
            known_at="2024-06-01",
        )
    monkeypatch.setattr("mlops_tasks.lake.maintenance._young", lambda *_: False)
    return own_world


def vacuumed(*words: str) -> tuple[int, str]:
    code, said = call("vacuum", "traffic", "--keep-days", "0", *words)
    return code, " ".join(said.split())


def test_vacuum_keeps_what_a_registered_version_pins_and_names_it(registered: World) -> None:
    pin = registered.pin.inputs["traffic"]
    before = registered.lake.table(pin.table).read_pin(pin)
    code, said = vacuumed()
    assert code == 0
    assert f"{len(pin.versions)} pinned" in said
    assert f"traffic: pinned by version 1 of late_orders ({len(pin.versions)})" in said
    assert "The pins of 1 registered versions and 0 trainings in the ledger" in said
    registered.lake.table(pin.table).verify_pin(pin)
    assert registered.lake.table(pin.table).read_pin(pin).equals(before)


def test_vacuum_without_the_registry_is_refused_with_the_way_out(
    registered: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = {"conn_type": "mlflow", "schema": "http", "host": "127.0.0.1", "port": 9}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(away))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    files = sorted(registered.lake.root.rglob("*.parquet"))
    code, said = vacuumed()
    assert code == 1
    assert "MLflow at http://127.0.0.1:9 cannot be asked" in said
    assert "--ledger-only goes on" in said
    assert sorted(registered.lake.root.rglob("*.parquet")) == files
    code, said = vacuumed("--ledger-only")
    assert code == 0
    assert "The pins of 0 registered versions" in said
    assert len(list(registered.lake.root.rglob("*.parquet"))) < len(files)


def test_vacuum_without_any_registry_says_that_none_was_asked(
    registered: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_MLFLOW_DEFAULT")
    code, said = vacuumed("--dry-run")
    assert code == 0
    assert "No registered version is asked for its pins: The conn_id `mlflow_default`" in said


def test_a_hundred_holders_are_not_all_named(registered: World, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/empty.db")
    for night in range(1, 7):
        evidence = to_json(registered.pin)
        ledger.record(model="m", kind="pin", key=f"2024-03-0{night}", evidence=evidence)
    _, said = vacuumed("--dry-run")
    n = len(registered.pin.inputs["traffic"].versions)
    assert f"pinned by version 1 of late_orders ({n}), training of m as of 2024-03-01 ({n})" in said
    assert f"as of 2024-03-03 ({n}), 3 more" in said
    assert "The pins of 1 registered versions and 6 trainings in the ledger" in said
