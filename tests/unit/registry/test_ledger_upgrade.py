"""Ledgers that older and newer versions of the project have written."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.script import ScriptDirectory

import mlops_tasks.registry.ledger.migrations
from mlops_tasks.exceptions import LedgerError
from mlops_tasks.registry.ledger import Champion, Ledger
from mlops_tasks.registry.ledger.tables import table
from mlops_tasks.registry.ledger.upgrading import SCHEMA
from tests.unit.workers import at_once, write_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

# As the first version of the project made them, to the letter.
FIRST_SCHEMA = """
CREATE TABLE entry (
    seq INTEGER NOT NULL, model VARCHAR(250) NOT NULL, kind VARCHAR(250) NOT NULL,
    "key" VARCHAR(250) NOT NULL, evidence TEXT NOT NULL, dag_run VARCHAR(250) NOT NULL,
    recorded_at DATETIME NOT NULL, PRIMARY KEY (seq)
);
CREATE INDEX entry_by_key ON entry (model, kind, "key");
CREATE TABLE champion (
    model VARCHAR(250) NOT NULL, version VARCHAR(250) NOT NULL, generation INTEGER NOT NULL,
    PRIMARY KEY (model)
);
CREATE TABLE token (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, issued_at DATETIME NOT NULL
);
"""
WRITTEN = ["pin", "verdict", "promotion", "promotion"]
DATA = Path(__file__).parent / "data"
RUN, DIGEST, AT = "a" * 32, "d" * 64, "2024-03-16 03:04:05.678901"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A ledger of the first version: a champion, its evidence, 41 attempts of which 40 count."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(FIRST_SCHEMA)
        verdict = {"verdict": "promote", "run_id": RUN, "challenger": {"roc_auc": 0.75}}
        promotion = {"version": "3", "previous": None, "digest": DIGEST, "run_id": RUN}
        by_hand = {"version": "3", "previous": "4", "reason": "rolled back"}
        for kind, key, evidence in (
            ("pin", "2024-03-16", {"as_of": "2024-03-16"}),
            ("verdict", "2024-03-16", verdict),
            ("promotion", "2024-03-16", promotion),
            ("promotion", "2024-03-17", by_hand),
        ):
            row = ("orders", kind, key, json.dumps(evidence, sort_keys=True), "orders.train/r", AT)
            connection.execute(
                'INSERT INTO entry (model, kind, "key", evidence, dag_run, recorded_at) '
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        connection.execute("INSERT INTO champion VALUES ('orders', '3', 2)")
        connection.executemany("INSERT INTO token (issued_at) VALUES (?)", [(AT,)] * 41)
        connection.execute("DELETE FROM token WHERE id > 38")
        connection.commit()
        yield connection


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.usefixtures("old")
def test_all_that_the_first_version_wrote_is_there(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    assert ledger.champion("orders") == Champion("3", 2)
    entries = ledger.entries(model="orders", history=True)
    assert [entry.kind for entry in entries] == [*WRITTEN, "registration"]
    assert {entry.recorded_at.isoformat() for entry in entries[:-1]} == {
        f"{AT}+00:00".replace(" ", "T")
    }
    assert entries[1].evidence["challenger"] == {"roc_auc": 0.75}
    assert entries[0].dag_run == "orders.train/r"
    assert ledger.next_token() == 42, "also above numbers whose rows are gone"
    move = {"key": "2024-03-18", "evidence": {"reason": "it is better"}}
    assert ledger.promote("orders", version="5", generation=2, **move) == Champion("5", 3)


@pytest.mark.usefixtures("old")
def test_the_digests_of_promoted_versions_are_kept(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/ledger.db").champion("orders")
    query = "SELECT model, version, run_id, digest, artifacts, metrics FROM registration"
    (found,) = rows(tmp_path / "ledger.db", query)
    assert found[:4] == ("orders", "3", RUN, DIGEST)
    assert [json.loads(each) for each in found[4:]] == [{}, {"roc_auc": 0.75}]


@pytest.mark.usefixtures("old")
def test_many_first_users_upgrade_it_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    found = at_once(write_entries, [(url, writer, 3) for writer in range(1, 9)])
    assert sorted(token for own in found for token in own) == list(range(42, 42 + 24))
    entries = [entry for entry in Ledger(url).entries(history=True) if entry.by != "migration"]
    assert len(entries) == 4 + 24
    assert rows(tmp_path / "ledger.db", "SELECT * FROM ledger_version") == [(SCHEMA,)]


# As schema 2 left it, with what a version 0.1 wrote into it.
SECOND_SCHEMA = f"""
{FIRST_SCHEMA}
DROP TABLE token;
CREATE TABLE token (value BIGINT NOT NULL);
INSERT INTO token VALUES (7);
CREATE TABLE registration (
    model VARCHAR(250) NOT NULL, version VARCHAR(250) NOT NULL, run_id VARCHAR(250) NOT NULL,
    model_uri VARCHAR(250) NOT NULL, digest VARCHAR(250) NOT NULL, artifacts JSON NOT NULL,
    metrics JSON NOT NULL, recorded_by VARCHAR(250) NOT NULL, recorded_at DATETIME NOT NULL,
    PRIMARY KEY (model, version)
);
CREATE TABLE ledger_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO ledger_version VALUES ('0002');
INSERT INTO champion VALUES ('late_orders', '1', 1);
"""


@pytest.fixture
def second(tmp_path: Path) -> list[dict[str, Any]]:
    """A ledger of schema 2 with the entries that version 0.1 wrote; return them."""
    lines = (DATA / "entries_0_1.jsonl").read_text().splitlines()
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(SECOND_SCHEMA)
        for entry in entries:
            body = json.dumps(entry["evidence"], sort_keys=True)
            row = (entry["model"], entry["kind"], entry["key"], body, "orders.dag/r", AT)
            connection.execute(
                'INSERT INTO entry (model, kind, "key", evidence, dag_run, recorded_at) '
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        connection.commit()
    return entries


def test_checks_of_schema_2_are_found_by_version_and_day(
    second: list[dict[str, Any]], tmp_path: Path
) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    found = ledger.entries(model="late_orders", history=True)
    found += ledger.entries(model="orders", history=True)
    assert sorted(e.kind for e in found) == sorted(e["kind"] for e in second)
    assert [e.evidence for e in sorted(found, key=lambda e: e.seq)] == [
        e["evidence"] for e in second
    ]
    for kind in ("drift", "performance", "labels"):
        newest = ledger.newest("late_orders", kind, model_version="1", as_of="2024-03-18")
        assert newest is not None
        assert newest.key == "2024-03-18"
        assert ledger.newest("late_orders", kind, as_of="2024-03-17") is None
        assert ledger.newest("late_orders", kind, model_version="2") is None
    query = "SELECT DISTINCT model_version, known_at FROM entry WHERE kind NOT IN"
    assert rows(tmp_path / "ledger.db", f"{query} ('drift', 'performance', 'labels')") == [("", "")]


@pytest.mark.usefixtures("second")
def test_what_was_written_into_schema_2_goes_on(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    assert ledger.champion("late_orders") == Champion("1", 1)
    assert ledger.champion_as_of("late_orders", "2024-03-17") == "1"
    assert ledger.next_token() == 8
    assert rows(tmp_path / "ledger.db", "SELECT * FROM ledger_version") == [(SCHEMA,)]
    again = ledger.newest("late_orders", "drift")
    assert again is not None
    about = {"model": "late_orders", "kind": "drift", "key": again.key, "dag_run": again.dag_run}
    assert ledger.record(**about, evidence=again.evidence) == again, "the same is no news"


def test_an_upgrade_that_fails_changes_nothing(
    old: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = "\n".join(old.iterdump())
    old.close()
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    with monkeypatch.context() as patch:
        patch.setattr("alembic.op.drop_table", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.next_token()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert "\n".join(connection.iterdump()) == before
    assert ledger.next_token() == 42


def test_a_newer_ledger_is_refused_and_left_alone(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.next_token()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE ledger_version SET version_num = '0107'")
    for use in (ledger.next_token, ledger.entries, lambda: ledger.champion("m")):
        with pytest.raises(LedgerError, match=r"schema 0107, .* up to 0004.*Upgrade mlops-airflow"):
            use()
    assert rows(tmp_path / "ledger.db", "SELECT value FROM token") == [(1,)]


def test_the_migrations_lead_to_the_tables_of_the_code(tmp_path: Path) -> None:
    folder = str(Path(mlops_tasks.registry.ledger.migrations.__file__).parent)
    assert ScriptDirectory(folder, version_locations=[folder]).get_heads() == [SCHEMA]
    Ledger(f"sqlite:///{tmp_path}/ledger.db").next_token()
    for name in ("entry", "champion", "registration", "token", "head", "alias"):
        found = rows(tmp_path / "ledger.db", f"SELECT name FROM pragma_table_info('{name}')")
        assert [column for (column,) in found] == list(table(name).columns.keys())


def test_readers_do_not_wait_for_writers(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/ledger.db").next_token()
    assert rows(tmp_path / "ledger.db", "PRAGMA journal_mode") == [("wal",)]
