"""One month of real flights, with the weather at departure and the aircraft."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks._drift_quality.draws import Month
from demo.flights_package import FlightsPackage

if TYPE_CHECKING:
    from datetime import date
    from typing import Any

__all__ = ["CATEGORIES", "NUMBERS", "days_of_year", "month_of_flights"]

NUMBERS = (
    *("dep_delay", "arr_delay", "air_time", "distance", "hour", "minute", "plane_year"),
    *("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"),
)
CATEGORIES = ("carrier", "origin", "dest", "manufacturer", "engine")


def month_of_flights(month: int = 1) -> Month:
    """Return every flight of one month of 2013.

    Parameters
    ----------
    month : int, default 1
        1 to 12.

    Returns
    -------
    Month
        15 columns of numbers and 5 of categories.
    """
    frame = _year()
    return _as_month(frame[frame["month"] == month])


def days_of_year() -> dict[date, Month]:
    """Return every day of 2013 as it was.

    Returns
    -------
    dict of date to Month
        In order; categories have the same numbers on every day.
    """
    frame = _year()
    whole = _as_month(frame)
    keys = pd.to_datetime(frame[["year", "month", "day"]]).dt.date.to_numpy()
    return {
        day: Month({name: column[keys == day] for name, column in whole.rows.items()}, CATEGORIES)
        for day in sorted(set(keys))
    }


def _year() -> pd.DataFrame:
    folder = FlightsPackage().folder
    flights, weather, planes = (
        pd.read_csv(folder / name, low_memory=False)
        for name in ("flights.csv.zip", "weather.csv", "planes.csv")
    )
    planes = planes.rename(columns={"year": "plane_year"})
    hourly = weather.drop(columns=["year", "month", "day", "hour"])
    frame = flights.merge(
        hourly.drop_duplicates(["origin", "time_hour"]), how="left", on=["origin", "time_hour"]
    )
    return frame.merge(
        planes[["tailnum", "plane_year", "manufacturer", "engine"]], how="left", on="tailnum"
    )


def _as_month(frame: pd.DataFrame) -> Month:
    rows: dict[str, Any] = {name: frame[name].to_numpy(dtype=float) for name in NUMBERS}
    for name in CATEGORIES:
        codes, _ = pd.factorize(frame[name], sort=True)
        rows[name] = np.where(codes < 0, np.nan, codes.astype(float))
    return Month(rows, CATEGORIES)
