"""Grains: what a partition is one of, its key, and the instants between which it lies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from mlops_tasks.exceptions import FeatureError, PartitionKeyError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

__all__ = [
    "DAY",
    "GRAINS",
    "HOUR",
    "MONTH",
    "WEEK",
    "Grain",
    "GrainName",
    "Partition",
    "check_partition",
    "grain_of",
    "is_skipped",
]

GrainName = Literal["hour", "day", "week", "month"]

_FIRST, _HOUR, _TICK = datetime(1, 1, 1), timedelta(hours=1), timedelta(microseconds=1)
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Grain:
    """How long the partitions of a dataset are, and how their keys are written.

    Partitions are numbered without a gap, so that to shift, to count and to list them is arithmetic
    of whole numbers at every grain.

    Attributes
    ----------
    name : str
        ``hour``, ``day``, ``week`` or ``month``.
    form, example : str
        How a key is written.
    period : timedelta
        From the start of one partition to that of the next, at least.
    number : callable
        From a time by the clock of the keys to the number of its partition.
    begin : callable
        From that number to the time at which the partition begins.

    Examples
    --------
    >>> WEEK.shift("2024-12-30", 1), MONTH.shift("2024-01", -1), HOUR.shift("2024-02-28T23", 1)
    ('2025-01-06', '2023-12', '2024-02-29T00')
    """

    name: GrainName
    form: str
    example: str
    period: timedelta
    number: Callable[[datetime], int]
    begin: Callable[[int], datetime]

    @property
    def one(self) -> str:
        """Its name with the article."""
        return f"an {self.name}" if self.name == "hour" else f"a {self.name}"

    def check(self, key: str) -> str:
        """Return `key` if it is one of this grain: paths and predicates hold it."""
        if self._moment(key) is None:
            near = self._near(key)
            raise PartitionKeyError(
                f"partition key {key!r} is not {self.one}: write it as {self.form}, "
                f"for example {near or self.example}"
            )
        return key

    def begins(self, key: str) -> datetime:
        """Return when a partition begins, by the clock of the keys, without a zone."""
        moment = self._moment(self.check(key))
        assert moment is not None  # noqa: S101 - checked just now
        return moment

    def key(self, number: int) -> str:
        """Return the key of the partition with a number."""
        return self.begin(number).isoformat(timespec="hours")[: len(self.example)]

    def key_at(self, moment: datetime) -> str:
        """Return the key of the partition that a time by the clock of the keys lies in."""
        return self.key(self.number(moment))

    def key_of(self, instant: datetime, timezone: str = "UTC") -> str:
        """Return the key of the partition that an instant lies in."""
        return self.key_at(instant.astimezone(ZoneInfo(self.clock(timezone))).replace(tzinfo=None))

    def shift(self, key: str, steps: int) -> str:
        """Return the key some partitions after another one; a negative number goes back."""
        try:
            return self.key(self.number(self.begins(key)) + steps)
        except (OverflowError, ValueError):
            raise PartitionKeyError(
                f"{steps} {self.name}s from {key} is outside the calendar, which has the years 1 "
                "to 9999"
            ) from None

    def between(self, first: str, last: str) -> int:
        """Return how many partitions lie between two keys."""
        return self.number(self.begins(last)) - self.number(self.begins(first))

    def range(self, first: str, last: str) -> list[str]:
        """Return the keys from one to another, both inclusive; [] if the first lies behind."""
        low, high = (self.number(self.begins(key)) for key in (first, last))
        return [self.key(number) for number in range(low, high + 1)]

    def clock(self, timezone: str) -> str:
        """Return the zone whose clock the keys show: hours in UTC, all others in the dataset's."""
        return "UTC" if self.name == "hour" else timezone

    def keys_of(self, moments: pa.ChunkedArray | pa.Array, timezone: str) -> pa.Array:
        """Return the key of the partition that each instant of a column belongs to."""
        import pyarrow as pa
        import pyarrow.compute as pc

        there = pc.cast(moments, pa.timestamp(moments.type.unit, tz=self.clock(timezone)))
        local = pc.local_timestamp(there)
        days = pc.cast(local, pa.date32(), safe=False)
        first, last = (pa.scalar(day, pa.date32()) for day in (date.min, date.max))
        if outside := pc.sum(pc.or_(pc.less(days, first), pc.greater(days, last))).as_py():
            raise FeatureError(f"{outside} moments lie outside the years 1 to 9999 in {timezone}")
        local = pc.cast(local, pa.timestamp("s"), safe=False)
        starts = pc.floor_temporal(local, unit=self.name, week_starts_monday=True)
        if isinstance(starts, pa.ChunkedArray):
            starts = starts.combine_chunks()
        there = starts.dictionary_encode()  # writing a key takes microseconds: once for each
        text = pc.strftime(there.dictionary, "%Y-%m-%dT%H:%M:%S")
        return pc.utf8_slice_codeunits(text, 0, len(self.example)).take(there.indices)

    def _moment(self, key: object) -> datetime | None:
        """Return the time at which a key begins; None if it is no key of this grain."""
        if not isinstance(key, str) or len(key) != len(self.example):
            return None
        try:
            moment = datetime.fromisoformat(key + "0001-01-01T00"[len(key) :])
        except ValueError:
            return None
        return moment if moment.tzinfo is None and self.key_at(moment) == key else None

    def _near(self, key: object) -> str | None:
        """Return the key that was likely meant: the Monday of a week for another day of it."""
        moment = DAY._moment(key) if self is not DAY else None
        return None if moment is None else self.key_at(moment)


HOUR = Grain(
    "hour",
    "YYYY-MM-DDTHH, in UTC",
    "2024-03-31T05",
    _HOUR,
    lambda moment: (moment - _FIRST) // _HOUR,
    lambda number: _FIRST + number * _HOUR,
)
DAY = Grain(
    "day",
    "YYYY-MM-DD",
    "2013-02-01",
    timedelta(days=1),
    lambda moment: (moment - _FIRST).days,
    lambda number: _FIRST + timedelta(days=number),
)
WEEK = Grain(  # the first day of the calendar is a Monday
    "week",
    "the YYYY-MM-DD of its Monday",
    "2024-03-25",
    timedelta(weeks=1),
    lambda moment: (moment - _FIRST).days // 7,
    lambda number: _FIRST + timedelta(weeks=number),
)
MONTH = Grain(
    "month",
    "YYYY-MM",
    "2024-03",
    timedelta(days=28),
    lambda moment: moment.year * _MONTHS + moment.month - 1,
    lambda number: datetime(number // _MONTHS, number % _MONTHS + 1, 1),
)

#: By name, from the finest to the coarsest.
GRAINS: dict[GrainName, Grain] = {grain.name: grain for grain in (HOUR, DAY, WEEK, MONTH)}


def check_partition(partition: str) -> str:
    """Return `partition` if it is a key of any grain: paths and predicates hold it.

    >>> check_partition("2013-02-01"), check_partition("2024-03-31T05"), check_partition("2024-03")
    ('2013-02-01', '2024-03-31T05', '2024-03')
    """
    if all(grain._moment(partition) is None for grain in GRAINS.values()):
        raise PartitionKeyError(
            f"partition key {partition!r} is not a day: write it as YYYY-MM-DD, for example "
            "2013-02-01; an hour is written as 2024-03-31T05 in UTC, a week as the day of its "
            "Monday, a month as 2024-03"
        )
    return partition


def grain_of(key: str) -> Grain:
    """Return the grain that a key tells; a Monday, which may be a week, is taken for a day."""
    check_partition(key)
    return next(grain for grain in GRAINS.values() if grain._moment(key) is not None)


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, half-open: from its beginning up to, and without, that of the next one.

    Attributes
    ----------
    key : str
        Its key.
    timezone : str
        Name of the zone that days, weeks and months begin in. Keys of hours are in UTC.
    grain : Grain
        What it is one of.

    Examples
    --------
    >>> day = Partition("2024-03-10", "America/New_York")
    >>> day.start.isoformat(), day.end.isoformat()
    ('2024-03-10T05:00:00+00:00', '2024-03-11T04:00:00+00:00')
    >>> day.local_end.isoformat()
    '2024-03-11T00:00:00'
    >>> len(day.keys(HOUR))
    23
    """

    key: str
    timezone: str = "UTC"
    grain: Grain = DAY

    @property
    def local_start(self) -> datetime:
        """When it begins as the zone's clocks show it, without a zone."""
        return self._local(self.grain.begins(self.key))

    @property
    def local_end(self) -> datetime:
        """When the next one begins as the zone's clocks show it, without a zone."""
        return self._local(self._next())

    @property
    def start(self) -> datetime:
        """The instant at which it begins, in UTC."""
        return self._instant(self.grain.begins(self.key))

    @property
    def end(self) -> datetime:
        """The instant at which the next one begins, in UTC."""
        return self._instant(self._next())

    def bound(self, name: str) -> datetime | str:
        """Return the value of a query's parameter: an instant, a local time, or the key."""
        value: datetime | str = self.key if name == "partition" else getattr(self, name)
        return value

    def keys(self, grain: Grain) -> list[str]:
        """Return the keys of all partitions of a grain that share an instant with this one."""
        last = grain.key_of(self.end - _TICK, self.timezone)
        return grain.range(grain.key_of(self.start, self.timezone), last)

    def _next(self) -> datetime:
        try:
            return self.grain.begin(self.grain.number(self.grain.begins(self.key)) + 1)
        except (OverflowError, ValueError):
            raise self._beyond() from None

    def _local(self, moment: datetime) -> datetime:
        if self.grain.clock(self.timezone) == self.timezone:
            return moment
        there = self._instant(moment).astimezone(ZoneInfo(self.timezone))
        return there.replace(tzinfo=None)

    def _instant(self, moment: datetime) -> datetime:
        try:
            zone = ZoneInfo(self.grain.clock(self.timezone))
            return _first_instant(moment.replace(tzinfo=zone))
        except OverflowError:
            raise self._beyond() from None

    def _beyond(self) -> PartitionKeyError:
        return PartitionKeyError(
            f"{self.grain.name} {self.key} in {self.timezone} does not lie within the years 1 to "
            "9999 in UTC from its beginning to its end; choose another"
        )


def is_skipped(local: datetime) -> bool:
    """Whether clocks never show a local time, as they are put forward over it."""
    there_and_back = local.astimezone(UTC).astimezone(local.tzinfo)
    return there_and_back.replace(tzinfo=None) != local.replace(tzinfo=None)


def _first_instant(local: datetime) -> datetime:
    """Return the earliest instant at which clocks show a time, or a later one if they skip it."""
    if not is_skipped(local):
        return local.astimezone(UTC)
    # With the offset of before the gap, and after it: clocks are put forward in between.
    after, before = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    wanted = local.replace(tzinfo=None)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        shown = middle.astimezone(local.tzinfo).replace(tzinfo=None)
        before, after = (before, middle) if shown >= wanted else (middle, after)
    return after
