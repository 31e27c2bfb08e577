"""Times of the day by the clock of a zone, as specs write them."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = ["check_clock", "check_daily", "check_timezone"]

_DAILY = re.compile(r"(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) \* \* \*")
_MIDNIGHT = {"@daily": "0 0 * * *", "@midnight": "0 0 * * *"}
# As far as the rules of all zones are laid down in the usual zone data.
_YEARS = range(2026, 2038)


def check_daily(cron: str) -> str:
    """Return a cron that names one time of every day: a run takes the day before its own.

    Parameters
    ----------
    cron : str
        As ``30 4 * * *``.

    Returns
    -------
    str
        The same.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    found = _DAILY.fullmatch(_MIDNIGHT.get(cron, cron))
    if not found or int(found["minute"]) > 59 or int(found["hour"]) > 23:
        raise ValueError(
            "must be one time of every day, written 'minute hour * * *', as '30 4 * * *'; each run "
            "takes the day before it"
        )
    return cron


def check_timezone(name: str) -> None:
    """Refuse a zone that nobody knows.

    Parameters
    ----------
    name : str
        As ``Europe/Berlin``.

    Raises
    ------
    ValueError
        If the zone data has no such name.
    """
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(
            f"timezone {name!r} is unknown; write it like 'Europe/Berlin' or 'UTC'"
        ) from None


@lru_cache
def check_clock(cron: str, timezone: str) -> None:
    """Refuse a time that is skipped when clocks are put forward.

    Airflow moves such a run by an hour and finds the day itself before it, not the day before: one
    partition would be taken twice, once before it has ended, and another one never.

    Parameters
    ----------
    cron : str
        From `check_daily`.
    timezone : str
        From `check_timezone`.

    Raises
    ------
    ValueError
        If some day of the coming years does not have the time.
    """
    minute, hour, *_ = _MIDNIGHT.get(cron, cron).split()
    zone, at = ZoneInfo(timezone), dt.time(int(hour), int(minute))
    first = dt.date(_YEARS.start, 1, 1)
    for number in range((dt.date(_YEARS.stop, 1, 1) - first).days):
        local = dt.datetime.combine(first + dt.timedelta(days=number), at, zone)
        if local.utcoffset() != local.replace(fold=1).utcoffset() and _skipped(local):
            raise ValueError(
                f"cron {cron!r}: {at:%H:%M} does not exist on {local:%Y-%m-%d} in {timezone}, when "
                "clocks are put forward; choose a time that every day has, a few hours later"
            )


def _skipped(local: dt.datetime) -> bool:
    there_and_back = local.astimezone(dt.UTC).astimezone(local.tzinfo)
    return there_and_back.replace(tzinfo=None) != local.replace(tzinfo=None)
