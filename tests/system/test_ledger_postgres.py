"""The ledger on a real PostgreSQL: many first users, races, and a server that goes away."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from mlops_tasks.exceptions import ChampionChangedError, LedgerError, UnavailableError
from mlops_tasks.registry.ledger import Champion, Ledger, database
from tests.system.servers import PASSWORD, USER, postgres
from tests.unit.workers import at_once, promote, say_the_same, write_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.servers import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg2")
    with postgres() as running:
        yield running


def address(server: Server, name: str, **changes: str) -> str:
    parts = {"username": USER, "password": PASSWORD, "database": name} | changes
    url = sa.URL.create("postgresql+psycopg2", host=server.host, port=server.port, **parts)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A database of this test's own."""
    name = f"ledger_{abs(hash(request.node.name)) % 10**9}"
    admin = sa.create_engine(address(server, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return address(server, name)


def test_eight_first_users_at_once_lose_nothing(url: str) -> None:
    found = at_once(write_entries, [(url, writer, 10) for writer in range(1, 9)])
    assert sorted(token for own in found for token in own) == list(range(1, 81))
    history = Ledger(url).entries(history=True)
    assert sorted((e.key, e.evidence["i"]) for e in history) == [
        (f"2024-03-{writer:02}", i) for writer in range(1, 9) for i in range(10)
    ]


def test_attempts_that_say_the_same_at_once_are_one_entry(url: str) -> None:
    at_once(say_the_same, [(url, 20)] * 3)
    assert [entry.evidence["i"] for entry in Ledger(url).entries(history=True)] == [*range(20)]


@pytest.mark.parametrize("generation", [0, 1])
def test_of_many_promotions_at_once_one_wins(url: str, generation: int) -> None:
    ledger = Ledger(url)
    if generation:
        ledger.promote("m", version="1", generation=0, key="k", evidence={})
    won = at_once(promote, [(url, generation, version) for version in ("7", "8", "9")])
    assert sum(won) == 1
    winner = ("7", "8", "9")[won.index(True)]
    assert ledger.champion("m") == Champion(winner, generation + 1)
    moves = ledger.entries(kind="promotion", history=True)
    assert [e.evidence["generation"] for e in moves] == [*range(1, generation + 2)]
    assert moves[-1].evidence["version"] == winner


def test_a_version_that_has_returned_is_another_champion(url: str) -> None:
    ledger = Ledger(url)
    for generation, version in enumerate(("A", "B", "A")):
        key = f"2024-03-0{generation + 1}"
        ledger.promote("m", version=version, generation=generation, key=key, evidence={})
    with pytest.raises(ChampionChangedError, match="version A, generation 3, by now"):
        ledger.promote("m", version="C", generation=1, key="2024-03-04", evidence={})
    assert ledger.champion("m") == Champion("A", 3)
    assert ledger.champion_as_of("m", "2024-03-02") == "B"
    assert ledger.champion_as_of("m", "2024-02-29") is None


def test_a_champion_taken_over_by_hand_counts_at_once(url: str) -> None:
    ledger = Ledger(url)
    ledger.promote("m", version="3", generation=0, key="adoption of 3", evidence={})
    ledger.promote("m", version="4", generation=1, key="2024-03-10", evidence={})
    assert ledger.champion_as_of("m", "2024-03-09") == "3"


def test_the_newest_entries_of_a_version(url: str) -> None:
    ledger = Ledger(url)
    for number, version in enumerate("111221", start=1):
        evidence = {"n": number, "model_version": version, "known_at": f"2024-03-0{number + 1}"}
        ledger.record(model="m", kind="drift", key=f"2024-03-0{number}", evidence=evidence)
    found = ledger.newest_of_keys("m", "drift", 3, model_version="1", as_of="2024-03-06")
    assert [entry.evidence["n"] for entry in found] == [1, 2, 3]
    newest = ledger.newest("m", "drift", model_version="1")
    assert newest is not None
    assert newest.evidence["n"] == 6


def test_a_token_above_what_is_committed(url: str) -> None:
    ledger = Ledger(url)
    assert ledger.next_token(above=2**40) == 2**40 + 1_000_000
    assert ledger.next_token() == 2**40 + 1_000_001


def test_it_holds_no_session_between_two_calls(server: Server, url: str) -> None:
    """Otherwise one that the server has ended would be used again, and many would be idle."""
    ledgers = [Ledger(url) for _ in range(5)]
    assert [ledger.next_token() for ledger in ledgers] == [1, 2, 3, 4, 5]
    admin = sa.create_engine(address(server, "postgres"))
    with admin.connect() as connection:
        query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{sa.make_url(url).database}'"
        assert connection.execute(sa.text(query)).fetchall() == []
    admin.dispose()


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"database": "nowhere"}])
def test_a_login_that_does_not_work_fails_at_once(server: Server, change: dict[str, str]) -> None:
    started = time.monotonic()
    with pytest.raises(LedgerError, match="Correct the connection") as error:
        Ledger(address(server, "shop", **change)).next_token()
    assert time.monotonic() - started < 10
    assert PASSWORD not in str(error.value)
    assert "wrong" not in str(error.value)


def test_a_server_that_is_away_is_waited_for_and_then_transient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A stopped database is started again and needs nobody on this side."""
    with postgres() as server:
        gone = address(server, "shop")
        ledger = Ledger(gone)
        assert ledger.next_token() == 1
        server.kill()
        monkeypatch.setattr(database, "_PATIENCE_S", 0.5)
        with pytest.raises(UnavailableError, match="does not answer") as error:
            ledger.next_token()
        assert PASSWORD not in str(error.value)


def test_a_pause_of_the_server_is_bridged(server: Server, url: str) -> None:
    """Sessions are refused for a moment, as while a server restarts."""
    ledger = Ledger(url)
    ledger.next_token()
    name = sa.make_url(url).database
    admin = sa.create_engine(address(server, "postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        connection.execute(sa.text(end))

        def allow() -> None:
            time.sleep(1.0)
            connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))

        later = threading.Thread(target=allow)
        later.start()
        assert ledger.next_token() == 2
        later.join()
    admin.dispose()


STATEMENTS = {
    "UPDATE entry SET evidence = '{}' WHERE seq = 2": ("changed", 2),
    "UPDATE entry SET recorded_at = '2024-03-01'": ("changed", 1),
    "DELETE FROM entry WHERE seq = 3": ("removed", 3),
    "DELETE FROM entry WHERE seq = 6": ("cut", 6),
    "TRUNCATE entry": ("cut", 1),
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_it_keeps_its_entries_and_notices_where_its_owner_did_not(url: str, statement: str) -> None:
    ledger = Ledger(url)
    for number in range(4):
        ledger.record(model="m", kind="drift", key=f"k{number}", evidence={"n": number})
    ledger.promote("m", version="1", generation=0, key="k", evidence={}, by="ada")
    ledger.promote("m", version="2", generation=1, key="l", evidence={}, by="ada")
    anchor = ledger.head()
    assert ledger.verify([anchor]).answer == "fine"
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with (
        pytest.raises(sa.exc.DBAPIError, match="the ledger is append-only"),
        engine.begin() as connection,
    ):
        connection.execute(sa.text(statement))
    assert ledger.verify([anchor]).answer == "fine"
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE entry DISABLE TRIGGER USER"))
        connection.execute(sa.text(statement))
    check = ledger.verify([anchor])
    assert check.answer == "alarm"
    assert (check.findings[0].kind, check.findings[0].seq) == STATEMENTS[statement]
    assert "unguarded" in {finding.kind for finding in check.findings}


def test_a_chain_written_anew_is_found_by_an_anchor(url: str) -> None:
    ledger = Ledger(url)
    for number in range(3):
        ledger.record(model="m", kind="drift", key=f"k{number}", evidence={"n": number})
    anchor = ledger.head()
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE entry DISABLE TRIGGER USER"))
        connection.execute(sa.text("DELETE FROM entry"))
        connection.execute(sa.text("UPDATE head SET seq = 0, hash = ''"))
        connection.execute(sa.text("ALTER TABLE entry ENABLE TRIGGER USER"))
    for number in range(4):
        ledger.record(model="m", kind="drift", key=f"k{number}", evidence={"n": -number})
    assert ledger.verify().answer == "fine", "only what was kept elsewhere tells"
    (finding,) = ledger.verify([anchor]).findings
    assert (finding.kind, finding.seq) == ("rewritten", 1)


def test_writers_at_once_make_one_chain(url: str) -> None:
    at_once(write_entries, [(url, writer, 10) for writer in range(1, 5)])
    check = Ledger(url).verify()
    assert (check.answer, check.n_entries) == ("fine", 40)
