"""What happened to a model, who decided about a row, and what it said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from mlops_tasks.lake import Lake, overwrite_partition
from mlops_tasks.registry.history import model_history
from mlops_tasks.registry.ledger import Ledger, statements
from mlops_tasks.registry.served import champion_at, served
from mlops_tasks.registry.versions import RegisteredVersion

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2024, 3, 1, 6, tzinfo=UTC)


class Clock:
    """Time as the ledger sees it, moved by hand."""

    def __init__(self) -> None:
        self.at = START

    def now(self, _: Any = None) -> datetime:
        return self.at

    def later(self, **spans: float) -> datetime:
        self.at += timedelta(**spans)
        return self.at

    fromisoformat = staticmethod(datetime.fromisoformat)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(statements, "datetime", clock)
    return clock


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    """Return a ledger: 1 promoted on the 1st, 2 on the 3rd, back to 1 two hours later."""
    ledger = Ledger("sqlite://")
    for generation, (number, key) in enumerate((("1", "2024-03-01"), ("2", "2024-03-03"))):
        ledger.record(model="m", kind="pin", key=key, evidence={"as_of": key})
        clock.later(hours=1)
        ledger.register(RegisteredVersion("m", number, "r", "u", "d"))
        verdict = {"verdict": "promote", "reason": "better", "champion_version": None}
        ledger.record(model="m", kind="verdict", key=key, evidence=verdict, by="schedule")
        clock.later(hours=2)
        why, who = {"reason": f"reason {number}"}, {"dag_run": "m.train/r", "by": "schedule"}
        ledger.promote("m", version=number, generation=generation, key=key, evidence=why, **who)
        clock.later(hours=45 if number == "1" else 2)
    about = {"key": "2024-03-03", "evidence": {"reason": "it fails"}, "by": "ada"}
    ledger.promote("m", version="1", generation=2, kind="rollback", **about)
    return ledger


def test_every_move_has_who_when_and_why(ledger: Ledger) -> None:
    found = model_history("m", ledger=ledger, now=START + timedelta(days=10))
    assert found.champion == "1"
    moves = [(m.at, m.kind, m.before, m.after, m.by, m.reason) for m in found.moves]
    assert moves == [
        ("2024-03-01T09:00:00+00:00", "promotion", None, "1", "schedule", "reason 1"),
        ("2024-03-03T09:00:00+00:00", "promotion", "1", "2", "schedule", "reason 2"),
        ("2024-03-03T11:00:00+00:00", "rollback", "2", "1", "ada", "it fails"),
    ]
    entries = {entry.seq: entry.hash for entry in ledger.entries(history=True)}
    assert all(entries[move.seq] == move.digest for move in found.moves)
    assert found.moves[0].dag_run == "m.train/r"


def test_verdicts_come_on_request(ledger: Ledger) -> None:
    found = model_history("m", ledger=ledger, verdicts=True)
    assert [move.kind for move in found.moves] == [
        *("verdict", "promotion", "verdict", "promotion", "rollback"),
    ]
    assert found.moves[0].reason == "promote: better"


def test_delivery_is_counted(ledger: Ledger) -> None:
    delivery = model_history("m", ledger=ledger, now=START + timedelta(days=10, hours=1)).delivery
    assert (delivery.days, delivery.n_promotions, delivery.n_rollbacks) == (10, 2, 1)
    assert delivery.promotions_per_month == 6
    assert (delivery.lead_time_s, delivery.lead_times) == (3 * 3600, 2)
    assert delivery.time_to_roll_back_s == 2 * 3600
    assert delivery.share_rolled_back == 0.5


def test_what_never_happened_cannot_be_told() -> None:
    found = model_history("nobody", ledger=Ledger("sqlite://"))
    assert (found.champion, found.moves) == (None, ())
    delivery = found.delivery
    assert delivery.n_promotions == delivery.n_rollbacks == delivery.lead_times == 0
    unknown = delivery.lead_time_s, delivery.time_to_roll_back_s, delivery.share_rolled_back
    assert (delivery.promotions_per_month, *unknown) == (None, None, None, None)


def test_retirements_adoptions_and_aliases_are_in_it(ledger: Ledger) -> None:
    ledger.record(model="m", kind="retirement", key="2", evidence={"reason": "bias"}, by="ada")
    moved = {"alias": "champion", "found": "2", "wanted": "1", "state": "open", "reason": ""}
    ledger.record(model="m", kind="alias_move", key="champion", evidence=moved)
    taken = RegisteredVersion("m", "9", "r", "u", "d")
    ledger.adopt(taken, evidence={"reason": "mine", "person": "bob"}, recorded_by="cli")
    *_, retired, alias, adopted = model_history("m", ledger=ledger).moves
    assert (retired.after, retired.reason, retired.by) == ("2", "bias", "ada")
    assert (alias.before, alias.after, alias.reason) == ("1", "2", "alias champion open")
    assert (adopted.after, adopted.reason, adopted.by) == ("9", "mine", "bob")


@pytest.mark.parametrize(
    ("hour", "version"),
    [(2.9, None), (3, "1"), (50.9, "1"), (51, "2"), (52.9, "2"), (53, "1"), (999, "1")],
)
def test_the_champion_of_a_time(ledger: Ledger, hour: float, version: str | None) -> None:
    entry = champion_at("m", START + timedelta(hours=hour), ledger=ledger)
    assert (entry and entry.evidence["version"]) == version


# --- what was said about a row


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Return predictions of one day by version 1, and again, six hours later, by version 2."""
    lake = Lake(tmp_path / "lake")
    for token, (version, score, at) in enumerate((("1", 0.2, 4), ("2", 0.9, 52)), start=1):
        rows = pa.table(
            {"id": pa.array([7, 8]), "score": [score, 0.5], "model_version": [version] * 2}
        )
        clock = Clock()
        clock.later(hours=at)
        monkeypatch.setattr("mlops_tasks.lake.publish.datetime", clock)
        overwrite_partition(
            lake.table("m__predictions"), "2024-03-01", rows, token=token, known_at="2024-03-01"
        )
    return lake


def test_without_a_key_the_champion_is_the_answer(ledger: Ledger, tmp_path: Path) -> None:
    answer = served("m", START + timedelta(hours=5), ledger=ledger, lake=Lake(tmp_path))
    assert (answer.answer, answer.version, answer.by) == ("fine", "1", "schedule")
    assert answer.since == "2024-03-01T09:00:00+00:00"
    assert answer.entry in {entry.hash for entry in ledger.entries(kind="promotion")}
    answer = served("m", START, ledger=ledger, lake=Lake(tmp_path))
    assert (answer.answer, answer.version) == ("cannot_tell", None)
    assert answer.reason == "the ledger has no champion of 'm' at that time"


def asked(lake: Lake, ledger: Ledger, hour: float, **key: str) -> Any:
    return served("m", START + timedelta(hours=hour), ledger=ledger, lake=lake, key=key)


def test_a_row_is_answered_as_it_was_said_then(lake: Lake, ledger: Ledger) -> None:
    answer = asked(lake, ledger, 5, id="7")
    assert (answer.answer, answer.version) == ("fine", "1")
    (one,) = answer.predictions
    assert (one.partition, one.model_version, one.values) == ("2024-03-01", "1", {"score": 0.2})
    assert (one.committed_at, one.known_at) == ("2024-03-01T10:00:00Z", "2024-03-01")
    assert one.replaced == {
        "table_version": one.table_version + 1,
        "committed_at": "2024-03-03T10:00:00Z",
        "model_version": "2",
        "values": {"score": 0.9},
    }
    (later,) = asked(lake, ledger, 99, id="7").predictions
    assert (later.model_version, later.values, later.replaced) == ("2", {"score": 0.9}, None)


def test_a_row_that_nobody_had_scored_by_then_cannot_be_told(lake: Lake, ledger: Ledger) -> None:
    for hour, key in ((3.5, "7"), (99, "9")):
        answer = asked(lake, ledger, hour, id=key)
        assert (answer.answer, answer.predictions) == ("cannot_tell", ())
        assert answer.reason == "no prediction about this row was committed by then"


def test_a_prediction_of_a_version_that_was_no_champion_is_an_alarm(lake: Lake) -> None:
    empty = Ledger("sqlite://")
    answer = asked(lake, empty, 5, id="7")
    assert answer.answer == "cannot_tell", "a ledger that was lost accuses nobody"
    assert answer.predictions
    empty.promote("m", version="5", generation=0, key="k", evidence={})
    answer = served(
        "m", datetime.now(UTC), ledger=empty, lake=lake, key={"id": "7"}, partition="2024-03-01"
    )
    assert answer.answer == "alarm"
    assert answer.reason == (
        "partition 2024-03-01 was scored by version 2, which had not been champion by then"
    )


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ({"order": "7"}, "table 'm__predictions' has no column 'order'; its columns are id, "),
        ({"id": "x"}, "no prediction about this row was committed by then"),
    ],
)
def test_a_key_that_does_not_exist_is_named(
    lake: Lake, ledger: Ledger, key: dict[str, str], reason: str
) -> None:
    answer = asked(lake, ledger, 99, **key)
    assert answer.answer == "cannot_tell"
    assert answer.reason.startswith(reason)


def test_without_predictions_it_cannot_be_told(ledger: Ledger, tmp_path: Path) -> None:
    answer = asked(Lake(tmp_path), ledger, 99, id="7")
    assert (answer.answer, answer.version) == ("cannot_tell", "1")
    assert "m__predictions" in answer.reason
