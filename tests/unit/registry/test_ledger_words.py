"""Versions in the ledger, whose first word counts, and what a database may answer."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import LedgerError, UnavailableError
from mlops_tasks.registry.ledger import Champion, Ledger, database
from mlops_tasks.registry.ledger.database import Database
from mlops_tasks.registry.ledger.upgrading import SCHEMA
from mlops_tasks.registry.versions import RegisteredVersion
from mlops_tasks.serialization import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = RegisteredVersion(
    "m", "3", "run", "models:/m-3", "digest", {"pin.json": "p"}, {"roc_auc": 0.75}
)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger that nobody else uses: there is nothing to wait for."""
    monkeypatch.setattr(database, "_PATIENCE_S", 0.1)
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


def stored(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path / "ledger.db")) as connection:
        return connection.execute(query).fetchall()


# --- versions


def test_a_version_is_kept_as_it_was_registered(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.registration("m", "3") is None
    assert ledger.register(VERSION, recorded_by="m.train/r", by="p")
    assert ledger.registration("m", "3") == VERSION
    assert ledger.registration("m", "4") is None
    assert ledger.registration("other", "3") is None
    query = "SELECT recorded_by, recorded_at > '2024' FROM registration"
    assert stored(tmp_path, query) == [("m.train/r", 1)]
    (entry,) = ledger.entries()
    assert (entry.model, entry.kind, entry.key) == ("m", "registration", "3")
    assert (entry.dag_run, entry.by) == ("m.train/r", "p")
    known = to_json(VERSION)
    assert entry.evidence == {n: v for n, v in known.items() if n not in ("name", "generation")}


@pytest.mark.parametrize("changes", [{"run_id": "another"}, {"digest": "another"}])
def test_the_first_word_about_a_number_stays(ledger: Ledger, changes: dict[str, str]) -> None:
    assert ledger.register(VERSION)
    assert not ledger.register(replace(VERSION, **changes))
    assert ledger.register(replace(VERSION, artifacts={}, metrics={}, model_uri="x")), "the same"
    assert ledger.registrations() == [VERSION]


def test_versions_of_one_model_and_of_all(ledger: Ledger, tmp_path: Path) -> None:
    more = [replace(VERSION, version="4"), replace(VERSION, name="other")]
    for version in (VERSION, *more):
        assert ledger.register(version)
    assert ledger.registrations("m") == [VERSION, more[0]]
    assert ledger.registrations("other") == [more[1]]
    assert ledger.registrations("nobody") == []
    assert ledger.registrations() == [VERSION, *more]
    assert stored(tmp_path, "SELECT DISTINCT recorded_by FROM registration") == [("",)]


def test_a_version_is_adopted_with_the_words_of_a_person(ledger: Ledger, tmp_path: Path) -> None:
    evidence = {"person": "p", "reason": "lost"}
    assert ledger.adopt(VERSION, evidence=evidence, recorded_by="by hand")
    assert ledger.registration("m", "3") == VERSION
    (entry,) = ledger.entries(kind="adoption")
    assert (entry.model, entry.kind, entry.key) == ("m", "adoption", "3")
    assert (entry.evidence, entry.dag_run) == (evidence, "by hand")
    assert stored(tmp_path, "SELECT recorded_by FROM registration") == [("by hand",)]


def test_other_files_are_never_adopted(ledger: Ledger) -> None:
    assert ledger.register(VERSION)
    other = replace(VERSION, digest="another", artifacts={"more": "x"})
    assert not ledger.adopt(other, evidence={"a": 1}, recorded_by="x")
    assert ledger.registrations() == [VERSION]
    assert [entry.kind for entry in ledger.entries()] == ["registration"]
    with pytest.raises(ValueError, match=r"^evidence of adoption '3' is not plain JSON: "):
        ledger.adopt(VERSION, evidence={"a": math.inf}, recorded_by="x")


def test_an_adoption_adds_what_is_missing_and_changes_nothing_else(ledger: Ledger) -> None:
    bare = replace(VERSION, artifacts={"pin.json": "p"}, metrics={})
    others = [replace(bare, version="4"), replace(bare, name="other")]
    for version in (bare, *others):
        assert ledger.register(version)
    found = replace(
        VERSION, run_id="x", artifacts={"pin.json": "changed", "more": "m"}, metrics={"roc_auc": 1}
    )
    assert ledger.adopt(found, evidence={}, recorded_by="x")
    completed = replace(VERSION, artifacts={"pin.json": "p", "more": "m"}, metrics={"roc_auc": 1})
    assert ledger.registrations() == [completed, *others]
    assert ledger.adopt(replace(found, metrics={"roc_auc": 0}), evidence={}, recorded_by="x")
    assert ledger.registrations() == [completed, *others], "known figures stay"


# --- champions


def test_a_promotion_moves_the_champion_of_one_model(ledger: Ledger, tmp_path: Path) -> None:
    evidence = {"z": 2, "a": 1}
    for model in ("m", "other"):
        ledger.promote(model, version="1", generation=0, key="k", evidence=evidence)
    ledger.promote("m", version="2", generation=1, key="l", evidence={}, dag_run="run")
    assert ledger.champion("m") == Champion("2", 2)
    assert ledger.champion("other") == Champion("1", 1)
    found = [(e.model, e.key, e.dag_run) for e in ledger.entries(history=True)]
    assert found == [("m", "k", ""), ("other", "k", ""), ("m", "l", "run")]
    (text, *_) = stored(tmp_path, "SELECT evidence FROM entry ORDER BY seq")
    sorted_keys = '{"a": 1, "generation": 1, "previous": null, "version": "1", "z": 2}'
    assert text == (sorted_keys,), "to be compared by eye"
    with pytest.raises(ValueError, match=r"^evidence of promotion 'k' is not plain JSON: "):
        ledger.promote("m", version="3", generation=2, key="k", evidence={"x": math.nan})


def test_an_entry_of_another_model_kind_or_key_is_not_the_same(ledger: Ledger) -> None:
    said = {"model": "m", "kind": "drift", "key": "k"}
    for once in (ledger.record, ledger.record_once):
        for changes in ({}, {"model": "n"}, {"kind": "verdict"}, {"key": "l"}):
            about = said | changes | {"key": f"{changes.get('key', 'k')} of {once.__name__}"}
            entry = once(**about, evidence={"a": 1})
            assert (entry.model, entry.kind, entry.key) == tuple(about.values())
            assert entry.dag_run == ""
            assert once(**about, evidence={"a": 1}) == entry
        with pytest.raises(ValueError, match=r"^evidence of drift 'k' is not plain JSON: "):
            once(**said, evidence={"a": math.nan})
    assert len(ledger.entries(history=True)) == 8


# --- what a database answers


def answer(kind: type[sa.exc.DBAPIError], text: str = "x", **attributes: str) -> sa.exc.DBAPIError:
    """Make the error that SQLAlchemy makes of a driver's."""
    original = Exception(f" {text}\n")
    for name, value in attributes.items():
        setattr(original, name, value)
    return kind("SELECT secret", {}, original)


def asked(error: Exception, *, url: str = "sqlite://", write: bool = False) -> None:
    def work(_: sa.Connection) -> None:
        raise error

    ledger = Database(url)
    (ledger.write if write else ledger.read)(work)


OPERATIONAL, PROGRAMMING = sa.exc.OperationalError, sa.exc.ProgrammingError


@pytest.mark.parametrize(
    "error",
    [
        answer(OPERATIONAL, sqlite_errorname="SQLITE_BUSY"),
        answer(OPERATIONAL, sqlite_errorname="SQLITE_IOERR_READ"),
        answer(PROGRAMMING, pgcode="08006"),
        answer(PROGRAMMING, pgcode="40001"),
        answer(PROGRAMMING, pgcode="53300"),
        answer(PROGRAMMING, pgcode="57P03"),
        answer(PROGRAMMING, pgcode="55P03"),
        answer(OPERATIONAL, "connection refused"),
        answer(OPERATIONAL, "SSL SYSCALL error: EOF detected"),
        answer(sa.exc.IntegrityError, sqlite_errorname="SQLITE_CONSTRAINT_PRIMARYKEY"),
        answer(sa.exc.IntegrityError, "a lost race"),
        answer(sa.exc.IntegrityError, pgcode="23505"),
    ],
    ids=lambda error: repr(error.orig) + repr(vars(error.orig)) + type(error).__name__,
)
def test_what_may_pass_is_asked_again_and_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", -1)
    reason = str(error.orig).strip()  # type: ignore[attr-defined]
    for write in (False, True):
        with pytest.raises(UnavailableError) as found:
            asked(error, write=write)
        assert str(found.value) == (
            f"the ledger sqlite:// is busy or does not answer: {reason}; nothing was written. The "
            "task is tried again; if that does not help, look at its database"
        )


def test_a_connection_that_broke_may_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE_S", -1)
    error = answer(PROGRAMMING)
    with pytest.raises(LedgerError):
        asked(error)
    error.connection_invalidated = True
    with pytest.raises(UnavailableError):
        asked(error)


@pytest.mark.parametrize(
    "error",
    [
        *(
            answer(OPERATIONAL, sqlite_errorname=f"SQLITE_{name}")
            for name in ("CANTOPEN_ISDIR", "CORRUPT", "NOTADB", "READONLY", "PERM", "AUTH", "ERROR")
        ),
        answer(sa.exc.IntegrityError, sqlite_errorname="SQLITE_CONSTRAINT_NOTNULL"),
        answer(sa.exc.IntegrityError, pgcode="23502"),
        answer(OPERATIONAL, pgcode="28P01"),
        answer(OPERATIONAL, pgcode="55006"),
        answer(OPERATIONAL, pgcode="42P01"),
        answer(OPERATIONAL, "password authentication failed"),
        answer(OPERATIONAL, 'database "x" does not exist'),
        answer(OPERATIONAL, "no pg_hba.conf entry"),
        answer(OPERATIONAL, "permission denied for table"),
        answer(PROGRAMMING, "connection refused"),
    ],
    ids=lambda error: repr(error.orig) + repr(vars(error.orig)),
)
def test_what_stays_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited for nothing"))
    reason = str(error.orig).strip()  # type: ignore[attr-defined]
    with pytest.raises(LedgerError) as found:
        asked(error)
    assert str(found.value) == (
        f"the ledger sqlite:// cannot be used: {reason}; nothing was written. Correct the "
        "connection of the ledger or the rights of its user; docs/how-to/operate.md says how to go "
        "on after a ledger was lost"
    )


def test_what_may_not_be_null_is_no_lost_race(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of a caller: trying again would not make it better."""
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited for nothing"))
    nobody: Any = None
    with pytest.raises(LedgerError, match="cannot be used: NOT NULL constraint failed"):
        ledger.record(model=nobody, kind="drift", key="k", evidence={})
    assert ledger.entries() == []


def test_waiting_grows_up_to_a_bound_and_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, spans = [1000.0], []

    def uniform(low: float, high: float) -> float:
        spans.append((low, high))
        return high

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    timer = SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep)
    monkeypatch.setattr(database, "time", timer)
    monkeypatch.setattr(database, "random", SimpleNamespace(uniform=uniform))
    with pytest.raises(UnavailableError):
        asked(answer(OPERATIONAL, "database is locked"))
    growing = [0.05 * 2**n for n in range(6)]
    expected = growing + [2.0] * int((45 - sum(growing)) // 2)
    assert [high for _, high in spans] == pytest.approx(expected)
    assert all(low == high / 2 for low, high in spans)
    assert 43 < clock[0] - 1000 <= 45


def test_work_that_lost_a_race_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    answers: list[Any] = [answer(sa.exc.IntegrityError), answer(OPERATIONAL, "deadlock"), "done"]

    def work(_: sa.Connection) -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    assert Database("sqlite://").write(work) == "done"


def test_no_password_is_ever_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise answer(PROGRAMMING)

    monkeypatch.setattr(Database, "_once", fail)
    with pytest.raises(LedgerError, match=r"the ledger postgresql\+psycopg2://u:\*\*\*@h/d cannot"):
        asked(Exception(), url="postgresql+psycopg2://u:secret@h/d")
    monkeypatch.undo()
    with pytest.raises(LedgerError) as error:
        asked(Exception(), url="what://u:secret@h/d")
    assert str(error.value).startswith("there is no ledger at what://…: ")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "pool", "arguments"),
    [
        ("sqlite://", sa.StaticPool, {"timeout": 10.0}),
        ("sqlite:///x.db", sa.NullPool, {"timeout": 10.0}),
        ("postgresql://h/d", sa.NullPool, {}),
    ],
)
def test_connections_are_new_each_time(
    monkeypatch: pytest.MonkeyPatch, url: str, pool: Any, arguments: dict[str, float]
) -> None:
    made: list[Any] = []

    def create(*asked_for: Any, **settings: Any) -> Any:
        made.append((asked_for, settings))
        raise NotImplementedError

    monkeypatch.setattr("sqlalchemy.create_engine", create)
    with pytest.raises(NotImplementedError):
        Database(url).read(lambda _: None)
    assert made == [((url,), {"poolclass": pool, "connect_args": arguments})]


class Server:
    """A database server of that dialect: it keeps what it is asked for."""

    def __init__(self, dialect: str) -> None:
        self.dialect = SimpleNamespace(name=dialect)
        self.said: list[Any] = []

    @contextmanager
    def connect(self) -> Iterator[Server]:
        yield self

    @contextmanager
    def begin(self) -> Iterator[None]:
        self.said.append("begin")
        yield
        self.said.append("end")

    def execution_options(self, *, isolation_level: str) -> Server:
        self.said.append(isolation_level)
        return self

    def exec_driver_sql(self, text: str) -> None:
        self.said.append(text)

    def execute(self, statement: Any) -> None:
        self.said.append(str(statement.compile(compile_kwargs={"literal_binds": True})))


LOCK = "SELECT set_config('lock_timeout', '10s', true), pg_advisory_xact_lock(469970677875)"


def work(server: Any) -> None:
    server.said.append("work")


def test_each_transaction_is_as_if_alone_and_an_upgrade_sees_what_others_did(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked = ["READ COMMITTED", "begin", LOCK]
    alone = [*locked, "work", "end"]
    for dialect, current, said in (
        ("postgresql", True, alone),
        (
            "postgresql",
            False,
            [*locked, "end", *locked, "upgrade", "end", *alone],
        ),
        ("sqlite", True, ["begin", "BEGIN IMMEDIATE", "work", "end"]),
        (
            "sqlite",
            False,
            [
                *("begin", "BEGIN IMMEDIATE", "end", "PRAGMA journal_mode=WAL"),
                *("begin", "BEGIN IMMEDIATE", "upgrade", "end"),
                *("begin", "BEGIN IMMEDIATE", "work", "end"),
            ],
        ),
    ):
        server = Server(dialect)
        monkeypatch.setattr("sqlalchemy.create_engine", lambda *_, made=server, **__: made)
        monkeypatch.setattr(database, "is_current", lambda _, answer=current: answer)
        monkeypatch.setattr(database, "upgrade", lambda server: server.said.append("upgrade"))
        Database("sqlite:///x").write(work)
        assert server.said == said, (dialect, current)


@pytest.mark.parametrize(
    ("dialect", "said"),
    [("sqlite", ["begin", "BEGIN"]), ("postgresql", ["REPEATABLE READ", "begin"])],
)
def test_reading_on_sqlite_takes_no_lock(
    monkeypatch: pytest.MonkeyPatch, dialect: str, said: list[str]
) -> None:
    server: Any = Server(dialect)
    monkeypatch.setattr("sqlalchemy.create_engine", lambda *_, **__: server)
    monkeypatch.setattr(database, "is_current", lambda _: True)
    Database("sqlite:///x").read(work)
    assert server.said == [*said, "work", "end"]


# --- upgrades


def test_a_ledger_that_names_no_schema_is_upgraded(ledger: Ledger, tmp_path: Path) -> None:
    """As after a first use that was killed between two statements of a server."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("CREATE TABLE ledger_version (version_num VARCHAR(32) NOT NULL)")
    assert ledger.next_token() == 1
    assert stored(tmp_path, "SELECT version_num FROM ledger_version") == [(SCHEMA,)]


def test_the_error_of_a_newer_ledger_names_both_schemas(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.next_token() == 1
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE ledger_version SET version_num = '0107'")
    with pytest.raises(LedgerError) as error:
        ledger.next_token()
    assert str(error.value) == (
        f"the ledger has schema 0107, this version of mlops-airflow knows schemas up to {SCHEMA}; "
        "nothing was read or written. Upgrade mlops-airflow here too, or restore the backup of the "
        "ledger from before the upgrade"
    )
