"""What is read of a ledger: everything at its place in the time of the data, in a few queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from mlops_tasks.policy.incidents import Cause
from mlops_tasks.timeline import Timeline, next_check, read_timeline
from tests.unit.machines import project as machines
from tests.unit.timeline.lives import (
    LIMIT,
    MODEL,
    day,
    decided,
    failed,
    moved,
    promoted,
    whole_life,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.registry.ledger import Ledger
    from mlops_tasks.specs import ModelSpec


def at(number: int, hours: int = 0) -> datetime:
    return datetime.fromisoformat(day(number)).replace(tzinfo=UTC) + timedelta(hours=hours)


def test_before_anything_has_happened_there_is_no_axis(ledger: Ledger, spec: ModelSpec) -> None:
    found = read_timeline(spec, ledger=ledger)
    assert (found.begin, found.end, found.champion) == (None, None, None)
    assert (found.performance, found.decisions, found.moves, found.incidents) == ((), (), (), ())
    assert found.drift.columns == ()
    assert (found.next.as_of, found.next.partition) == (day(0), day(0))


def test_measurements_have_their_interval_and_limit_and_untold_ones_have_none(
    life: Timeline,
) -> None:
    assert [one.key for one in life.performance] == [day(number) for number in range(28)]
    told, untold = life.performance[0], life.performance[16]
    assert (told.value, told.lower, told.upper, told.threshold) == (0.75, 0.73, 0.77, LIMIT)
    assert (told.begin, told.end) == (at(0), at(1))
    assert (untold.value, untold.threshold, untold.lower) == (None, None, 0.7)
    assert (life.metric, life.metric_title) == ("roc_auc", "ROC AUC")


def test_the_axis_spans_what_is_known(life: Timeline) -> None:
    assert (life.begin, life.end) == (at(0), at(30))


def test_decisions_alone_make_an_axis(ledger: Ledger, spec: ModelSpec) -> None:
    for number in (3, 4, 5):
        decided(ledger, number, "no_champion", retrain=True)
    found = read_timeline(spec, ledger=ledger)
    assert (found.begin, found.end) == (at(3), at(6))
    assert [one.as_of for one in found.decisions] == [day(3), day(4), day(5)]
    assert found.next.as_of == day(6)


def test_only_the_newest_partitions_are_there_and_what_belongs_to_them(
    ledger: Ledger, spec: ModelSpec
) -> None:
    whole_life(ledger)
    found = read_timeline(spec, ledger=ledger, n_partitions=10)
    assert found.begin == at(20)
    assert [found.performance[0].key, found.performance[-1].key] == [day(20), day(27)]
    assert found.drift.keys == tuple(day(number) for number in range(20, 30))
    assert {len(one.severities) for one in found.drift.columns} == {10}
    assert found.decisions[0].as_of == day(20)
    # The version that is champion all the time became so before.
    assert [one.version for one in found.moves] == ["2"]
    assert found.champion == "2"


def test_columns_that_alarmed_come_first_then_those_that_moved_and_matter(
    ledger: Ledger, spec: ModelSpec
) -> None:
    moved(ledger, 0, {"important": 0.3, "idle": 0.5, "loud": 0.1, "silent": None})
    moved(ledger, 1, {"important": 0.6, "idle": 0.9, "loud": 1.0})
    drift = read_timeline(spec, ledger=ledger).drift
    assert [one.name for one in drift.columns] == ["loud", "important", "idle", "silent"]
    loud, silent = drift.columns[0], drift.columns[-1]
    assert (loud.n_alarms, loud.alarms) == (1, (False, True))
    assert loud.severities == pytest.approx((0.1, 1.0))
    assert (silent.severities, silent.is_there, silent.worst) == ((None, None), (True, False), 0.0)
    assert drift.newest is not None
    assert drift.newest.last == day(1)


def test_champions_of_a_past_that_is_played_again_take_over_after_their_cut_off(
    life: Timeline,
) -> None:
    moves = [(one.version, one.before, one.day, one.at) for one in life.moves]
    assert moves == [("1", None, day(0), at(1)), ("2", "1", day(15), at(16))]
    assert life.moves[1].reason == "version 2 is better"


def test_a_champion_of_the_present_takes_over_when_it_was_written_down(
    ledger: Ledger, spec: ModelSpec
) -> None:
    today = datetime.now(UTC).date()
    ago = (today - datetime.fromisoformat(day(0)).date()).days
    promoted(ledger, ago - 3, "1")
    for number in range(ago - 4, ago + 1):
        decided(ledger, number, "none")
    (move,) = read_timeline(spec, ledger=ledger).moves
    assert move.day == today.isoformat()
    assert datetime.now(UTC) - move.at < timedelta(minutes=10)


def test_incidents_of_the_past_lie_where_their_partitions_are(life: Timeline) -> None:
    now, then = life.incidents
    assert now.incident.id == f"{MODEL}/performance/1"
    assert (now.begin, now.end) == (at(14), None)
    assert then.incident.id == "orders/ingestion/1"
    assert (then.begin, then.end) == (at(3), at(7))


def test_incidents_of_the_present_lie_where_they_were_opened_and_closed(
    ledger: Ledger, spec: ModelSpec
) -> None:
    book = failed(ledger, [3], cause=Cause.REFUSED, live=True)
    (found,) = read_timeline(spec, ledger=ledger).incidents
    assert found.begin == datetime.fromisoformat(found.incident.opened_at)
    book.close(found.incident, "over", by="ann")
    (found,) = read_timeline(spec, ledger=ledger).incidents
    assert found.end == datetime.fromisoformat(found.incident.closed_at)


def test_a_longer_life_and_more_columns_take_no_more_queries(
    ledger: Ledger, spec: ModelSpec
) -> None:
    def n_queries() -> int:
        asked: list[str] = []

        def note(*about: object) -> None:
            asked.append(str(about[2]))

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            read_timeline(spec, ledger=ledger)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
        return sum("SELECT" in one and "ledger_version" not in one for one in asked)

    whole_life(ledger, n_days=8, n_columns=2)
    few = n_queries()
    whole_life(ledger, n_days=40, n_columns=30)
    assert n_queries() == few
    assert few == 6 + 4, "one of each kind, and one of the incidents of each subject"


# --- what comes next


def test_the_next_decision_is_that_of_the_next_night(spec: ModelSpec) -> None:
    found = next_check(spec, decided=day(5), measured=day(3))
    assert (found.as_of, found.partition) == (day(6), day(4))
    assert found.decided_at == at(7, 3)
    assert found.measured_on == day(6)
    assert found.text == (
        f"the decision as of {day(6)}, due {day(7)} 03:00 UTC; labels of {day(4)} are due by the "
        f"end of {day(6)}"
    )


@pytest.mark.parametrize(
    ("grain", "decided_on", "as_of", "measured_key", "partition"),
    [
        ("hour", "2024-03-05", "2024-03-06", "2024-03-05T21", "2024-03-05T22"),
        ("week", "2024-03-10", "2024-03-17", "2024-03-04", "2024-03-11"),
        ("month", "2024-02-29", "2024-03-31", "2024-02", "2024-03"),
    ],
)
def test_at_every_grain(
    tmp_path: Path, grain: str, decided_on: str, as_of: str, measured_key: str, partition: str
) -> None:
    spec = machines(tmp_path / grain, grain)
    found = next_check(spec, decided=decided_on, measured=measured_key)
    assert (found.as_of, found.partition) == (as_of, partition)
    assert found.as_of > decided_on


def test_hours_have_their_place(ledger: Ledger, tmp_path: Path) -> None:
    spec = machines(tmp_path / "hours", "hour")
    evidence = {
        **{"first": "2024-03-05T00", "last": "2024-03-05T20", "n_rows": 9, "model_version": "1"},
        "checks": [{"name": "heat", "value": 0.2, "threshold": 0.1, "alarm": True, "text": "t"}],
    }
    ledger.record(model=spec.name, kind="drift", key="2024-03-05T20", evidence=evidence)
    found = read_timeline(spec, ledger=ledger)
    assert found.begin == datetime(2024, 3, 5, 20, tzinfo=UTC)
    assert found.end == datetime(2024, 3, 5, 21, tzinfo=UTC)
