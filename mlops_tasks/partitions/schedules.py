"""When the partitions of a dataset are taken: a cron that fits the grain, and what it takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mlops_tasks.partitions.grains import DAY, HOUR, MONTH, WEEK, Grain, Partition, is_skipped

if TYPE_CHECKING:
    from mlops_tasks.partitions.grains import GrainName

__all__ = ["DEFAULT_CRONS", "Schedule", "check_clock", "check_cron"]

#: When the partitions of each grain are taken if nothing else is said: an hour into a day.
DEFAULT_CRONS: dict[GrainName, str] = {
    "hour": "5 * * * *",
    "day": "0 1 * * *",
    "week": "0 1 * * 1",
    "month": "0 1 1 * *",
}

_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE, _HOUR = r"(?P<minute>[0-5]?\d)", r"(?P<hour>[01]?\d|2[0-3])"
_FORMS = {
    "hour": rf"{_MINUTE} \* \* \* \*",
    "day": rf"{_MINUTE} {_HOUR} \* \* \*",
    "week": rf"{_MINUTE} {_HOUR} \* \* (?P<weekday>[0-7]|{'|'.join(_WEEKDAYS)})",
    # Every month has these days; others would be skipped in some.
    "month": rf"{_MINUTE} {_HOUR} (?P<monthday>0?[1-9]|1\d|2[0-8]) \* \*",
}
_FITS = {
    "hour": "one time of every hour, written 'minute * * * *', as '5 * * * *'",
    "day": "one time of every day, written 'minute hour * * *', as '30 4 * * *'",
    "week": "one time of every week, written 'minute hour * * weekday', as '30 4 * * 1'",
    "month": (
        "one time of every month on a day up to the 28th, written 'minute hour day * *', as "
        "'30 4 2 * *'"
    ),
}
# As far as the rules of all zones are laid down in the usual zone data.
_YEARS = range(2026, 2038)


def check_cron(cron: str, grain: Grain) -> str:
    """Return a cron that names one time of every partition: a run takes the one before its own.

    Parameters
    ----------
    cron : str
        The cron.
    grain : Grain
        What the partitions are.

    Returns
    -------
    str
        The cron, as it was written.

    Examples
    --------
    >>> check_cron("30 4 * * WED", WEEK)
    '30 4 * * WED'
    """
    if not _fields(cron, grain):
        raise ValueError(f"must be {_FITS[grain.name]}; each run takes the {grain.name} before it")
    return cron


def _fields(cron: str, grain: Grain) -> dict[str, str] | None:
    found = re.fullmatch(_FORMS[grain.name], _PRESETS.get(cron, cron).lower())
    return found.groupdict() if found else None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When each partition is taken, by a cron that fits its grain.

    Attributes
    ----------
    cron : str
        From `check_cron`.
    grain : Grain
        What it takes.
    timezone : str
        Whose clock the cron is by; hours are taken by that of UTC.

    Examples
    --------
    >>> schedule = Schedule("0 1 * * 3", WEEK, "Europe/Berlin")
    >>> schedule.tick("2024-03-25").isoformat()
    '2024-04-03T01:00:00+02:00'
    >>> schedule.known_on("2024-03-25")
    '2024-04-02'
    """

    cron: str
    grain: Grain
    timezone: str = "UTC"

    @property
    def clock(self) -> str:
        """The zone whose clock the cron is by."""
        return self.grain.clock(self.timezone)

    def tick(self, key: str, delay: int = 0) -> datetime:
        """Return when a partition is taken, `delay` partitions later than it could be at first."""
        fields = _fields(self.cron, self.grain) or {}
        begin = self.grain.begins(self.grain.shift(key, 1 + delay))
        day = begin.date() + timedelta(days=_place_of_day(fields))
        hour = int(fields.get("hour", begin.hour))
        local = datetime.combine(day, time(hour, int(fields.get("minute", 0))))
        return local.replace(tzinfo=ZoneInfo(self.clock))

    def newest_before(self, instant: datetime, delay: int = 0) -> str:
        """Return the newest partition that is taken before an instant."""
        key = self.grain.shift(self.grain.key_of(instant, self.timezone), -delay)
        while self.tick(key, delay) >= instant:
            key = self.grain.shift(key, -1)
        return key

    def until(self, key: str, delay: int = 0) -> datetime:
        """Return a moment between the tick that takes a partition and the next one."""
        taken_in = Partition(self.grain.shift(key, 1 + delay), self.timezone, self.grain)
        return taken_in.end - timedelta(seconds=1)

    def known_on(self, key: str, delay: int = 0) -> str:
        """Return the day as of which a partition is known: the last one before it is taken.

        A decision is taken as of a day, in the night after it. An hour is known on the day in which
        it has ended, by the clock of the datasets.
        """
        if self.grain is HOUR:
            instant = Partition(self.grain.shift(key, delay), grain=HOUR).start
            return DAY.key_of(instant, self.timezone)
        return DAY.shift(DAY.key_at(self.tick(key, delay).replace(tzinfo=None)), -1)


def _place_of_day(fields: dict[str, str]) -> int:
    """Return which day of a week or month the cron names, from 0."""
    if weekday := fields.get("weekday"):
        return (int(weekday) - 1) % 7 if weekday.isdigit() else _WEEKDAYS.index(weekday)
    return int(fields.get("monthday", 1)) - 1


@lru_cache
def check_clock(cron: str, timezone: str) -> None:
    """Refuse a time of the day that is skipped when clocks are put forward.

    Airflow moves such a run by an hour and finds the day itself before it, not the day before: one
    partition would be taken twice, once before it has ended, and another one never.
    """
    fits = (_fields(cron, grain) for grain in (DAY, WEEK, MONTH))
    found = next((fields for fields in fits if fields), None)
    if found is None:
        return  # every hour, by the clock of UTC
    zone, at = ZoneInfo(timezone), time(int(found["hour"]), int(found["minute"]))
    first = date(_YEARS.start, 1, 1)
    for number in range((date(_YEARS.stop, 1, 1) - first).days):
        local = datetime.combine(first + timedelta(days=number), at, zone)
        if local.utcoffset() != local.replace(fold=1).utcoffset() and is_skipped(local):
            raise ValueError(
                f"cron {cron!r}: {at:%H:%M} does not exist on {local:%Y-%m-%d} in {timezone}, when "
                "clocks are put forward; choose a time that every day has, a few hours later"
            )
