"""Days, their arithmetic, and the days that instants belong to, in any zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_tasks.exceptions import FeatureError, PartitionKeyError
from mlops_tasks.partitions import (
    Partition,
    check_partition,
    check_past,
    days_between,
    days_of,
    shift_day,
    today,
    whole_spans,
)

if TYPE_CHECKING:
    pass

WRONG = [
    "banana",
    "2024-02-30",
    "20000-01-01",
    "2024-1-1",
    "20240101",
    "0000-01-01",
    "",
]


@pytest.mark.parametrize("key", [*WRONG, None, 20240101], ids=repr)
def test_a_key_is_a_day_or_an_error(key: Any) -> None:
    for function in (check_partition, lambda key: shift_day(key, 1)):
        with pytest.raises(PartitionKeyError, match="is not a day: write it as YYYY-MM-DD"):
            function(key)


@pytest.mark.parametrize(("day", "days"), [("9999-12-31", 1), ("0001-01-01", -1)])
def test_the_calendar_has_an_end(day: str, days: int) -> None:
    with pytest.raises(PartitionKeyError, match=rf"{days} days from {day} is outside the calendar"):
        shift_day(day, days)


def test_days_are_counted_across_months_and_backwards() -> None:
    assert days_between("2024-02-28", "2024-03-01") == 2
    assert days_between("2024-03-01", "2023-03-01") == -366


# --- months, weeks and days of a window


def days(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(begin + timedelta(days=i)).isoformat() for i in range((end - begin).days + 1)]


@given(st.dates(date(2011, 11, 1), date(2014, 2, 1)), st.integers(0, 500))
def test_every_day_is_covered_once_and_in_order(first: date, n: int) -> None:
    window = first.isoformat(), (first + timedelta(days=n)).isoformat()
    found = whole_spans(*window)
    assert [day for one in found for day in days(one.first, one.last)] == days(*window)
    sizes = {len(one.name): len(days(one.first, one.last)) for one in found}
    assert sizes.get(8, 7) == 7
    assert sizes.get(10, 1) == 1
    assert len(found) <= n // 28 + 32


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        ("2013-01-01", "2013-12-31", [f"2013-{month:02d}" for month in range(1, 13)]),
        ("2013-02-01", "2013-02-28", ["2013-02"]),
        ("2012-02-01", "2012-02-28", ["2012-02-01", "2012-02-02", "2012-02-03", "2012-02-04",
            "2012-02-05", "2012-W06", "2012-W07", "2012-W08", "2012-02-27", "2012-02-28"]),
        ("2012-12-31", "2013-01-06", ["2013-W01"]),
        ("2013-01-31", "2013-03-01", ["2013-01-31", "2013-02", "2013-03-01"]),
        ("2013-01-05", "2013-01-05", ["2013-01-05"]),
    ],
)  # fmt: skip
def test_whole_months_come_before_whole_weeks(first: str, last: str, names: list[str]) -> None:
    assert [span.name for span in whole_spans(first, last)] == names


# --- the day of an instant

ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu"]


def instants(*moments: datetime | None, tz: str = "UTC") -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(moments, pa.timestamp("us", tz=tz))])


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("year", [1, 1900, 2024, 9999])
def test_a_day_begins_at_midnight_of_its_zone_all_year(zone: str, year: int) -> None:
    if year == 9999 and zone in ("America/New_York", "Australia/Lord_Howe"):
        year = 2037  # Arrow knows when clocks change no further than the zone data list it
    first = datetime(year, 1, 2, 12, tzinfo=UTC)
    hours = [first + timedelta(minutes=30 * n) for n in range(48 * 362)]
    wanted = [moment.astimezone(ZoneInfo(zone)).date().isoformat() for moment in hours]
    assert days_of(instants(*hours), zone).to_pylist() == wanted


# 23:30 to 0:30; 0:00 to 1:00; 0:00 twice; and a day that was left out: both begin at once.
GAPS = [
    ("America/Toronto", "1919-03-31", datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
    ("Africa/Cairo", "2024-04-26", datetime(2024, 4, 25, 22, tzinfo=UTC)),
    ("America/Havana", "2024-11-03", datetime(2024, 11, 3, 4, tzinfo=UTC)),
    ("Pacific/Apia", "2011-12-30", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("Pacific/Apia", "2011-12-31", datetime(2011, 12, 30, 10, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "day", "start"), GAPS)
def test_a_day_begins_with_its_first_instant(zone: str, day: str, start: datetime) -> None:
    assert Partition(day, zone).start == start
    before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    assert Partition(before, zone).end == start


def test_the_zone_that_a_column_is_written_in_does_not_matter() -> None:
    moment = datetime(2024, 3, 1, 3, tzinfo=UTC)
    for written in ("UTC", "Etc/UTC", "Asia/Kolkata", "+05:30"):
        assert days_of(instants(moment, tz=written), "America/New_York")[0].as_py() == "2024-02-29"


def test_moments_outside_the_calendar_are_counted() -> None:
    beyond = pa.array([0, 2**62], pa.timestamp("us", tz="UTC"))
    with pytest.raises(FeatureError, match="1 moments lie outside the years 1 to 9999"):
        days_of(beyond, "UTC")
    last = instants(datetime(9999, 12, 31, 23, tzinfo=UTC))
    assert days_of(last, "America/New_York").to_pylist() == ["9999-12-31"]
    with pytest.raises(FeatureError, match="in Asia/Kolkata"):
        days_of(last, "Asia/Kolkata")


# --- the future


@pytest.mark.parametrize(
    ("zone", "day"),
    [(None, "2024-03-02"), ("America/New_York", "2024-03-01"), ("Asia/Kolkata", "2024-03-02")],
)
def test_it_is_the_day_of_the_zone(evening: None, zone: str | None, day: str) -> None:
    assert today(zone) == day
    assert check_past(day, zone, what="key") == day
    with pytest.raises(PartitionKeyError, match=rf"key {shift_day(day, 1)} lies in the future, it"):
        check_past(shift_day(day, 1), zone, what="key")
