"""Partition keys and the calendar: the one place that counts days, weeks, months and zones."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mlops_tasks.exceptions import FeatureError, PartitionKeyError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "PARTITION_FORMAT",
    "PERIOD",
    "Day",
    "Span",
    "check_clock",
    "check_daily",
    "check_partition",
    "check_past",
    "check_timezone",
    "days_between",
    "days_of",
    "shift_day",
    "today",
    "whole_spans",
]

PARTITION_FORMAT = "%Y-%m-%d"
#: Partitions are days.
PERIOD = timedelta(days=1)

_WEEK = timedelta(weeks=1)
_DAILY = re.compile(r"(?P<minute>\d{1,2}) (?P<hour>\d{1,2}) \* \* \*")
_MIDNIGHT = {"@daily": "0 0 * * *", "@midnight": "0 0 * * *"}
# As far as the rules of all zones are laid down in the usual zone data.
_YEARS = range(2026, 2038)


def check_partition(partition: str) -> str:
    """Return `partition` if it is a day written ``YYYY-MM-DD``: paths and predicates hold it.

    >>> check_partition("2013-02-01")
    '2013-02-01'
    """
    day: str | None = None
    with suppress(ValueError, TypeError):
        day = date.fromisoformat(partition).isoformat()
    if day is None or day != partition:
        raise PartitionKeyError(
            f"partition key {partition!r} is not a day: write it as YYYY-MM-DD, "
            "for example 2013-02-01"
        )
    return partition


def shift_day(day: str, days: int) -> str:
    """Return the partition key some days after another one; negative days go back.

    >>> shift_day("2013-03-01", -1)
    '2013-02-28'
    """
    try:
        return (date.fromisoformat(check_partition(day)) + timedelta(days=days)).isoformat()
    except OverflowError:
        raise PartitionKeyError(
            f"{days} days from {day} is outside the calendar, which has the years 1 to 9999"
        ) from None


def days_between(first: str, last: str) -> int:
    """Return how many days lie between two partition keys.

    >>> days_between("2013-02-27", "2013-03-01")
    2
    """
    return (date.fromisoformat(last) - date.fromisoformat(first)).days


def today(timezone: str | None = None) -> str:
    """Return the day that it is by the clock of a zone, UTC by default."""
    return datetime.now(UTC if timezone is None else ZoneInfo(timezone)).date().isoformat()


def check_past(day: str, timezone: str | None, *, what: str) -> str:
    """Return `day` if it is a day and has begun in the zone, UTC for None."""
    now = today(timezone)
    if check_partition(day) > now:
        raise PartitionKeyError(
            f"{what} {day} lies in the future, it is {now} in {timezone or 'UTC'}: nothing of it "
            "is known yet; choose today or a day before"
        )
    return day


@dataclass(frozen=True, slots=True)
class Day:
    """One day, half-open: from its midnight up to, and without, the next one.

    Attributes
    ----------
    partition : str
        The day, ``YYYY-MM-DD``.
    timezone : str
        Name of the zone whose midnights count.

    Examples
    --------
    >>> day = Day("2024-03-10", "America/New_York")
    >>> day.start.isoformat(), day.end.isoformat()
    ('2024-03-10T05:00:00+00:00', '2024-03-11T04:00:00+00:00')
    >>> day.local_end.isoformat()
    '2024-03-11T00:00:00'
    """

    partition: str
    timezone: str = "UTC"

    @property
    def date(self) -> date:
        """The day as a date."""
        return date.fromisoformat(self.partition)

    @property
    def local_start(self) -> datetime:
        """Midnight as the zone's clocks show it, without a zone."""
        return datetime.combine(self.date, time())

    @property
    def local_end(self) -> datetime:
        """The next midnight as the zone's clocks show it, without a zone."""
        try:
            return self.local_start + PERIOD
        except OverflowError:
            raise self._beyond() from None

    @property
    def start(self) -> datetime:
        """The instant at which the day begins, in UTC."""
        return self._instant(self.local_start)

    @property
    def end(self) -> datetime:
        """The instant at which the next day begins, in UTC."""
        return self._instant(self.local_end)

    def bound(self, name: str) -> datetime | str:
        """Return the value of a query's parameter: an instant, a local time, or the day as text."""
        value: datetime | str = getattr(self, name)
        return value

    def _instant(self, midnight: datetime) -> datetime:
        try:
            return _first_instant(midnight.replace(tzinfo=ZoneInfo(self.timezone)))
        except OverflowError:
            raise self._beyond() from None

    def _beyond(self) -> PartitionKeyError:
        return PartitionKeyError(
            f"day {self.partition} in {self.timezone} does not lie within the years 1 to 9999 in "
            "UTC from its beginning to its end; choose another"
        )


def _first_instant(local: datetime) -> datetime:
    """Return the earliest instant at which clocks show a time, or a later one if they skip it."""
    if not _skipped(local):
        return local.astimezone(UTC)
    # With the offset of before the gap, and after it: clocks are put forward in between.
    after, before = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    wanted = local.replace(tzinfo=None)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        shown = middle.astimezone(local.tzinfo).replace(tzinfo=None)
        before, after = (before, middle) if shown >= wanted else (middle, after)
    return after


def days_of(moments: pa.ChunkedArray | pa.Array, timezone: str) -> pa.Array:
    """Return the day that each instant belongs to, as text, by the midnights of a zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    there = pc.cast(moments, pa.timestamp(moments.type.unit, tz=timezone))
    days = pc.cast(pc.local_timestamp(there), pa.date32(), safe=False)
    first, last = (pa.scalar(day, pa.date32()) for day in (date.min, date.max))
    if outside := pc.sum(pc.or_(pc.less(days, first), pc.greater(days, last))).as_py():
        raise FeatureError(f"{outside} moments lie outside the years 1 to 9999 in {timezone}")
    keys = pc.cast(days, pa.string())
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring days, first and last inclusive.

    Its name is ``2013-01`` for a month, ``2013-W05`` for a week (ISO 8601), and the day for one.
    """

    name: str
    first: str
    last: str


def whole_spans(first: str, last: str) -> list[Span]:
    """Cut a window into its whole months, else weeks, and the days at its edges.

    They come in order and without a gap; a month is never cut into weeks.

    >>> [span.name for span in whole_spans("2013-01-20", "2013-03-01")][:3]
    ['2013-01-20', '2013-W04', '2013-01-28']
    >>> [span.name for span in whole_spans("2013-02-01", "2013-04-01")]
    ['2013-02', '2013-03', '2013-04-01']
    """
    begin, end = date.fromisoformat(first), date.fromisoformat(last) + PERIOD
    firsts = [begin] if begin.day == 1 else []
    while (after := _next_month(firsts[-1] if firsts else begin)) <= end:
        firsts.append(after)
    if len(firsts) < 2:
        return _weeks(begin, end)
    months = [_span(f"{a:%Y-%m}", a, b) for a, b in pairwise(firsts)]
    return [*_weeks(begin, firsts[0]), *months, *_weeks(firsts[-1], end)]


def _weeks(begin: date, end: date) -> list[Span]:
    """Cut the days from `begin` up to the one before `end`."""
    found = []
    while begin < end:
        is_week = begin.weekday() == 0 and begin + _WEEK <= end
        after = begin + (_WEEK if is_week else PERIOD)
        found.append(_span(f"{begin:%G-W%V}" if is_week else begin.isoformat(), begin, after))
        begin = after
    return found


def _span(name: str, begin: date, after: date) -> Span:
    return Span(name, begin.isoformat(), (after - PERIOD).isoformat())


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def check_daily(cron: str) -> str:
    """Return a cron that names one time of every day: a run takes the day before its own."""
    found = _DAILY.fullmatch(_MIDNIGHT.get(cron, cron))
    if not found or int(found["minute"]) > 59 or int(found["hour"]) > 23:
        raise ValueError(
            "must be one time of every day, written 'minute hour * * *', as '30 4 * * *'; each run "
            "takes the day before it"
        )
    return cron


def check_timezone(name: str) -> None:
    """Refuse a zone that the zone data do not have."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(
            f"timezone {name!r} is unknown; write it like 'Europe/Berlin' or 'UTC'"
        ) from None


@lru_cache
def check_clock(cron: str, timezone: str) -> None:
    """Refuse a time of the day that is skipped when clocks are put forward.

    Airflow moves such a run by an hour and finds the day itself before it, not the day before: one
    partition would be taken twice, once before it has ended, and another one never.
    """
    minute, hour, *_ = _MIDNIGHT.get(cron, cron).split()
    zone, at = ZoneInfo(timezone), time(int(hour), int(minute))
    first = date(_YEARS.start, 1, 1)
    for number in range((date(_YEARS.stop, 1, 1) - first).days):
        local = datetime.combine(first + timedelta(days=number), at, zone)
        if local.utcoffset() != local.replace(fold=1).utcoffset() and _skipped(local):
            raise ValueError(
                f"cron {cron!r}: {at:%H:%M} does not exist on {local:%Y-%m-%d} in {timezone}, when "
                "clocks are put forward; choose a time that every day has, a few hours later"
            )


def _skipped(local: datetime) -> bool:
    there_and_back = local.astimezone(UTC).astimezone(local.tzinfo)
    return there_and_back.replace(tzinfo=None) != local.replace(tzinfo=None)
