"""Somebody with all rights on the database changes the ledger: it is found, and where."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mlops_tasks.exceptions import LedgerError
from mlops_tasks.lake import Lake
from mlops_tasks.registry.ledger import Ledger, LedgerEntry
from mlops_tasks.registry.ledger.anchors import parse_anchor, read_anchors, write_anchor
from mlops_tasks.registry.ledger.chain import Head, entry_hash
from mlops_tasks.registry.ledger_check import verify_ledger
from mlops_tasks.registry.versions import RegisteredVersion
from tests.unit.registrations import Registry, failure
from tests.unit.registry.test_ledger_upgrade import FIRST_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_tasks.registry.ledger.verification import LedgerCheck


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Return a ledger of eight entries: two of each kind that tables follow from, and four more."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    for number in range(4):
        evidence = {"n": number, "known_at": "2024-03-01", "model_version": "1"}
        ledger.record(model="m", kind="drift", key=f"k{number}", evidence=evidence)
    for number in ("1", "2"):
        ledger.register(RegisteredVersion("m", number, "r", "u", f"digest {number}", {"p": "x"}))
    ledger.promote("m", version="1", generation=0, key="k", evidence={"reason": "first"})
    ledger.promote("m", version="2", generation=1, key="l", evidence={"reason": "better"})
    return ledger


@pytest.fixture
def owner(ledger: Ledger, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The database of the ledger, without the triggers that would stop its owner."""
    assert ledger.head().seq == 8
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = connection.execute(query).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection


TRIGGERS = "unguarded"


def found(ledger: Ledger, *anchors: Head) -> list[tuple[str, int | None]]:
    """Return what is found beside the missing triggers."""
    check = ledger.verify(anchors)
    kinds = [(finding.kind, finding.seq) for finding in check.findings]
    assert check.answer == "alarm"
    assert (TRIGGERS, None) in kinds
    return [one for one in kinds if one[0] != TRIGGERS]


def chained_again(owner: sqlite3.Connection, ledger: Ledger, first: int) -> None:
    """Make all hashes new from an entry on, and the head with them."""
    entries = sorted(ledger.entries(history=True), key=lambda entry: entry.seq)
    before = entries[first - 2].hash if first > 1 else ""
    for entry in entries[first - 1 :]:
        changed = replace(entry, previous_hash=before)
        before = entry_hash(changed)
        values = changed.previous_hash, before, entry.seq
        owner.execute("UPDATE entry SET previous_hash = ?, hash = ? WHERE seq = ?", values)
    owner.execute("UPDATE head SET hash = ?", (before,))


def test_what_nobody_touched_is_fine(ledger: Ledger) -> None:
    check = ledger.verify([ledger.head()])
    assert (check.answer, check.n_entries, check.head) == ("fine", 8, ledger.head())
    assert check.findings == check.unknown == check.notes == ()


@pytest.mark.parametrize(
    ("statements", "kind", "seq"),
    [
        (["UPDATE entry SET evidence = '{\"n\": 7}' WHERE seq = 3"], "changed", 3),
        (["UPDATE entry SET evidence = '{' WHERE seq = 3"], "changed", 3),
        (["UPDATE entry SET evidence = '[]' WHERE seq = 3"], "changed", 3),
        (["UPDATE entry SET recorded_at = 'soon' WHERE seq = 3"], "changed", 3),
        (["UPDATE entry SET recorded_at = '2024-03-01 00:00:00.000000'"], "changed", 1),
        (["UPDATE entry SET \"by\" = 'eve' WHERE seq = 8"], "changed", 8),
        (["UPDATE entry SET model_version = '2' WHERE seq = 2"], "changed", 2),
        (["UPDATE entry SET known_at = '2024-03-09' WHERE seq = 2"], "changed", 2),
        (["UPDATE entry SET hash = substr(hash, 2) || 'x' WHERE seq = 4"], "changed", 4),
        (["DELETE FROM entry WHERE seq = 1"], "removed", 1),
        (["DELETE FROM entry WHERE seq IN (3, 4)"], "removed", 3),
        (
            ["DELETE FROM entry WHERE seq = 3", "UPDATE entry SET seq = seq - 1 WHERE seq > 3"],
            "removed",
            3,
        ),
        (
            [
                "UPDATE entry SET seq = -2 WHERE seq = 2",
                "UPDATE entry SET seq = 2 WHERE seq = 3",
                "UPDATE entry SET seq = 3 WHERE seq = -2",
            ],
            "removed",
            2,
        ),
        (["UPDATE head SET hash = 'x'"], "changed", None),
        (["DELETE FROM head"], "changed", None),
    ],
)
def test_the_first_entry_that_is_not_as_it_was_written_is_named(
    ledger: Ledger, owner: sqlite3.Connection, statements: list[str], kind: str, seq: int | None
) -> None:
    anchor = ledger.head()
    for statement in statements:
        owner.execute(statement)
    assert found(ledger, anchor)[0] == (kind, seq)


def insert(owner: sqlite3.Connection, at: int, **changes: str) -> None:
    """Put an entry in, with a hash that is its own, and give later ones the next number."""
    ids = [seq for (seq,) in owner.execute("SELECT seq FROM entry ORDER BY seq DESC") if seq >= at]
    for seq in ids:
        owner.execute("UPDATE entry SET seq = seq + 1 WHERE seq = ?", (seq,))
    ((before,),) = owner.execute("SELECT hash FROM entry WHERE seq = ?", (at - 1,)).fetchall()
    row = ("m", "drift", "forged", "{}", "", "2024-03-01 00:00:00.000000", "", "", "eve", before)
    entry = LedgerEntry(
        *(at, "m", "drift", "forged", {}, "", datetime(2024, 3, 1, tzinfo=UTC), "eve", before)
    )
    values = (at, *row, entry_hash(entry))
    owner.execute(f"INSERT INTO entry VALUES ({', '.join('?' * len(values))})", values)


def test_an_entry_that_was_put_in_is_named(ledger: Ledger, owner: sqlite3.Connection) -> None:
    anchor = ledger.head()
    insert(owner, 4)
    assert found(ledger, anchor)[0] == ("inserted", 4)


def test_an_entry_with_a_new_hash_is_named_by_the_next(
    ledger: Ledger, owner: sqlite3.Connection
) -> None:
    owner.execute("UPDATE entry SET \"by\" = 'eve' WHERE seq = 3")
    entry = next(entry for entry in ledger.entries(history=True) if entry.seq == 3)
    owner.execute("UPDATE entry SET hash = ? WHERE seq = 3", (entry_hash(entry),))
    (finding, _) = ledger.verify().findings
    assert (finding.kind, finding.seq) == ("changed", 3)
    assert "entry 4 (drift 'k3' of 'm') names another hash" in finding.text


def test_a_cut_tail_is_found_by_the_head_or_by_an_anchor(
    ledger: Ledger, owner: sqlite3.Connection
) -> None:
    anchor = ledger.head()
    owner.execute("DELETE FROM entry WHERE seq > 6")
    assert found(ledger)[0] == ("cut", 7)
    owner.execute("UPDATE head SET seq = 6, hash = (SELECT hash FROM entry WHERE seq = 6)")
    owner.execute("DELETE FROM champion")
    assert found(ledger) == [], "only what was kept elsewhere tells"
    assert found(ledger, anchor) == [("cut", 7)]
    (cut, _) = ledger.verify([anchor]).findings
    assert cut.text == "the tail was cut: entries 7 to 8 were there when the head was anchored"


def test_a_chain_that_was_written_anew_is_found_by_an_anchor(
    ledger: Ledger, owner: sqlite3.Connection
) -> None:
    entries = {entry.seq: entry for entry in ledger.entries(history=True)}
    anchors = [Head(seq, entries[seq].hash) for seq in (2, 5)]
    owner.execute("UPDATE entry SET \"by\" = 'eve' WHERE seq = 4")
    chained_again(owner, ledger, 4)
    assert found(ledger) == [], "only what was kept elsewhere tells"
    assert found(ledger, *anchors) == [("rewritten", 3)]
    assert found(ledger, anchors[0]) == []


def test_entries_added_beside_the_ledger_are_named(
    ledger: Ledger, owner: sqlite3.Connection
) -> None:
    insert(owner, 9)
    assert found(ledger)[0] == ("added", 9)


@pytest.mark.parametrize(
    ("statement", "kind", "text"),
    [
        (
            "UPDATE champion SET version = '1'",
            "champion",
            "the champion of 'm' is version 1, generation 2; by its entries it is version 2, "
            "generation 2",
        ),
        (
            "UPDATE champion SET generation = 7",
            "champion",
            "the champion of 'm' is version 2, generation 7; by its entries it is version 2, "
            "generation 2",
        ),
        (
            "DELETE FROM champion",
            "champion",
            "the champion of 'm' is none; by its entries it is version 2, generation 2",
        ),
        (
            "INSERT INTO champion VALUES ('n', '1', 1)",
            "champion",
            "the champion of 'n' is version 1, generation 1; by its entries it is none",
        ),
        (
            "UPDATE registration SET digest = 'x' WHERE version = '2'",
            "registration",
            "version 2 of 'm': digest of its registration was changed",
        ),
        (
            "UPDATE registration SET artifacts = '{}', run_id = 'q' WHERE version = '1'",
            "registration",
            "version 1 of 'm': artifacts, run_id of its registration was changed",
        ),
        (
            "DELETE FROM registration WHERE version = '1'",
            "registration",
            "version 1 of 'm' has no row of its registration",
        ),
        (
            "INSERT INTO registration SELECT 'n', version, run_id, model_uri, digest, artifacts, "
            "metrics, recorded_by, recorded_at, inputs FROM registration WHERE version = '1'",
            "registration",
            "version 1 of 'n' has no entry of its registration",
        ),
        (
            "UPDATE registration SET metrics = '{'",
            "registration",
            "the registrations were changed: they cannot be read (",
        ),
    ],
)
def test_what_follows_from_entries_is_compared_with_them(
    ledger: Ledger, tmp_path: Path, statement: str, kind: str, text: str
) -> None:
    """No trigger keeps these tables: they change as the ledger goes on."""
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute(statement)
    (finding,) = ledger.verify().findings
    assert finding.kind == kind
    assert finding.text.startswith(text)


def test_a_trigger_that_is_gone_is_an_alarm(ledger: Ledger, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entry_is_removed")
    (finding,) = ledger.verify().findings
    assert finding.kind == "unguarded"


def test_an_older_ledger_is_chained_and_says_since_when(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript(FIRST_SCHEMA)
        for seq in (1, 2, 7):  # a server leaves gaps
            row = (seq, "m", "pin", f"k{seq}", '{"a":1}', "r", "2024-03-16 03:04:05.678901")
            connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        promotion = '{"version": "3", "digest": "d", "run_id": "r"}'
        row = (8, "m", "promotion", "k", promotion, "r", "2024-03-16 03:04:05.678901")
        connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO champion VALUES ('m', '3', 5)")
        connection.commit()
    ledger = Ledger(f"sqlite:///{tmp_path}/old.db")
    check = ledger.verify()
    assert (check.answer, check.findings, check.n_entries) == ("fine", (), 4 + 2)
    (note,) = check.notes
    assert note.startswith("entries up to 8 were chained on 20")
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        connection.execute("UPDATE champion SET generation = 6")
    assert [finding.kind for finding in ledger.verify().findings] == ["champion"]


# --- anchors


def checked(ledger: Ledger, lake: Lake, **more: object) -> LedgerCheck:
    return verify_ledger(ledger, lake=lake, **more)  # type: ignore[arg-type]


def test_a_head_is_anchored_once_and_read_again(ledger: Ledger, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert read_anchors(lake).heads == ()
    assert write_anchor(lake, Head(0, "")) is None
    path = write_anchor(lake, ledger.head())
    assert path is not None
    before = path.read_bytes()
    assert write_anchor(lake, ledger.head()) == path
    assert path.read_bytes() == before
    assert read_anchors(lake).heads == (ledger.head(),)
    other = Head(8, "f" * 64)
    write_anchor(lake, other)
    assert set(read_anchors(lake).heads) == {ledger.head(), other}, (
        "neither takes the other's place"
    )
    assert lake.tables() == []


def test_without_an_anchor_nobody_can_tell(ledger: Ledger, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    check = checked(ledger, lake)
    assert check.answer == "cannot_tell"
    assert "no head is anchored" in check.unknown[0]
    assert checked(ledger, lake, more=[ledger.head()]).answer == "fine"
    write_anchor(lake, ledger.head())
    assert checked(ledger, lake).answer == "fine"
    ledger.record(model="m", kind="drift", key="new", evidence={})
    check = checked(ledger, lake)
    assert (check.answer, check.notes) == ("fine", ("entries after 8 are not anchored yet",))
    assert checked(Ledger("sqlite://"), Lake(tmp_path / "other")).answer == "fine", "nothing yet"


@pytest.mark.parametrize(
    "content", ["", "{}", '{"seq": "x", "hash": "y"}', "[]", '{"format": "9.0"}']
)
def test_an_anchor_that_cannot_be_read_is_named(
    ledger: Ledger, tmp_path: Path, content: str
) -> None:
    lake = Lake(tmp_path / "lake")
    write_anchor(lake, ledger.head())
    (lake.root / "_ledger" / "000000000009-x.json").write_text(content)
    check = checked(ledger, lake)
    assert check.answer == "cannot_tell"
    assert "000000000009-x.json" in check.unknown[0]


def test_aliases_are_looked_at_and_a_server_that_is_away_is_no_alarm(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, registry = Lake(tmp_path / "lake"), Registry()
    write_anchor(lake, ledger.head())
    assert checked(ledger, lake, tracking=registry).answer == "fine"
    ledger.keep_alias("m", "champion", "2")
    registry.pointed["champion"] = "1"
    check = checked(ledger, lake, tracking=registry)
    assert check.answer == "alarm"
    assert check.findings[0].kind == "alias"
    assert check.findings[0].text.startswith("model 'm': alias champion points at version 1")

    def away(_: str) -> None:
        raise failure("TEMPORARILY_UNAVAILABLE")

    monkeypatch.setattr(registry, "get_registered_model", away)
    check = checked(ledger, lake, tracking=registry)
    assert check.answer == "cannot_tell"
    assert "cannot be asked for its aliases" in check.unknown[0]


def test_an_anchor_of_a_person() -> None:
    assert parse_anchor(f"12:{'a' * 64}") == Head(12, "a" * 64)
    for text in ("", "12", f"x:{'a' * 64}", f"12:{'a' * 63}", f"12:{'G' * 64}"):
        with pytest.raises(LedgerError, match="is no anchor; write the number"):
            parse_anchor(text)
