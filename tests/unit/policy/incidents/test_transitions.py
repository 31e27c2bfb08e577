from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_tasks.policy.incidents import Alarm, Cause, Incident, headline, message, timing_of
from mlops_tasks.policy.incidents.transitions import (
    acknowledged,
    alarmed,
    closed,
    recovered,
    silenced,
)

NIGHT = datetime(2026, 12, 1, 3, 0, tzinfo=UTC)
DAYS = tuple(f"2026-11-{n:02}" for n in range(1, 31))


def unscored(*keys: str, as_of: str = "2026-11-30", n_rows: int | None = 5805) -> Alarm:
    return Alarm(
        subject="flight_delays",
        cause=Cause.SCORING,
        because="2 days are not scored",
        fix="start flight_delays.score",
        owner="ops",
        partitions=keys,
        n_rows=n_rows,
        began_at="2026-12-01T01:00:00+00:00",
        as_of=as_of,
    )


def failed(key: str, *, n_rows: int | None = None) -> Alarm:
    return replace(
        unscored(key, as_of="", n_rows=n_rows),
        because="FeatureError: no column origin",
        fix="repair the features",
        task="flight_delays.score/score",
        links={"log": "http://airflow/log"},
    )


def opened(*keys: str, **changes: object) -> Incident:
    found = alarmed(None, unscored(*keys), NIGHT)
    assert found is not None
    return replace(found, **changes)


def test_the_first_alarm_opens_an_incident_that_is_told() -> None:
    found = opened("2026-11-29", "2026-11-30")
    assert (found.id, found.state, found.change) == ("flight_delays/scoring/1", "open", "opened")
    assert (found.tell, found.told, found.told_level) == (1, "opened", 1)
    assert found.impact == "2 days unscored, 5,805 rows"
    assert headline(found) == "[Incident] flight_delays: not scored: 2 days unscored, 5,805 rows"
    assert timing_of(found).detect == 7200


def test_the_same_again_changes_nothing() -> None:
    before = opened("2026-11-29")
    assert alarmed(before, unscored("2026-11-29"), NIGHT + timedelta(days=1)) is None


def test_more_of_the_same_is_written_down_and_told_only_when_it_is_worse() -> None:
    incident, told = opened(*DAYS[:1]), []
    for n in range(2, 31):
        found = alarmed(incident, unscored(*DAYS[:n]), NIGHT + timedelta(days=n))
        assert found is not None
        assert found.impact.startswith(f"{n} days unscored")
        if found.tell != incident.tell:
            told.append((n, found.told))
        incident = found
    assert told == [(3, "worse"), (7, "worse"), (30, "worse")]


def test_what_the_clock_counts_anew_replaces_what_it_counted_before() -> None:
    before = opened("2026-11-28", "2026-11-29")
    found = alarmed(before, unscored("2026-11-29", n_rows=900), NIGHT)
    assert found is not None
    assert found.impact == "1 day unscored, 900 rows"
    kept = alarmed(before, unscored("2026-11-29"), NIGHT, unjudged=["2026-11-30"])
    assert kept is not None
    assert kept.partitions == ("2026-11-29", "2026-11-30")
    assert kept.n_rows is None  # of the 30th nobody has counted them


def test_a_task_adds_its_partition_and_knows_why() -> None:
    before = opened("2026-11-29")
    found = alarmed(before, failed("2026-11-30", n_rows=100), NIGHT)
    assert found is not None
    assert found.partitions == ("2026-11-29", "2026-11-30")
    assert found.n_rows == 5905
    assert (found.because, found.fix) == ("FeatureError: no column origin", "repair the features")
    unknown = alarmed(before, failed("2026-11-30"), NIGHT)
    assert unknown is not None
    assert unknown.n_rows is None
    # The clock sees only that something is missing, and leaves the reason alone.
    later = alarmed(found, unscored("2026-11-29", "2026-11-30", n_rows=6000), NIGHT)
    assert later is not None
    assert later.because == "FeatureError: no column origin"
    assert later.links == {"log": "http://airflow/log"}


def test_nobody_is_told_of_a_past_that_is_played_again_until_it_is_the_present() -> None:
    past = alarmed(None, unscored("2026-11-29"), NIGHT, live=False)
    assert past is not None
    assert (past.tell, past.live) == (0, False)
    assert timing_of(past).detect is None
    assert closed(past, "all is scored", NIGHT, by="clock").tell == 0
    now = alarmed(past, unscored("2026-11-29"), NIGHT)
    assert now is not None
    assert (now.tell, now.told, now.live) == (2, "opened", True)


def test_an_older_day_neither_changes_nor_reopens() -> None:
    before = opened("2026-11-29")
    assert alarmed(before, unscored("2026-11-01", as_of="2026-11-02"), NIGHT) is None
    over = closed(before, "all is scored", NIGHT, by="clock", as_of="2026-12-01")
    assert alarmed(over, unscored("2026-11-29", as_of="2026-11-30"), NIGHT) is None
    again = alarmed(over, unscored("2026-12-02", as_of="2026-12-02"), NIGHT)
    assert again is not None
    assert (again.id, again.state, again.tell) == ("flight_delays/scoring/2", "open", 1)


def test_what_a_person_has_closed_opens_only_with_what_was_not_in_it() -> None:
    before = opened("2026-11-28", "2026-11-29")
    over = closed(before, "the source has lost them", NIGHT, by="ann")
    assert alarmed(over, unscored("2026-11-28", "2026-11-29"), NIGHT) is None
    again = alarmed(over, unscored("2026-11-29", "2026-11-30"), NIGHT)
    assert again is not None
    assert (again.number, again.partitions, again.n_rows) == (2, ("2026-11-30",), None)
    still = alarmed(closed(before, "all", NIGHT, by="clock"), unscored("2026-11-29"), NIGHT)
    assert still is not None


def test_a_silenced_incident_is_told_when_the_silence_is_over_and_it_is_worse() -> None:
    quiet = silenced(opened("2026-11-01"), NIGHT + timedelta(days=2), "ann", "known", NIGHT)
    worse = alarmed(quiet, unscored(*DAYS[:3]), NIGHT + timedelta(days=1))
    assert worse is not None
    assert (worse.change, worse.tell, worse.told_level) == ("worse", 1, 1)
    assert alarmed(worse, unscored(*DAYS[:3]), NIGHT + timedelta(days=1)) is None
    heard = alarmed(worse, unscored(*DAYS[:3]), NIGHT + timedelta(days=3))
    assert heard is not None
    assert (heard.tell, heard.told, heard.told_level) == (heard.n_changes, "worse", 2)
    assert closed(worse, "scored", NIGHT + timedelta(days=1), by="clock").told == "opened"
    assert closed(worse, "scored", NIGHT + timedelta(days=3), by="clock").told == "closed"


def test_a_task_that_succeeds_takes_its_partition_out_and_the_last_one_closes() -> None:
    task, incident = "flight_delays.score/score", opened("2026-11-29", "2026-11-30")
    assert recovered(None, "2026-11-29", task, NIGHT) is None
    assert recovered(incident, "2026-11-01", task, NIGHT) is None
    better = recovered(incident, "2026-11-29", task, NIGHT)
    assert better is not None
    assert (better.change, better.partitions, better.tell) == ("better", ("2026-11-30",), 1)
    over = recovered(better, "2026-11-30", task, NIGHT + timedelta(hours=2))
    assert over is not None
    assert (over.state, over.closed_by, over.told) == ("closed", "task", "closed")
    assert over.tell == over.n_changes == 3
    assert over.ended == "flight_delays.score/score succeeded for 2026-11-30, the last one"
    assert timing_of(over).recover == 7200
    assert recovered(over, "2026-11-30", task, NIGHT) is None


@pytest.mark.parametrize(("task", "ends"), [("m.train/train", True), ("m.train/pin", False)])
def test_what_is_about_no_partition_ends_with_the_task_that_failed(task: str, ends: bool) -> None:
    alarm = replace(failed("2026-11-30"), cause=Cause.TRAINING, task="m.train/train")
    found = recovered(alarmed(None, alarm, NIGHT), "", task, NIGHT)
    assert (found is not None and not found.is_open) is ends


def test_of_two_tasks_that_measure_a_partition_only_the_one_that_failed_makes_it_good() -> None:
    alarm = replace(failed("2026-11-30"), cause=Cause.MONITORING, task="m.monitor/monitor")
    incident = alarmed(None, alarm, NIGHT)
    assert recovered(incident, "2026-11-30", "m.score/drift", NIGHT) is None
    assert recovered(incident, "2026-11-30", "m.monitor/monitor", NIGHT) is not None


def test_a_message_says_what_it_is_what_to_do_and_where_to_look() -> None:
    incident = alarmed(None, failed("2026-11-30", n_rows=900), NIGHT)
    assert incident is not None
    incident = acknowledged(incident, "ann", "on it", NIGHT + timedelta(minutes=5))
    lines = message(incident).splitlines()
    assert lines == [
        "[Incident] flight_delays: not scored: 1 day unscored, 900 rows",
        "",
        "incident   flight_delays/scoring/1",
        "state      open, level 1",
        "impact     1 day unscored, 900 rows",
        "days       2026-11-30",
        "because    FeatureError: no column origin",
        "fix        repair the features",
        "owner      ops",
        "began      2026-12-01 01:00 UTC",
        "opened     2026-12-01 03:00 UTC",
        "taken up   2026-12-01 03:05 UTC by ann",
        "note       on it",
        "times      detected after 2.0 hours, taken up after 5 minutes",
        "links      log http://airflow/log",
        "",
        "Take it up:  mlops incidents ack flight_delays/scoring/1",
        "Not now:     mlops incidents silence flight_delays/scoring/1 --for 1d",
        "You hear of it again when it gets worse or ends, and not before.",
    ]
    over = message(closed(incident, "scored", NIGHT + timedelta(hours=1), by="task"), "closed")
    assert over.startswith("[Closed] flight_delays: not scored: 1 day unscored, 900 rows\n")
    assert "\nended      scored\n" in over
    assert "\nfix " not in over


def test_every_cause_has_words() -> None:
    for cause in Cause:
        found = alarmed(None, Alarm("m", cause, "b", "f", partitions=("2026-11-30",)), NIGHT)
        assert found is not None
        assert found.title.startswith("m: ")
        assert "{" not in found.impact
