from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.ledger import Champion, Ledger, LedgerEntry
from tests.unit.workers import at_once, promote, say_the_same, write_entries

if TYPE_CHECKING:
    from pathlib import Path


def record(ledger: Ledger, key: str, evidence: Any, **changes: Any) -> LedgerEntry:
    fields = {"model": "m", "kind": "drift", "key": key, "evidence": evidence}
    return ledger.record(**fields | changes)


def test_an_entry_is_stored_as_it_was_said(ledger: Ledger) -> None:
    evidence = {"checks": [{"name": "x", "value": None, "alarm": False}], "text": "δ ≥ 0.2 'q'"}
    before = datetime.now(UTC)
    entry = record(ledger, "2024-03-01", evidence, dag_run="m.score/manual__1")
    assert ledger.entries() == [entry]
    assert (entry.model, entry.kind, entry.key) == ("m", "drift", "2024-03-01")
    assert (entry.evidence, entry.dag_run) == (evidence, "m.score/manual__1")
    assert before - timedelta(seconds=1) <= entry.recorded_at <= datetime.now(UTC)


def test_it_outlives_the_process_that_wrote_it(ledger: Ledger, tmp_path: Path) -> None:
    entry = record(ledger, "2024-03-01", {"a": 1})
    assert Ledger(f"sqlite:///{tmp_path}/ledger.db").entries() == [entry]


def test_saying_the_same_again_adds_nothing(ledger: Ledger) -> None:
    first = record(ledger, "2024-03-01", {"a": 1, "b": (2, 3)}, dag_run="run")
    again = record(ledger, "2024-03-01", {"b": [2, 3], "a": 1}, dag_run="run")
    assert again == first
    assert len(ledger.entries(history=True)) == 1


@pytest.mark.parametrize(
    "changes", [{"evidence": {"a": 2}}, {"dag_run": "another"}, {"kind": "verdict"}]
)
def test_saying_something_else_is_added_and_nothing_is_lost(
    ledger: Ledger, changes: dict[str, Any]
) -> None:
    first = record(ledger, "2024-03-01", {"a": 1})
    second = record(ledger, "2024-03-01", **{"evidence": {"a": 1}} | changes)
    assert ledger.entries(history=True) == [first, second]
    assert second.seq > first.seq


def test_changing_ones_mind_back_is_a_new_entry(ledger: Ledger) -> None:
    for evidence in ({"a": 1}, {"a": 2}, {"a": 1}):
        record(ledger, "2024-03-01", evidence)
    history = ledger.entries(history=True)
    assert [entry.evidence["a"] for entry in history] == [1, 2, 1]
    assert ledger.entries() == history[-1:]


def test_entries_are_the_newest_of_each_key_sorted_by_key(ledger: Ledger) -> None:
    record(ledger, "2024-03-02", {"n": 1})
    record(ledger, "2024-03-01", {"n": 2})
    record(ledger, "2024-03-02", {"n": 3})
    record(ledger, "2024-03-03", {"n": 4}, kind="decision")
    record(ledger, "2024-03-01", {"n": 5}, model="other")
    assert [entry.evidence["n"] for entry in ledger.entries(model="m")] == [2, 3, 4]
    assert [entry.evidence["n"] for entry in ledger.entries(kind="drift")] == [2, 5, 3]
    assert [e.evidence["n"] for e in ledger.entries(model="m", kind="decision")] == [4]
    assert [e.evidence["n"] for e in ledger.entries(model="m", history=True)] == [2, 1, 3, 4]
    assert ledger.entries(model="nobody") == []


@pytest.mark.parametrize(
    "evidence", [{"x": math.nan}, {"x": math.inf}, {"x": {1, 2}}, {"x": b"bytes"}, {"x": object()}]
)
def test_only_plain_json_is_evidence(ledger: Ledger, evidence: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"evidence|JSON"):
        record(ledger, "2024-03-01", evidence)
    assert ledger.entries() == []


def test_text_stays_text(ledger: Ledger) -> None:
    evil = "x'); DROP TABLE entry; --"
    record(ledger, evil, {"a": evil}, model=evil)
    assert [entry.key for entry in ledger.entries(model=evil)] == [evil]


def test_tokens_only_grow(ledger: Ledger, tmp_path: Path) -> None:
    tokens = [ledger.next_token() for _ in range(5)]
    assert tokens == sorted(set(tokens))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("DELETE FROM token")
    assert ledger.next_token() > tokens[-1]


def test_the_first_use_by_many_processes_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/fresh.db"
    found = at_once(write_entries, [(url, writer, 5) for writer in range(1, 5)])
    tokens = [token for own in found for token in own]
    assert len(set(tokens)) == 20
    assert all(own == sorted(own) for own in found)
    history = Ledger(url).entries(history=True)
    assert sorted((e.key, e.evidence["i"]) for e in history) == [
        (f"2024-03-0{writer}", i) for writer in range(1, 5) for i in range(5)
    ]


def test_attempts_that_say_the_same_at_once_are_one_entry(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    at_once(say_the_same, [(url, 20)] * 3)
    assert [entry.evidence["i"] for entry in Ledger(url).entries(history=True)] == [*range(20)]


# --- the champion


def test_there_is_no_champion_before_the_first_promotion(ledger: Ledger) -> None:
    assert ledger.champion("m") is None
    assert ledger.promote("m", expected=None, version="1")
    assert ledger.champion("m") == Champion("1", 1)
    assert ledger.champion("other") is None


def test_a_promotion_needs_the_champion_it_was_compared_with(ledger: Ledger) -> None:
    assert ledger.promote("m", expected=None, version="1")
    assert ledger.promote("m", expected="1", version="2")
    assert not ledger.promote("m", expected="1", version="3")
    assert not ledger.promote("m", expected=None, version="3")
    assert not ledger.promote("nobody", expected="1", version="2")
    assert ledger.champion("m") == Champion("2", 2)


def test_promoting_again_changes_nothing(ledger: Ledger) -> None:
    assert ledger.promote("m", expected=None, version="1")
    assert ledger.promote("m", expected=None, version="1")
    assert ledger.champion("m") == Champion("1", 1)


@pytest.mark.parametrize("expected", [None, "1"])
def test_of_many_promotions_at_once_one_wins(tmp_path: Path, expected: str | None) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    if expected is not None:
        assert Ledger(url).promote("m", expected=None, version=expected)
    won = at_once(promote, [(url, expected, version) for version in ("7", "8", "9")])
    assert sum(won) == 1
    champion = Ledger(url).champion("m")
    assert champion is not None
    assert champion.version == ("7", "8", "9")[won.index(True)]
    assert champion.generation == (1 if expected is None else 2)


def test_a_first_champion_that_came_meanwhile_wins(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look before the insert sees nothing; the insert itself must still lose."""
    assert ledger.promote("m", expected=None, version="1")
    monkeypatch.setattr(Ledger, "champion", lambda *_: None)
    assert not ledger.promote("m", expected=None, version="2")
    monkeypatch.undo()
    assert ledger.champion("m") == Champion("1", 1)


def test_it_lives_in_memory_for_a_notebook() -> None:
    ledger = Ledger("sqlite://")
    record(ledger, "2024-03-01", {"a": 1})
    assert len(ledger.entries()) == 1


@pytest.fixture
def other_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger on a database that is not SQLite, as far as the ledger can tell."""
    import sqlalchemy as sa

    make = sa.create_engine

    def pretend(url: str) -> sa.Engine:
        assert url == "postgresql+psycopg2://db/ledger"
        engine = make(f"sqlite:///{tmp_path}/other.db", poolclass=sa.NullPool)
        engine.dialect.name = "postgresql"
        return engine

    monkeypatch.setattr(sa, "create_engine", pretend)
    return Ledger("postgresql+psycopg2://db/ledger")


def test_nothing_of_it_needs_sqlite(other_database: Ledger) -> None:
    record(other_database, "2024-03-01", {"a": 1})
    assert other_database.next_token() < other_database.next_token()
    assert other_database.promote("m", expected=None, version="1")
    assert not other_database.promote("m", expected=None, version="2")
    assert [entry.evidence for entry in other_database.entries()] == [{"a": 1}]


def test_losing_the_race_to_make_the_tables_is_no_error(
    other_database: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlalchemy as sa

    create, calls = sa.MetaData.create_all, []

    def race(meta: sa.MetaData, connection: sa.Connection) -> None:
        calls.append(connection)
        if len(calls) == 1:
            raise sa.exc.ProgrammingError("CREATE TABLE", {}, Exception("already exists"))
        create(meta, connection)

    monkeypatch.setattr(sa.MetaData, "create_all", race)
    record(other_database, "2024-03-01", {"a": 1})
    assert len(calls) == 2


def test_a_database_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unable to open database file"):
        Ledger(f"sqlite:///{tmp_path}/nowhere/ledger.db").next_token()
