"""Days and spans of days: what decisions, trainings and knowledge are as of, and zones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mlops_tasks.exceptions import PartitionKeyError
from mlops_tasks.partitions.grains import DAY, HOUR, Grain, Partition

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "PARTITION_FORMAT",
    "PERIOD",
    "Span",
    "check_begun",
    "check_day",
    "check_past",
    "check_timezone",
    "days_between",
    "days_of",
    "shift_day",
    "spans",
    "today",
    "whole_spans",
]

#: How a day is written, for Airflow.
PARTITION_FORMAT = "%Y-%m-%d"
#: From one day to the next.
PERIOD = DAY.period

_WEEK = timedelta(weeks=1)
_NEARLY_AN_HOUR = HOUR.period - timedelta(microseconds=1)


def check_day(day: str) -> str:
    """Return `day` if it is a day written ``YYYY-MM-DD``, as all knowledge is dated."""
    return DAY.check(day)


def shift_day(day: str, days: int) -> str:
    """Return the day some days after another one.

    Parameters
    ----------
    day : str
        The day, ``YYYY-MM-DD``.
    days : int
        How many; a negative number goes back.

    Returns
    -------
    str
        The other day.

    Examples
    --------
    >>> shift_day("2013-03-01", -1)
    '2013-02-28'
    """
    return DAY.shift(day, days)


def days_between(first: str, last: str) -> int:
    """Return how many days lie between two days.

    Parameters
    ----------
    first, last : str
        The days; a first one that lies behind the last gives a negative number.

    Returns
    -------
    int
        From the one to the other.

    Examples
    --------
    >>> days_between("2013-02-27", "2013-03-01")
    2
    """
    return DAY.between(first, last)


def today(timezone: str | None = None) -> str:
    """Return the day that it is by the clock of a zone, UTC by default."""
    return datetime.now(UTC if timezone is None else ZoneInfo(timezone)).date().isoformat()


def check_past(day: str, timezone: str | None, *, what: str) -> str:
    """Return `day` if it is a day that has begun.

    Parameters
    ----------
    day : str
        The day.
    timezone : str or None
        Name of the zone whose clock counts, UTC for None.
    what : str
        What it is, for the error.

    Returns
    -------
    str
        The day.
    """
    now = today(timezone)
    if check_day(day) > now:
        raise PartitionKeyError(
            f"{what} {day} lies in the future, it is {now} in {timezone or 'UTC'}: nothing of it "
            "is known yet; choose today or a day before"
        )
    return day


def days_of(moments: pa.ChunkedArray | pa.Array, timezone: str) -> pa.Array:
    """Return the day that each instant belongs to.

    Parameters
    ----------
    moments : ChunkedArray or Array
        Instants.
    timezone : str
        Name of the zone whose midnights count.

    Returns
    -------
    Array
        The days as text.
    """
    return DAY.keys_of(moments, timezone)


def check_begun(partition: Partition, *, what: str) -> str:
    """Return the key of a partition if it has begun.

    Parameters
    ----------
    partition : Partition
        The partition.
    what : str
        What it is, for the error.

    Returns
    -------
    str
        Its key.
    """
    now = partition.grain.key_of(datetime.now(UTC), partition.timezone)
    if partition.grain.check(partition.key) > now:
        raise PartitionKeyError(
            f"{what} {partition.key} lies in the future, it is {now} in "
            f"{partition.grain.clock(partition.timezone)}: nothing of it is known yet; choose this "
            f"{partition.grain.name} or one before"
        )
    return partition.key


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring partitions, first and last inclusive.

    Its name is ``2013-01`` for a month, ``2013-W05`` for a week (ISO 8601), and the day for one. A
    part of a day, at the end of a window of hours, is not whole.
    """

    name: str
    first: str
    last: str
    is_whole: bool = True


def spans(grain: Grain, first: str, last: str, timezone: str = "UTC") -> list[Span]:
    """Cut a window of partitions into spans that are worth a merge of their own.

    Hours make days of the zone, days make months and weeks; a week or a month stands alone.

    Parameters
    ----------
    grain : Grain
        What the partitions are.
    first, last : str
        Their keys, both inclusive.
    timezone : str, default "UTC"
        Name of the zone whose days hours make.

    Returns
    -------
    list of Span
        In order and without a gap.

    Examples
    --------
    >>> [(span.name, span.last) for span in spans(HOUR, "2024-03-30T22", "2024-03-31T22")]
    [('2024-03-30', '2024-03-30T23'), ('2024-03-31', '2024-03-31T22')]
    """
    if grain is DAY:
        return whole_spans(first, last)
    if grain is HOUR:
        return _days_of_hours(first, last, timezone)
    return [Span(key, key, key) for key in grain.range(first, last)]


def _days_of_hours(first: str, last: str, timezone: str) -> list[Span]:
    """Cut hours into days of a zone; an hour belongs to the day that it begins in."""
    begin, end = (DAY.key_of(Partition(key, grain=HOUR).start, timezone) for key in (first, last))
    found = []
    for day in DAY.range(begin, end):
        whole = Partition(day, timezone)
        low, after = (HOUR.key_of(edge + _NEARLY_AN_HOUR) for edge in (whole.start, whole.end))
        high = HOUR.shift(after, -1)
        own = max(low, first), min(high, last)
        if own[0] <= own[1]:
            found.append(Span(day, *own, own == (low, high)))
    return found


def whole_spans(first: str, last: str) -> list[Span]:
    """Cut a window into its whole months, else weeks, and the days at its edges.

    They come in order and without a gap; a month is never cut into weeks.

    Parameters
    ----------
    first, last : str
        Days, both inclusive.

    Returns
    -------
    list of Span
        From the first to the last.

    Examples
    --------
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


def check_timezone(name: str) -> None:
    """Refuse a zone that the zone data do not have."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(
            f"timezone {name!r} is unknown; write it like 'Europe/Berlin' or 'UTC'"
        ) from None
