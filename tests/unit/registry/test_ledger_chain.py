"""Entries of a ledger are chained, and the database keeps them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mlops_tasks.exceptions import ChampionChangedError
from mlops_tasks.registry.ledger import Ledger, LedgerEntry
from mlops_tasks.registry.ledger.chain import BEGINNING, entry_hash
from tests.unit.workers import at_once, write_entries

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


def in_order(ledger: Ledger) -> list[LedgerEntry]:
    return sorted(ledger.entries(history=True), key=lambda entry: entry.seq)


def assert_chained(entries: list[LedgerEntry]) -> None:
    before = BEGINNING
    for number, entry in enumerate(entries, start=1):
        assert (entry.seq, entry.previous_hash) == (number, before)
        assert entry.hash == entry_hash(entry)
        before = entry.hash


def test_every_entry_of_every_model_is_one_chain(ledger: Ledger) -> None:
    for model in ("m", "n"):
        ledger.record(model=model, kind="drift", key="k", evidence={"x": 0.1}, by="schedule")
        ledger.promote(model, version="1", generation=0, key="k", evidence={}, by="ada")
    entries = in_order(ledger)
    assert_chained(entries)
    assert [(entry.model, entry.by) for entry in entries] == [
        *(("m", "schedule"), ("m", "ada"), ("n", "schedule"), ("n", "ada")),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 2},
        {"model": "n"},
        {"kind": "labels"},
        {"key": "l"},
        {"evidence": {"x": 0.1, "y": None}},
        {"evidence": {"x": 0.10000000000000002}},
        {"dag_run": "another"},
        {"by": "eve"},
        {"previous_hash": "0" * 64},
    ],
)
def test_the_hash_is_over_every_field(ledger: Ledger, changes: dict[str, Any]) -> None:
    entry = ledger.record(model="m", kind="drift", key="k", evidence={"x": 0.1}, by="ada")
    assert entry_hash(replace(entry, **changes)) != entry.hash
    later = entry.recorded_at.replace(microsecond=(entry.recorded_at.microsecond + 1) % 10**6)
    assert entry_hash(replace(entry, recorded_at=later)) != entry.hash


def test_the_hash_of_an_entry_is_the_same_for_ever(ledger: Ledger) -> None:
    """Hashes that were written stay valid: their recipe must never change."""
    entry = ledger.record(model="m", kind="drift", key="k", evidence={"b": [1, None], "a": "é"})
    fixed = replace(entry, recorded_at=entry.recorded_at.replace(2024, 3, 1, 2, 3, 4, 5), hash="")
    assert entry_hash(fixed) == "6ff066308139eadc25ffad1ff949b855122466e25225773c72ace45896469e7d"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET evidence = '{}'",
        "UPDATE entry SET \"by\" = 'eve' WHERE seq = 2",
        "DELETE FROM entry",
        "DELETE FROM entry WHERE seq = 3",
        "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE seq = 2",
        "INSERT INTO entry SELECT 9, model, kind, key, evidence, dag_run, recorded_at, "
        'model_version, known_at, "by", previous_hash, hash FROM entry WHERE seq = 3',
        "INSERT INTO entry SELECT 4, model, kind, key, evidence, dag_run, recorded_at, "
        'model_version, known_at, "by", previous_hash, hash FROM entry WHERE seq = 3',
        "INSERT INTO entry SELECT 4, model, kind, key, evidence, dag_run, recorded_at, "
        "model_version, known_at, \"by\", hash, '' FROM entry WHERE seq = 3",
    ],
)
def test_the_database_refuses_all_but_a_next_entry(
    ledger: Ledger, tmp_path: Path, statement: str
) -> None:
    for number in range(3):
        ledger.record(model="m", kind="drift", key=f"{number}", evidence={"n": number})
    before = in_order(ledger)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="the ledger is append-only"):
            connection.execute(statement)
        connection.commit()
    assert in_order(ledger) == before
    assert_chained(before)


def test_a_promotion_that_is_refused_leaves_no_gap(ledger: Ledger) -> None:
    ledger.promote("m", version="1", generation=0, key="k", evidence={})
    with pytest.raises(ChampionChangedError):
        ledger.promote("m", version="2", generation=0, key="k", evidence={})
    ledger.promote("m", version="2", generation=1, key="k", evidence={})
    assert_chained(in_order(ledger))


def test_only_a_promotion_or_a_rollback_moves_a_champion(ledger: Ledger) -> None:
    ledger.promote("m", version="1", generation=0, key="k", evidence={}, kind="rollback")
    assert [entry.kind for entry in in_order(ledger)] == ["rollback"]
    with pytest.raises(ValueError, match="an entry of kind verdict moves no champion"):
        ledger.promote("m", version="2", generation=1, key="k", evidence={}, kind="verdict")
    assert len(in_order(ledger)) == 1


@pytest.mark.slow
def test_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    at_once(write_entries, [(url, writer, 10) for writer in range(1, 5)])
    entries = in_order(Ledger(url))
    assert len(entries) == 40
    assert_chained(entries)
