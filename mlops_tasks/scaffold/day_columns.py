"""A date beside a time of day: the date says the partition, the time is the row's moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.scaffold.sql_text import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.scaffold.columns import Column, Rows

__all__ = ["time_of_day"]

# A zone of each offset in which many people live, with and without a summer time.
_ZONES = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Johannesburg",
    "Europe/Athens",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
)
_NEARLY_ALL = 0.99


def time_of_day(
    rows: Rows, day: Column, times: Sequence[Column], timezone: str
) -> tuple[Column, str] | None:
    """Return the first of these times whose day is the one of another column, and in which zone.

    Parameters
    ----------
    rows : Rows
        The rows.
    day : Column
        A date.
    times : sequence of Column
        Times of day, the likeliest moment first.
    timezone : str
        Zone that is tried first.

    Returns
    -------
    tuple of Column and str, or None
        None if no time lies on that day in nearly all rows.
    """
    zones = dict.fromkeys((timezone, *_ZONES))
    for one in times:
        # Quarters of an hour: no zone's day begins within one.
        asked = ", ".join(
            f"sum(CASE WHEN (moment AT TIME ZONE {text(zone)})::DATE = day THEN n ELSE 0 END)"
            for zone in zones
        )
        n_rows, *shared = rows.one(
            f"SELECT sum(n), {asked} FROM (SELECT {day.sql} AS day, count(*) AS n, "
            f"time_bucket(INTERVAL 15 MINUTE, {one.sql}::TIMESTAMPTZ) AS moment FROM {{rows}} "
            f"WHERE {day.sql} IS NOT NULL AND {one.sql} IS NOT NULL GROUP BY ALL)"
        )
        for zone, n_same in zip(zones, shared, strict=True):
            if n_rows and n_same >= _NEARLY_ALL * n_rows:
                return one, zone
    return None
