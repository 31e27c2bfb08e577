from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_tasks.exceptions import NotificationError, UnknownIncidentError
from mlops_tasks.policy.incidents import (
    Alarm,
    Cause,
    Incident,
    IncidentBook,
    deliver,
    deliveries_of,
    median_timing,
)
from mlops_tasks.policy.incidents.deliveries import MOST_ATTEMPTS
from mlops_tasks.registry.ledger import Ledger

NOW = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)


def alarm(*keys: str, cause: Cause = Cause.SCORING, subject: str = "m") -> Alarm:
    return Alarm(subject, cause, "not scored", "start m.score", partitions=keys)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def test_attempts_that_overlap_open_one_incident_and_tell_it_once(ledger: Ledger) -> None:
    sent: list[str] = []

    def attempt(_: int) -> None:
        book = IncidentBook(ledger)
        book.raise_alarm(alarm("2026-11-30"))
        incident = book.newest("m")[Cause.SCORING]
        deliver(incident, ["ops"], lambda channel, _: sent.append(channel), ledger=ledger)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(8)))
    assert sent == ["ops"]
    assert [one.id for one in IncidentBook(ledger).all(history=True)] == ["m/scoring/1"]
    assert len(ledger.entries(kind="incident", history=True)) == 1
    assert ledger.verify().answer == "fine"


def test_an_incident_is_found_by_its_name_taken_up_silenced_and_closed(ledger: Ledger) -> None:
    book = IncidentBook(ledger, by="ann", clock=lambda: NOW)
    first = book.raise_alarm(alarm("2026-11-30"))
    assert first is not None
    book.raise_alarm(alarm("2026-11-30", cause=Cause.DRIFT, subject="d"))
    assert book.find("m/scoring") == book.find("m/scoring/1") == first
    assert book.acknowledge(first, "ann", "on it").acknowledged_by == "ann"
    until = NOW + timedelta(days=2)
    assert book.silence(first, until, "ann").silenced_until == "2026-12-03T03:00:00+00:00"
    over = book.close(first, "scored by hand", by="ann")
    assert over is not None
    assert (over.state, over.tell, over.note) == ("closed", 1, "on it")
    assert book.close(first, "again", by="bob") is None
    with pytest.raises(UnknownIncidentError, match="m/scoring/1 has ended"):
        book.acknowledge(first, "bob")
    with pytest.raises(UnknownIncidentError, match="no incident 'm/drift'; open are d/drift/1"):
        book.find("m/drift")
    second = book.raise_alarm(alarm("2026-12-01"))
    assert second is not None
    assert [one.id for one in book.all(subject="m")] == ["m/scoring/2"]
    assert [one.id for one in book.all(history=True)] == [
        *("d/drift/1", "m/scoring/1", "m/scoring/2")
    ]
    assert book.find("m/scoring/1") == over
    assert book.find("m/scoring") == second
    assert [one.change for one in book.changes("m", "scoring")] == [
        *("opened", "acknowledged", "silenced", "closed", "opened")
    ]
    assert {entry.by for entry in ledger.entries(kind="incident", history=True)} == {"ann"}


def test_the_clock_closes_only_what_it_knows_better(ledger: Ledger) -> None:
    book = IncidentBook(ledger)
    found = book.raise_alarm(Alarm("m", Cause.DRIFT, "moved", "look", as_of="2026-11-30"))
    assert found is not None
    assert book.close(found, "still", by="clock", as_of="2026-11-29") is None
    over = book.close(found, "still", by="clock", as_of="2026-12-01")
    assert over is not None
    assert not over.is_open


def test_success_is_cheap_where_nothing_is_open(ledger: Ledger) -> None:
    book = IncidentBook(ledger)
    assert book.recover("m", Cause.SCORING, "2026-11-30", "m.score/score") is None
    book.raise_alarm(alarm("2026-11-30"))
    over = book.recover("m", Cause.SCORING, "2026-11-30", "m.score/score")
    assert over is not None
    assert not over.is_open
    assert book.recover("m", Cause.SCORING, "2026-11-30", "m.score/score") is None


def refuse(channel: str, incident: Incident) -> None:
    raise ConnectionRefusedError(111, "Connection refused")


def test_what_failed_is_tried_again_by_the_next_clock_and_then_given_up(ledger: Ledger) -> None:
    incident = IncidentBook(ledger).raise_alarm(alarm("2026-11-30"))
    assert incident is not None
    for n in range(1, MOST_ATTEMPTS + 1):
        (found,) = deliver(incident, ["ops"], refuse, ledger=ledger)
        assert (found.state, found.attempt) == ("failed", n)
        assert found.error == "ConnectionRefusedError: Connection refused"
    assert deliver(incident, ["ops"], refuse, ledger=ledger) == []
    (last,) = deliveries_of(incident, ledger)
    assert f"attempt {MOST_ATTEMPTS} failed" in last.text
    assert "given up" in last.text
    sent: list[str] = []
    both = ["ops", "slack", "slack"]
    deliver(incident, both, lambda channel, _: sent.append(channel), ledger=ledger)
    assert sent == ["slack"]
    assert [one.state for one in deliveries_of(incident, ledger)] == ["failed", "sent"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("https://hooks.example/T0KEN"), "RuntimeError"),
        (NotificationError("answered 403"), "answered 403"),
    ],
)
def test_what_a_library_says_is_not_kept(ledger: Ledger, error: Exception, said: str) -> None:
    incident = IncidentBook(ledger).raise_alarm(alarm("2026-11-30"))
    assert incident is not None

    def send(channel: str, incident: Incident) -> None:
        raise error

    assert [one.error for one in deliver(incident, ["ops"], send, ledger=ledger)] == [said]


def test_one_that_supersedes_a_message_is_sent_in_its_place(ledger: Ledger) -> None:
    book, sent = IncidentBook(ledger), []
    incident = book.raise_alarm(alarm("2026-11-30"))
    assert incident is not None
    deliver(incident, ["ops"], refuse, ledger=ledger)
    over = book.close(incident, "scored", by="ann")
    assert over is not None
    deliver(over, ["ops"], lambda _, one: sent.append(one.told), ledger=ledger)
    deliver(over, ["ops"], lambda _, one: sent.append(one.told), ledger=ledger)
    assert sent == ["closed"]


def _die(url: str, mark: str, monkey: str) -> None:
    import os

    os.environ["MLOPS_FAULT"] = monkey
    incident = IncidentBook(Ledger(url)).raise_alarm(alarm("2026-11-30"))
    assert incident is not None
    deliver(incident, ["ops"], lambda *_: Path(mark).write_text("sent"), ledger=Ledger(url))


def test_one_killed_while_it_was_sent_is_not_sent_twice(ledger: Ledger, tmp_path: Path) -> None:
    mark, url = tmp_path / "sent", f"sqlite:///{tmp_path / 'ledger.db'}"
    arguments = (url, str(mark), "notify:claimed:kill")
    process = multiprocessing.get_context("spawn").Process(target=_die, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    incident = IncidentBook(ledger).newest("m")[Cause.SCORING]
    assert deliver(incident, ["ops"], refuse, ledger=ledger) == []
    (found,) = deliveries_of(incident, ledger)
    assert "nobody can tell whether it was sent" in found.text
    assert not mark.exists()


def test_figures_are_medians_of_what_is_known(ledger: Ledger) -> None:
    times = iter(range(100))
    book = IncidentBook(ledger, clock=lambda: NOW + timedelta(minutes=next(times)))
    for cause in (Cause.DRIFT, Cause.SCORING, Cause.TRAINING):
        found = book.raise_alarm(alarm("2026-11-30", cause=cause))
        assert found is not None
        if cause is not Cause.TRAINING:
            book.close(found, "over", by="clock")
    book.raise_alarm(alarm("2026-11-30", cause=Cause.ALIASES), live=False)
    found = median_timing(book.all())
    assert (found.detect, found.acknowledge, found.recover) == (None, None, 60)
