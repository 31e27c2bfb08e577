"""Grains: keys, arithmetic and instants, across clock changes, years and leap days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions import (
    DAY,
    GRAINS,
    HOUR,
    MONTH,
    WEEK,
    Duration,
    Grain,
    Partition,
    Schedule,
    check_cron,
    check_partition,
    grain_of,
    spans,
    window_start,
)

EVERY = list(GRAINS.values())


@pytest.mark.parametrize(
    ("grain", "key", "hint"),
    [
        (HOUR, "2024-03-31", "is not an hour: write it as YYYY-MM-DDTHH, in UTC"),
        (HOUR, "2024-03-31T24", "is not an hour"),
        (HOUR, "2024-03-31 05", "is not an hour"),
        (DAY, "2024-02-30", "is not a day: write it as YYYY-MM-DD"),
        (WEEK, "2024-03-26", "for example 2024-03-25"),
        (WEEK, "2024-W13", "is not a week"),
        (MONTH, "2024-13", "is not a month: write it as YYYY-MM"),
        (MONTH, "2024-03-01", "for example 2024-03"),
    ],
)
def test_a_key_is_written_in_one_way(grain: Grain, key: str, hint: str) -> None:
    with pytest.raises(PartitionKeyError, match=hint):
        grain.check(key)


def test_any_key_is_a_safe_name_and_nothing_else_is_a_key() -> None:
    for grain in EVERY:
        assert check_partition(grain.example) == grain.example
    for wrong in ("", "../2024-03", "2024-03-31T5", "2024-03-31T05+00", "2024", "2024-03-31T05:00"):
        with pytest.raises(PartitionKeyError, match="is not a day"):
            check_partition(wrong)
    assert [grain_of(grain.example).name for grain in EVERY] == ["hour", "day", "day", "month"]


@pytest.mark.parametrize(
    ("grain", "key", "steps", "wanted"),
    [
        (HOUR, "2024-02-28T23", 1, "2024-02-29T00"),
        (HOUR, "2023-12-31T23", 1, "2024-01-01T00"),
        (DAY, "2024-02-28", 2, "2024-03-01"),
        (DAY, "2023-02-28", 1, "2023-03-01"),
        (WEEK, "2024-12-30", 1, "2025-01-06"),
        (WEEK, "2024-03-04", -1, "2024-02-26"),
        (MONTH, "2023-12", 1, "2024-01"),
        (MONTH, "2024-01", -13, "2022-12"),
    ],
)
def test_partitions_are_shifted_across_months_years_and_leap_days(
    grain: Grain, key: str, steps: int, wanted: str
) -> None:
    assert grain.shift(key, steps) == wanted
    assert grain.between(key, wanted) == steps
    assert grain.range(*sorted((key, wanted)))[:: abs(steps)] == sorted((key, wanted))


@given(st.sampled_from(EVERY), st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_partitions_have_no_gap_and_keys_are_sorted_like_time(
    grain: Grain, moment: datetime
) -> None:
    key = grain.key_at(moment)
    following = grain.shift(key, 1)
    assert grain.begins(key) <= moment < grain.begins(following)
    assert key < following
    assert Partition(key, "UTC", grain).end == Partition(following, "UTC", grain).start


def test_the_calendar_has_an_end_at_every_grain() -> None:
    for grain, last in ((HOUR, "9999-12-31T23"), (WEEK, "9999-12-27"), (MONTH, "9999-12")):
        with pytest.raises(PartitionKeyError, match="outside the calendar"):
            grain.shift(last, 1)


# --- instants. Berlin puts its clocks forward on 31 March 2024 and back on 27 October; Santiago
# skips the midnight of 8 September 2024.


@pytest.mark.parametrize(
    ("zone", "grain", "key", "hours", "start"),
    [
        ("Europe/Berlin", DAY, "2024-03-31", 23, "2024-03-30T23:00"),
        ("Europe/Berlin", DAY, "2024-10-27", 25, "2024-10-26T22:00"),
        ("Europe/Berlin", WEEK, "2024-03-25", 167, "2024-03-24T23:00"),
        ("Europe/Berlin", WEEK, "2024-10-21", 169, "2024-10-20T22:00"),
        ("Europe/Berlin", MONTH, "2024-03", 31 * 24 - 1, "2024-02-29T23:00"),
        ("Europe/Berlin", MONTH, "2024-02", 29 * 24, "2024-01-31T23:00"),
        ("Europe/Berlin", WEEK, "2024-12-30", 168, "2024-12-29T23:00"),
        ("America/Santiago", DAY, "2024-09-08", 23, "2024-09-08T04:00"),
        ("America/Santiago", DAY, "2024-09-07", 24, "2024-09-07T04:00"),
        ("America/Santiago", WEEK, "2024-09-02", 167, "2024-09-02T04:00"),
        ("Europe/Berlin", HOUR, "2024-03-31T01", 1, "2024-03-31T01:00"),
    ],
)
def test_a_partition_lies_between_two_instants(
    zone: str, grain: Grain, key: str, hours: int, start: str
) -> None:
    one = Partition(key, zone, grain)
    assert one.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert one.end - one.start == timedelta(hours=hours)
    assert one.keys(HOUR)[0] == start[:13]
    assert len(one.keys(HOUR)) == hours
    assert one.keys(grain) == [key]


def test_hours_of_a_zone_that_stands_off_by_half_an_hour_cover_its_day() -> None:
    day = Partition("2024-03-01", "Asia/Kolkata")
    assert (day.keys(HOUR)[0], day.keys(HOUR)[-1]) == ("2024-02-29T18", "2024-03-01T18")
    assert Partition("2024-02-29T18", "Asia/Kolkata", HOUR).keys(DAY) == [
        "2024-02-29",
        "2024-03-01",
    ]


def test_a_week_over_the_end_of_a_month_is_of_both() -> None:
    assert Partition("2024-01-29", "UTC", WEEK).keys(MONTH) == ["2024-01", "2024-02"]
    assert Partition("2024-02", "UTC", MONTH).keys(WEEK)[0] == "2024-01-29"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Santiago", "Asia/Kathmandu"])
@pytest.mark.parametrize("grain", EVERY, ids=lambda grain: str(grain.name))
def test_a_column_of_instants_has_the_keys_of_its_instants(zone: str, grain: Grain) -> None:
    moments = [datetime(2023, 12, 30, tzinfo=UTC) + timedelta(minutes=77 * n) for n in range(7000)]
    column = pa.chunked_array([pa.array(moments, pa.timestamp("us", tz="UTC"))])
    found = grain.keys_of(column, zone).to_pylist()
    assert found == [grain.key_of(moment, zone) for moment in moments]
    for key, moment in list(zip(found, moments, strict=True))[::97]:
        one = Partition(key, zone, grain)
        assert one.start <= moment < one.end


def test_hours_are_gathered_into_days_of_the_zone() -> None:
    found = spans(HOUR, "2024-03-30T22", "2024-03-31T22", "Europe/Berlin")
    names = [(one.name, one.first, one.last) for one in found]
    assert names == [
        ("2024-03-30", "2024-03-30T22", "2024-03-30T22"),
        ("2024-03-31", "2024-03-30T23", "2024-03-31T21"),
        ("2024-04-01", "2024-03-31T22", "2024-03-31T22"),
    ]
    assert [one.name for one in spans(MONTH, "2024-01", "2024-03")] == MONTH.range(
        "2024-01", "2024-03"
    )


# --- crons


@pytest.mark.parametrize(
    ("grain", "fits"),
    [
        (HOUR, ["5 * * * *", "@hourly"]),
        (DAY, ["30 4 * * *", "@daily", "@midnight"]),
        (WEEK, ["0 1 * * 1", "0 1 * * 0", "0 1 * * 7", "0 1 * * wed", "@weekly"]),
        (MONTH, ["0 1 1 * *", "0 1 28 * *", "@monthly"]),
    ],
    ids=lambda value: str(getattr(value, "name", "crons")),
)
def test_a_cron_fits_its_grain_and_no_other(grain: Grain, fits: list[str]) -> None:
    for other in EVERY:
        for cron in fits:
            if other is grain:
                assert check_cron(cron, grain) == cron
            else:
                with pytest.raises(ValueError, match=f"one time of every {other.name}"):
                    check_cron(cron, other)


@pytest.mark.parametrize("cron", ["0 1 31 * *", "0 1 * * 1,2", "*/5 * * * *", "60 * * * *", "0 1"])
def test_a_cron_that_names_several_times_or_skips_a_month_fits_nothing(cron: str) -> None:
    for grain in EVERY:
        with pytest.raises(ValueError, match="one time of every"):
            check_cron(cron, grain)


@pytest.mark.parametrize(
    ("cron", "grain", "key", "delay", "tick", "known_on"),
    [
        ("5 * * * *", HOUR, "2024-03-31T05", 0, "2024-03-31T06:05+00:00", "2024-03-31"),
        ("5 * * * *", HOUR, "2024-03-31T22", 0, "2024-03-31T23:05+00:00", "2024-04-01"),
        ("5 * * * *", HOUR, "2024-03-31T05", 48, "2024-04-02T06:05+00:00", "2024-04-02"),
        ("0 4 * * *", DAY, "2024-03-30", 0, "2024-03-31T04:00+02:00", "2024-03-30"),
        ("0 4 * * *", DAY, "2024-02-28", 2, "2024-03-02T04:00+01:00", "2024-03-01"),
        ("0 4 * * 1", WEEK, "2024-03-25", 0, "2024-04-01T04:00+02:00", "2024-03-31"),
        ("0 4 * * 3", WEEK, "2024-12-23", 0, "2025-01-01T04:00+01:00", "2024-12-31"),
        ("0 4 * * 0", WEEK, "2024-03-25", 1, "2024-04-14T04:00+02:00", "2024-04-13"),
        ("0 4 1 * *", MONTH, "2024-02", 0, "2024-03-01T04:00+01:00", "2024-02-29"),
        ("0 4 5 * *", MONTH, "2023-12", 1, "2024-02-05T04:00+01:00", "2024-02-04"),
    ],
)
def test_a_schedule_says_when_a_partition_is_taken_and_known(
    cron: str, grain: Grain, key: str, delay: int, tick: str, known_on: str
) -> None:
    schedule = Schedule(cron, grain, "Europe/Berlin")
    assert schedule.tick(key, delay).isoformat(timespec="minutes") == tick
    assert schedule.known_on(key, delay) == known_on
    following = schedule.tick(grain.shift(key, 1), delay)
    assert schedule.tick(key, delay) < schedule.until(key, delay) < following


# --- durations


@pytest.mark.parametrize("wrong", ["7", "7 days", "-1d", "1.5d", "", "d", 7, None, "1y"], ids=repr)
def test_a_duration_is_a_number_and_a_unit(wrong: object) -> None:
    with pytest.raises(ValueError, match="must be a duration: '36h', '7d', '8w' or '3mo'"):
        Duration.of(wrong)


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        ("36h", [36, None, None, None]),
        ("48h", [48, 2, None, None]),
        ("7d", [168, 7, 1, None]),
        ("8w", [1344, 56, 8, None]),
        ("3mo", [None, None, None, 3]),
        ("0d", [0, 0, 0, 0]),
    ],
)
def test_a_duration_is_a_whole_number_of_partitions_or_none(
    written: str, steps: list[int | None]
) -> None:
    duration = Duration.of(written)
    assert str(duration) == written
    assert [duration.steps(g) if duration.fits(g) else None for g in EVERY] == steps


@pytest.mark.parametrize(
    ("grain", "last", "length", "first"),
    [
        (HOUR, "2024-03-01T05", "24h", "2024-02-29T06"),
        (DAY, "2024-03-01", "7d", "2024-02-24"),
        (DAY, "2024-03-30", "1mo", "2024-02-29"),
        (DAY, "2024-01-15", "3mo", "2023-10-16"),
        (WEEK, "2024-12-30", "2w", "2024-12-23"),
        (WEEK, "2024-12-30", "1d", "2024-12-30"),
        (MONTH, "2024-01", "3mo", "2023-11"),
        (MONTH, "2024-03", "60d", "2024-02"),
        (DAY, "2024-03-01", "0d", "2024-03-01"),
    ],
)
def test_a_window_is_calendar_time(grain: Grain, last: str, length: str, first: str) -> None:
    assert window_start(grain, last, Duration.of(length)) == first


def test_days_of_a_week_are_its_seven_dates() -> None:
    days = Partition("2024-02-26", "Europe/Berlin", WEEK).keys(DAY)
    assert days == [(date(2024, 2, 26) + timedelta(days=n)).isoformat() for n in range(7)]
