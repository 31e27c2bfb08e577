"""``mlops lake optimize | vacuum | verify`` as a person types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mlops_airflow.commands import lake as commands
from mlops_tasks.ledger import Ledger
from mlops_tasks.types import TrainingPin

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
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "no stack"))
    for token in (1, 2, 3):
        rows = pa.table({"n": [token]})
        lake.overwrite_partition("orders", DAY, rows, token=token, known_at=f"2024-0{token + 2}-01")
    pin = lake.pin("orders", first=DAY, last=DAY, known_at="2024-03-01")
    training = TrainingPin(
        as_of="2024-03-02", train=(DAY, DAY), evaluation=(DAY, DAY), inputs={}, labels=pin
    )
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.record(model="m", kind="pin", key="2024-03-02", evidence=training.as_json())


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(commands.app, list(words))
    return done.exit_code, done.output


def test_optimize_says_what_it_gathered(lake: Lake) -> None:
    code, said = call("optimize")
    assert code == 0
    assert [word for word in said.split() if word.isalnum()][-4:] == ["orders", "3", "3", "0"]
    assert len(lake.all_commits("orders")) == 3


def test_vacuum_keeps_what_the_ledger_pins_and_says_so(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_tasks.lake.maintenance._young", lambda *_: False)
    folder = lake.folder("orders") / f"partition_key={DAY}"
    for words, left in ((("--dry-run",), 3), ((), 2)):
        code, said = call("vacuum", "orders", "--keep-days", "0", *words)
        assert code == 0
        assert "1 current, 1 pinned" in " ".join(said.split())
        assert "1 pins of the ledger were respected." in said
        assert len(list(folder.iterdir())) == left


def test_verify_proves_every_pin_or_names_the_damage(lake: Lake) -> None:
    code, said = call("verify")
    assert (code, said.strip()) == (0, "Every pinned row is what was pinned.")
    (file,) = lake.all_commits("orders")[0].files
    pq.write_table(pa.table({"n": [7]}), lake.folder("orders") / file.path)
    code, said = call("verify")
    assert code == 1
    assert "was changed: 'n' was 1, is 7" in " ".join(said.split())
