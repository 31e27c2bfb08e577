from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import (
    ChampionChangedError,
    LedgerError,
    TransientError,
    UnavailableError,
    VersionNotAllowedError,
)
from mlops_tasks.registry.ledger import (
    Champion,
    Ledger,
    LedgerEntry,
    database,
    ledger_state,
    statements,
)
from mlops_tasks.registry.ledger.upgrading import SCHEMA
from mlops_tasks.registry.versions import RegisteredVersion
from tests.unit import workers
from tests.unit.workers import at_once, say_the_same, write_entries

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return an empty ledger in a file, of little patience: a mistake is not waited for."""
    monkeypatch.setattr(database, "_PATIENCE_S", 2)
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


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


def test_what_is_recorded_once_stays(ledger: Ledger) -> None:
    about = {"model": "m", "kind": "decision", "key": "2024-03-01"}
    first = ledger.record_once(**about, evidence={"a": 1}, dag_run="run")
    assert ledger.record_once(**about, evidence={"a": 2}, dag_run="another") == first
    assert ledger.entries(history=True) == [first]
    assert (first.evidence, first.dag_run) == ({"a": 1}, "run")
    record(ledger, "2024-03-01", {"a": 3}, kind="decision")
    assert ledger.record_once(**about, evidence={"a": 4}) == first
    other = ledger.record_once(**about | {"key": "2024-03-02"}, evidence={"a": 5})
    assert other.seq > first.seq
    with pytest.raises(ValueError, match="not plain JSON"):
        ledger.record_once(**about, evidence={"x": math.nan})


def test_entries_of_one_key(ledger: Ledger) -> None:
    for key, number in (("2024-03-01", 1), ("2024-03-02", 2), ("2024-03-01", 3)):
        record(ledger, key, {"n": number})
    assert [e.evidence["n"] for e in ledger.entries(key="2024-03-01")] == [3]
    assert [e.evidence["n"] for e in ledger.entries(key="2024-03-01", history=True)] == [1, 3]
    assert ledger.entries(key="2024-03-09") == []


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


def measured(ledger: Ledger, key: int, n: int, version: str = "1", known: int = 0) -> None:
    evidence = {"n": n, "model_version": version, "known_at": f"2024-03-{known or key:02}"}
    record(ledger, f"2024-03-{key:02}", evidence)


def test_the_newest_of_a_key_or_of_all(ledger: Ledger) -> None:
    assert ledger.newest("m", "drift") is None
    for n, key in enumerate((2, 1, 2, 1)):
        measured(ledger, key, n)
    record(ledger, "2024-03-09", {"n": 9}, model="other")
    record(ledger, "2024-03-09", {"n": 9}, kind="verdict")
    found = [ledger.newest("m", "drift", key=key) for key in (None, "2024-03-01", "2024-03-03")]
    assert [entry and entry.evidence["n"] for entry in found] == [2, 3, None]
    assert found[0] == ledger.entries(model="m", kind="drift")[-1]


def test_the_newest_of_the_last_keys_of_a_version_as_of_a_day(ledger: Ledger) -> None:
    for key in range(1, 7):
        measured(ledger, key, key, version="2" if key == 5 else "1", known=key + 1)
    measured(ledger, 3, 33, known=4)
    measured(ledger, 3, 333, known=9)

    def found(n_keys: int, **only: str) -> list[int]:
        return [e.evidence["n"] for e in ledger.newest_of_keys("m", "drift", n_keys, **only)]

    assert found(2) == [5, 6]
    assert found(9) == [1, 2, 333, 4, 5, 6]
    assert found(3, model_version="1") == [333, 4, 6]
    assert found(2, as_of="2024-03-06") == [4, 5]
    assert found(3, as_of="2024-03-06", model_version="1") == [2, 33, 4]
    assert found(3, as_of="2024-03-04") == [1, 2, 33]
    assert found(3, as_of="2024-02-28") == []
    newest = ledger.newest("m", "drift", model_version="2", as_of="2024-03-06")
    assert newest is not None
    assert newest.evidence["n"] == 5
    for key, other in (("2024-03-06", {"model": "other"}), ("2024-03-07", {"kind": "verdict"})):
        record(ledger, key, {"n": 0}, **other)
    assert found(2) == [5, 6]
    assert found(9) == [1, 2, 333, 4, 5, 6]


def test_the_newest_entries_are_those_written_last_whatever_their_keys(ledger: Ledger) -> None:
    for n, key in enumerate(("b", "a", "b", "c", "a")):
        ledger.record(model="m", kind="incident", key=key, evidence={"n": n})
    ledger.record(model="other", kind="incident", key="a", evidence={"n": 9})
    ledger.record(model="m", kind="drift", key="a", evidence={"n": 9})
    found = ledger.newest_entries("m", "incident", 3)
    assert [(one.key, one.evidence["n"]) for one in found] == [("b", 2), ("c", 3), ("a", 4)]
    assert len(ledger.newest_entries("m", "incident", 9)) == 5


def test_what_names_no_day_was_known_at_once(ledger: Ledger) -> None:
    record(ledger, "2024-03-02", {"verdict": "keep"}, kind="verdict")
    assert ledger.newest("m", "verdict", as_of="2024-03-01") is None
    assert ledger.newest("m", "verdict", as_of="2024-03-02") is not None


@pytest.mark.parametrize("once", [True, False])
def test_a_kind_that_does_not_exist_is_refused(ledger: Ledger, once: bool) -> None:
    say = ledger.record_once if once else ledger.record
    with pytest.raises(ValueError, match="'verdikt' is not a valid EvidenceKind"):
        say(model="m", kind="verdikt", key="2024-03-01", evidence={})
    assert ledger.entries() == []


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
    assert tokens == [1, 2, 3, 4, 5]
    assert Ledger(f"sqlite:///{tmp_path}/ledger.db").next_token() == 6


@pytest.mark.parametrize("committed", [1, 5, 2**40])
def test_a_token_is_larger_than_what_is_committed_already(ledger: Ledger, committed: int) -> None:
    """As after a ledger was lost: attempts that it gave numbers may still be at work."""
    found = ledger.next_token(above=committed)
    assert found == committed + 1_000_000
    assert ledger.next_token(above=committed) == found + 1
    assert ledger.next_token(above=found + 1) == found + 2
    assert ledger.next_token(above=found + 3) == found + 3 + 1_000_000
    assert ledger.next_token() == found + 4 + 1_000_000


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


def promote(ledger: Ledger, version: str, generation: int, **changes: Any) -> Champion:
    fields: dict[str, Any] = {"key": "2024-03-01", "evidence": {"reason": "it is better"}}
    return ledger.promote("m", version=version, generation=generation, **fields | changes)


def moves(ledger: Ledger) -> list[tuple[int, str, str | None]]:
    said = [entry.evidence for entry in ledger.entries(kind="promotion", history=True)]
    return [(one["generation"], one["version"], one["previous"]) for one in said]


def test_there_is_no_champion_before_the_first_promotion(ledger: Ledger) -> None:
    assert ledger.champion("m") is None
    assert promote(ledger, "1", 0) == Champion("1", 1) == ledger.champion("m")
    assert ledger.champion("other") is None


@pytest.mark.parametrize(
    ("generation", "expected"),
    [(1, "the champion of generation 1"), (3, "the champion of generation 3"), (0, "no champion")],
)
def test_a_promotion_needs_the_champion_it_was_compared_with(
    ledger: Ledger, generation: int, expected: str
) -> None:
    assert promote(ledger, "1", 0) == Champion("1", 1)
    assert promote(ledger, "2", 1) == Champion("2", 2)
    with pytest.raises(ChampionChangedError) as error:
        promote(ledger, "3", generation)
    assert str(error.value) == (
        f"model 'm': version 3 was compared with {expected}, but the champion is version 2, "
        "generation 2, by now; nothing was changed. Train again to compare with the new champion"
    )
    assert ledger.champion("m") == Champion("2", 2)
    assert moves(ledger) == [(1, "1", None), (2, "2", "1")]


def test_where_there_is_no_champion_none_can_be_followed(ledger: Ledger) -> None:
    with pytest.raises(ChampionChangedError, match="but the champion is none, by now"):
        promote(ledger, "2", 1)
    assert ledger.champion("m") is None


def test_a_version_that_has_returned_is_another_champion(ledger: Ledger) -> None:
    """What was compared with A before B came must not follow A after B was rolled back."""
    for generation, version in enumerate(("A", "B", "A")):
        promote(ledger, version, generation)
    for stale in ("C", "A", "B"):
        with pytest.raises(ChampionChangedError, match="version A, generation 3, by now"):
            promote(ledger, stale, 1 if stale == "C" else 0)
    assert ledger.champion("m") == Champion("A", 3)
    assert moves(ledger) == [(1, "A", None), (2, "B", "A"), (3, "A", "B")]
    assert promote(ledger, "C", 3) == Champion("C", 4)


@pytest.mark.parametrize("generation", [1, 2])
def test_promoting_again_changes_nothing(ledger: Ledger, generation: int) -> None:
    """The second attempt, and whoever asks for the version that is champion."""
    promote(ledger, "1", 0)
    promote(ledger, "2", 1)
    again = promote(ledger, "2", generation, evidence={"reason": "another"}, dag_run="another")
    assert again == Champion("2", 2) == ledger.champion("m")
    assert len(moves(ledger)) == 2


@pytest.mark.parametrize("generation", [0, 1])
def test_of_many_promotions_at_once_one_wins(tmp_path: Path, generation: int) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    if generation:
        promote(Ledger(url), "1", 0)
    won = at_once(workers.promote, [(url, generation, version) for version in ("7", "8", "9")])
    assert sum(won) == 1
    winner = ("7", "8", "9")[won.index(True)]
    assert Ledger(url).champion("m") == Champion(winner, generation + 1)
    assert moves(Ledger(url))[-1] == (generation + 1, winner, "1" if generation else None)
    assert len(moves(Ledger(url))) == generation + 1


def test_it_lives_in_memory_for_a_notebook() -> None:
    ledger = Ledger("sqlite://")
    record(ledger, "2024-03-01", {"a": 1})
    assert len(ledger.entries()) == 1


def test_a_promotion_and_its_entry_are_written_together(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(ledger, "1", 0, dag_run="m.train/r")
    (entry,) = ledger.entries(history=True)
    assert (entry.kind, entry.key, entry.dag_run) == ("promotion", "2024-03-01", "m.train/r")
    assert entry.evidence == {
        "reason": "it is better",
        "version": "1",
        "previous": None,
        "generation": 1,
    }
    with pytest.raises(ValueError, match="plain JSON"):
        promote(ledger, "2", 1, evidence={"x": math.nan})
    with monkeypatch.context() as patch:
        patch.setattr(statements, "append", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            promote(ledger, "2", 1)
    assert ledger.entries(history=True) == [entry]
    assert ledger.champion("m") == Champion("1", 1)


# --- the champion of a day


def say(ledger: Ledger, *events: tuple[str, int, str]) -> None:
    """Write down events in this order: kind, day of March, and the version promoted."""
    for kind, number, version in events:
        now, key = ledger.champion("m"), f"2024-03-{number:02}"
        if kind == "promotion":
            promote(ledger, version, now.generation if now else 0, key=key)
        else:
            ledger.record(model="m", kind=kind, key=key, evidence={})


@pytest.mark.parametrize(
    ("day", "version"), [(4, None), (5, "1"), (8, "1"), (9, "2"), (11, "2"), (12, "3"), (30, "3")]
)
def test_a_day_has_the_champion_that_was_promoted_last(
    ledger: Ledger, day: int, version: str | None
) -> None:
    say(ledger, ("promotion", 5, "1"), ("decision", 7, ""), ("promotion", 9, "2"))
    say(ledger, ("drift", 29, ""), ("promotion", 12, "3"))
    ledger.record(model="other", kind="decision", key="2024-03-29", evidence={})
    assert ledger.champion_as_of("m", f"2024-03-{day:02}") == version


def test_a_later_decision_ends_what_was_known(ledger: Ledger) -> None:
    """Version 2 was trained as of the fifth day when the ninth had been decided."""
    say(ledger, ("promotion", 3, "1"), ("decision", 9, ""), ("promotion", 5, "2"))
    found = [ledger.champion_as_of("m", f"2024-03-0{day}") for day in (2, 8, 9)]
    assert found == [None, "1", "2"]


def test_without_anything_later_it_is_the_champion_of_today(ledger: Ledger) -> None:
    assert ledger.champion_as_of("m", "2024-03-01") is None
    say(ledger, ("decision", 9, ""))
    assert ledger.champion_as_of("m", "2024-03-03") is None
    assert ledger.champion_as_of("m", "2024-03-09") is None


def test_a_champion_of_a_lost_ledger_counts_at_once(ledger: Ledger) -> None:
    """It was taken over by hand, as of no day; what is decided from then on has a champion."""
    promote(ledger, "3", 0, key="adoption of 3")
    assert ledger.champion_as_of("m", "2024-03-09") == "3"
    say(ledger, ("decision", 9, ""), ("promotion", 10, "4"))
    assert ledger.champion_as_of("m", "2024-03-08") == "3"
    assert ledger.champion_as_of("m", "2024-03-10") == "4"


def test_another_model_changes_nothing_about_a_day(ledger: Ledger) -> None:
    ledger.record(model="other", kind="decision", key="2024-03-29", evidence={})
    say(ledger, ("promotion", 5, "1"))
    assert ledger.champion_as_of("m", "2024-03-06") == "1"
    ledger.promote("other", version="77", generation=0, key="2024-03-06", evidence={})
    say(ledger, ("promotion", 9, "2"))
    assert ledger.champion_as_of("m", "2024-03-08") == "1"


# --- what goes wrong


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/ledger.db",
        "sqlite:////proc/version",
        "nonsense",
        "oracle://h/x",
        "what://h",
        "",
    ],
)
def test_a_database_that_cannot_be_used_is_named_with_the_fix(url: str) -> None:
    with pytest.raises(LedgerError, match=r"ledger .*(orrect the connection)"):
        Ledger(url).next_token()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_text("not a database at all, but something that somebody may need" * 100)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match=r"ledger\.db cannot be used: file is not a database"):
        Ledger(f"sqlite:///{path}").champion("m")
    assert path.read_bytes() == before


def test_a_ledger_that_stays_locked_is_given_up_as_transient(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.next_token()
    monkeypatch.setattr(database, "_BUSY_S", 0.05)
    monkeypatch.setattr(database, "_PATIENCE_S", 0.3)
    locked = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match=r"database is locked; nothing was") as e:
            record(locked, "2024-03-01", {"secret of the evidence": 1})
        assert "secret" not in str(e.value)
        assert isinstance(e.value, TransientError)
        assert locked.entries() == [], "who reads does not wait for who writes"
    record(locked, "2024-03-01", {"a": 1})


def test_a_ledger_that_is_free_again_soon_is_waited_for(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.next_token()
    monkeypatch.setattr(database, "_BUSY_S", 0.02)
    waiting = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    somebody = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    somebody.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            somebody.close()

    monkeypatch.setattr("mlops_tasks.registry.ledger.database.time.sleep", pause)
    assert waiting.next_token() == 2
    assert len(pauses) == 3
    assert pauses == sorted(pauses), "growing"


@pytest.mark.slow
def test_eight_writers_under_load_lose_nothing_and_see_no_raw_error(tmp_path: Path) -> None:
    url, n = f"sqlite:///{tmp_path}/ledger.db", 15
    found = at_once(write_entries, [(url, writer, n) for writer in range(1, 9)])
    tokens = [token for own in found for token in own]
    assert sorted(tokens) == list(range(1, 8 * n + 1))
    history = Ledger(url).entries(history=True)
    assert sorted((e.key, e.evidence["i"]) for e in history) == [
        (f"2024-03-{writer:02}", i) for writer in range(1, 9) for i in range(n)
    ]


def test_of_several_things_under_one_key_each_is_recorded_once(ledger: Ledger) -> None:
    about = {"model": "m", "kind": "verdict", "key": "2024-03-01"}
    first = ledger.record_once(**about, evidence={"run": "a", "said": 1}, about={"run": "a"})
    assert (first.by, first.dag_run) == ("", ""), "nobody has said"
    other = ledger.record_once(**about, evidence={"run": "b", "said": 2}, about={"run": "b"})
    assert other.seq > first.seq
    again = {"evidence": {"run": "b", "said": 3}, "about": {"run": "b"}}
    assert ledger.record_once(**about, **again) == other
    assert ledger.entries(history=True) == [first, other]


def test_what_follows_from_the_newest_entry_is_appended(ledger: Ledger) -> None:
    about = {"model": "m", "kind": "incident", "key": "drift"}
    for other in ({"model": "n"}, {"kind": "notification"}, {"key": "performance"}):
        ledger.record(**about | other, evidence={"n": 7})
    seen: list[LedgerEntry | None] = []

    def count(newest: LedgerEntry | None) -> dict[str, int] | None:
        seen.append(newest)
        n = newest.evidence["n"] if newest else 0
        return {"n": n + 1} if n < 2 else None

    first = ledger.record_next(count, **about, dag_run="m.decide/1", by="ada")
    second = ledger.record_next(count, **about)
    assert first is not None
    assert second is not None
    assert (first.model, first.kind, first.key) == ("m", "incident", "drift")
    assert (first.evidence, first.dag_run, first.by) == ({"n": 1}, "m.decide/1", "ada")
    assert (second.evidence, second.dag_run, second.by) == ({"n": 2}, "", "")
    assert ledger.record_next(count, **about) is None
    assert seen == [None, first, second]
    assert [one for one in ledger.entries(history=True) if one.evidence["n"] < 7] == [first, second]
    with pytest.raises(ValueError, match="gossip"):
        ledger.record_next(count, **about | {"kind": "gossip"})
    with pytest.raises(ValueError, match="JSON"):
        ledger.record_next(lambda _: {"n": math.nan}, **about)


def champions(ledger: Ledger) -> None:
    """Register 1 and 2 of two models, and make 2 of the first the champion after 1."""
    for model in ("m", "n"):
        for number in ("1", "2"):
            version = RegisteredVersion(model, number, "run", "models:/x", f"digest {number}")
            assert ledger.register(version)
    for number in ("1", "2"):
        move = {"version": number, "generation": int(number) - 1, "key": f"k{number}"}
        ledger.promote("m", **move, evidence={})


def test_a_version_is_retired_once_and_never_the_champion_again(ledger: Ledger) -> None:
    champions(ledger)
    with pytest.raises(VersionNotAllowedError) as refused:
        ledger.retire("m", "2", evidence={"reason": "wrong"}, by="ada")
    assert str(refused.value) == (
        "version 2 is the champion of 'm' and cannot be retired: roll back or promote another one "
        "first"
    )
    assert ledger.entries(kind="retirement") == []
    first = ledger.retire("m", "1", evidence={"reason": "wrong labels"}, by="ada")
    assert (first.model, first.kind, first.key) == ("m", "retirement", "1")
    assert (first.evidence, first.by, first.dag_run) == ({"reason": "wrong labels"}, "ada", "")
    assert ledger.retire("m", "1", evidence={"reason": "no, others"}, by="bob") == first
    assert ledger.retire("n", "1", evidence={}) != first, "of another model"
    assert ledger.retire("n", "2", evidence={}).by == "", "which has no champion"
    move = {"generation": 2, "key": "k", "evidence": {}}
    with pytest.raises(VersionNotAllowedError) as refused:
        ledger.promote("m", version="1", **move)
    day = f"{first.recorded_at:%Y-%m-%d}"
    assert str(refused.value) == (
        f"version 1 of 'm' was retired by ada on {day}: wrong labels. It cannot be the champion; "
        "choose another version, or train again"
    )
    with pytest.raises(VersionNotAllowedError, match=r"by somebody on .*: no reason is known"):
        ledger.promote("n", version="1", **move | {"generation": 0})
    assert ledger.champion("m") == Champion("2", 2)


def test_the_lifecycle_is_that_of_one_model_in_order(ledger: Ledger) -> None:
    champions(ledger)
    record(ledger, "2024-03-01", {"a": 1})
    ledger.retire("m", "1", evidence={"reason": "wrong"})
    found = ledger.lifecycle("m")
    assert [(one.model, one.kind, one.key) for one in found] == [
        ("m", "registration", "1"),
        ("m", "registration", "2"),
        ("m", "promotion", "k1"),
        ("m", "promotion", "k2"),
        ("m", "retirement", "1"),
    ]
    assert [one.seq for one in found] == sorted(one.seq for one in found)
    assert [one.kind for one in ledger.lifecycle("n")] == ["registration"] * 2


def test_where_an_alias_was_put_is_kept_by_model_and_alias(ledger: Ledger) -> None:
    assert ledger.aliases("m") == {}
    for model, alias, version in (
        ("m", "champion", "1"),
        ("m", "previous", None),
        ("n", "champion", "8"),
        ("m", "champion", "2"),
    ):
        ledger.keep_alias(model, alias, version)
    assert ledger.aliases("m") == {"champion": "2", "previous": None}
    assert ledger.aliases("n") == {"champion": "8"}
    ledger.keep_alias("m", "champion", None)
    assert ledger.aliases("m")["champion"] is None


def test_a_ledger_says_of_what_schema_it_is(ledger: Ledger, tmp_path: Path) -> None:
    new = sa.create_engine(f"sqlite:///{tmp_path}/new.db")
    with new.connect() as connection:
        assert ledger_state(connection) == "no ledger yet: its tables are made at the first use"
    record(ledger, "2024-03-01", {"a": 1})
    record(ledger, "2024-03-02", {"a": 1})
    made = sa.create_engine(f"sqlite:///{tmp_path}/ledger.db")
    with made.begin() as connection:
        assert ledger_state(connection) == f"schema {SCHEMA}, 2 entries"
        connection.execute(sa.text("UPDATE ledger_version SET version_num = '0001'"))
        assert ledger_state(connection) == (
            f"of an older schema: it is brought to {SCHEMA} at its first use"
        )
