"""Days, their arithmetic, and the days that instants belong to, in any zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from mlops_tasks import partitions
from mlops_tasks.exceptions import FeatureError, PartitionKeyError
from mlops_tasks.partitions import (
    check_day,
    check_instants,
    check_night,
    check_partition,
    check_past,
    days_of,
    shift_day,
    today,
)
from tests.unit.orders import deliveries_dataset, orders_dataset, project, traffic_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_tasks.specs import ModelSpec

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


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pa.array([date(2024, 3, 1)]), r"must be an instant.*is date32"),
        (pa.array([0], pa.timestamp("us")), r"must be an instant.*is timestamp\[us\]"),
        (pa.array(["2024-03-01"]), "must be an instant.*is string"),
        (pa.array([0], pa.int64()), "must be an instant.*is int64"),
        (pa.array([0, None, None], pa.timestamp("us", tz="UTC")), "null in 2 of 3 rows"),
        (pa.array([None], pa.timestamp("s", tz="UTC")), "null in 1 of 1 rows"),
    ],
)
def test_what_is_no_moment_is_refused_by_type(column: pa.Array, match: str) -> None:
    with pytest.raises(FeatureError, match=f"as_of 'ts' {match}|as_of 'ts' is {match}"):
        check_instants(column, what="as_of 'ts'")


# --- the future, and the days there are


@pytest.fixture
def evening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be the evening of 1 March in New York, when it is the 2nd in London."""

    class Fixed(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2024, 3, 2, 1, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(partitions, "datetime", Fixed)


@pytest.mark.parametrize(
    ("zone", "day"),
    [(None, "2024-03-02"), ("America/New_York", "2024-03-01"), ("Asia/Kolkata", "2024-03-02")],
)
def test_it_is_the_day_of_the_zone(evening: None, zone: str | None, day: str) -> None:
    assert today(zone) == day
    assert check_past(day, zone, what="key") == day
    with pytest.raises(PartitionKeyError, match=rf"key {shift_day(day, 1)} lies in the future, it"):
        check_past(shift_day(day, 1), zone, what="key")


def test_a_day_of_a_dataset_has_begun_and_is_between_its_first_and_last(
    evening: None, tmp_path: Path
) -> None:
    live = orders_dataset(tmp_path, start=date(2024, 2, 1))
    assert [check_day(live, key) for key in ("2024-02-01", "2024-03-02")]
    ended = orders_dataset(tmp_path, start=date(2024, 2, 1), end=date(2024, 2, 3))
    assert check_day(ended, "2024-02-03")
    for dataset, key, match in (
        (live, "2024-01-31", "has no 2024-01-31: its days go from 2024-02-01 to today"),
        (live, "2024-03-03", "'orders': partition key 2024-03-03 lies in the future"),
        (ended, "2024-02-04", "has no 2024-02-04: its days go from 2024-02-01 to 2024-02-03"),
        (ended, "banana", "is not a day"),
    ):
        with pytest.raises(PartitionKeyError, match=match):
            check_day(dataset, key)


def replayed(folder: Path, **changes: Any) -> ModelSpec:
    from mlops_tasks.specs import InputSpec, LabelSpec

    end = date(2024, 3, 10)
    inputs = (
        InputSpec(dataset=orders_dataset(folder, end=end)),
        InputSpec(dataset=traffic_dataset(folder, end=end), lookback_days=1),
    )
    label = LabelSpec(dataset=deliveries_dataset(folder, end=end), positive="minutes_late > 10")
    return project(folder, inputs=inputs, label=label, **changes)


def test_a_night_is_of_the_data_of_the_model(tmp_path: Path) -> None:
    spec = replayed(tmp_path)
    assert check_night(spec, "2024-03-15") == "2024-03-15", "late labels of the last day"
    for night in ("2024-02-29", "2024-03-16", "2030-01-01", "9999-12-31"):
        with pytest.raises(PartitionKeyError, match=rf"'late_orders': as_of {night} (is out|lies)"):
            check_night(spec, night)
