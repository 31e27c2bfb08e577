"""Partition keys: days, the arithmetic with them, and the days that instants belong to."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mlops_tasks.exceptions import FeatureError, PartitionKeyError

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_tasks.specs import DatasetSpec, ModelSpec

__all__ = [
    "check_day",
    "check_instants",
    "check_night",
    "check_partition",
    "check_past",
    "days_of",
    "last_night",
    "shift_day",
    "today",
]


def check_partition(partition: str) -> str:
    """Return `partition` if it is a day written ``YYYY-MM-DD``.

    Parameters
    ----------
    partition : str
        A partition key.

    Returns
    -------
    str
        The same key.

    Raises
    ------
    PartitionKeyError
        If it is anything else; paths and predicates are built from it.

    Examples
    --------
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
    """Return the partition key some days after another one.

    Parameters
    ----------
    day : str
        Partition key, ``YYYY-MM-DD``.
    days : int
        Days to go on; negative goes back.

    Returns
    -------
    str
        Partition key.

    Raises
    ------
    PartitionKeyError
        If `day` is not a day, or the other one lies before the year 1 or after the year 9999.

    Examples
    --------
    >>> shift_day("2013-03-01", -1)
    '2013-02-28'
    """
    try:
        return (date.fromisoformat(check_partition(day)) + timedelta(days=days)).isoformat()
    except OverflowError:
        raise PartitionKeyError(
            f"{days} days from {day} is outside the calendar, which has the years 1 to 9999"
        ) from None


def today(timezone: str | None = None) -> str:
    """Return the day that it is, as a partition key.

    Parameters
    ----------
    timezone : str, optional
        Name of the zone whose clock counts; UTC by default.

    Returns
    -------
    str
        Partition key.
    """
    return datetime.now(UTC if timezone is None else ZoneInfo(timezone)).date().isoformat()


def check_past(day: str, timezone: str | None, *, what: str) -> str:
    """Return `day` if it is a day and has begun.

    Parameters
    ----------
    day : str
        Partition key or night.
    timezone : str or None
        Name of the zone whose clock counts; None stands for UTC.
    what : str
        What it is, for the error.

    Returns
    -------
    str
        The same day.

    Raises
    ------
    PartitionKeyError
        If it is no day, or lies in the future.
    """
    now = today(timezone)
    if check_partition(day) > now:
        raise PartitionKeyError(
            f"{what} {day} lies in the future, it is {now} in {timezone or 'UTC'}: nothing of it "
            "is known yet; choose today or a day before"
        )
    return day


def check_day(dataset: DatasetSpec, partition: str) -> str:
    """Return `partition` if it is a day that the dataset has, or will have had by now.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset, with its zone and its first and last day.
    partition : str
        Partition key.

    Returns
    -------
    str
        The same key.

    Raises
    ------
    PartitionKeyError
        If it is no day, lies in the future, before the dataset's `start` or after its `end`.
    """
    check_past(partition, dataset.timezone, what=f"dataset {dataset.name!r}: partition key")
    first, last = dataset.start.isoformat(), dataset.end and dataset.end.isoformat()
    if partition < first or (last and partition > last):
        raise PartitionKeyError(
            f"dataset {dataset.name!r} has no {partition}: its days go from {first} to "
            f"{last or 'today'}; choose one of them, or change `start` and `end` of its spec"
        )
    return partition


def last_night(dataset: DatasetSpec, newest: str) -> str:
    """Return the last night on which a day can still bring news: its rows, or its late ones.

    Parameters
    ----------
    dataset : DatasetSpec
        The dataset.
    newest : str
        The day.

    Returns
    -------
    str
        The night.
    """
    return shift_day(newest, max(dataset.delay_days, dataset.refresh_after_days or 0))


def check_night(spec: ModelSpec, night: str) -> str:
    """Return `night` if a decision can be taken as of it.

    Parameters
    ----------
    spec : ModelSpec
        The model.
    night : str
        The night, ``YYYY-MM-DD``.

    Returns
    -------
    str
        The same night.

    Raises
    ------
    PartitionKeyError
        If it is no day, lies in the future, before the first rows or after the last news of
        datasets that have ended.
    """
    check_past(night, spec.timezone, what=f"model {spec.name!r}: as_of")
    ends = [last_night(one, one.end.isoformat()) for one in spec.datasets if one.end is not None]
    first, last = spec.rows.start.isoformat(), max(ends, default=None)
    if night < first or (last and len(ends) == len(spec.datasets) and night > last):
        raise PartitionKeyError(
            f"model {spec.name!r}: as_of {night} is outside of its data, which begin on {first} "
            f"and bring their last news on {last or 'no day yet'}; choose a night between"
        )
    return night


def check_instants(moments: pa.ChunkedArray | pa.Array, *, what: str) -> None:
    """Refuse moments of which some belong to no day.

    Parameters
    ----------
    moments : Array or ChunkedArray
        A column.
    what : str
        What it is, for the error.

    Raises
    ------
    FeatureError
        If these are no instants, or some are null.
    """
    import pyarrow.types as pt

    if not (pt.is_timestamp(moments.type) and moments.type.tz):
        raise FeatureError(
            f"{what} must be an instant, a timestamp with a zone, and is {moments.type}; write "
            "<column>::TIMESTAMP AT TIME ZONE '<zone whose clock it shows>' in the query"
        )
    if moments.null_count:
        raise FeatureError(f"{what} is null in {moments.null_count} of {len(moments)} rows")


def days_of(moments: pa.ChunkedArray | pa.Array, timezone: str) -> pa.Array:
    """Return the day that each instant belongs to.

    Parameters
    ----------
    moments : Array or ChunkedArray of timestamp
        That `check_instants` lets pass.
    timezone : str
        Name of the zone whose midnights divide the days.

    Returns
    -------
    Array of string
        Partition keys.

    Raises
    ------
    FeatureError
        If some lie outside the years 1 to 9999.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    there = pc.cast(moments, pa.timestamp(moments.type.unit, tz=timezone))
    days = pc.cast(pc.local_timestamp(there), pa.date32(), safe=False)
    first, last = (pa.scalar(day, pa.date32()) for day in (date.min, date.max))
    if outside := pc.sum(pc.or_(pc.less(days, first), pc.greater(days, last))).as_py():
        raise FeatureError(f"{outside} moments lie outside the years 1 to 9999 in {timezone}")
    keys = pc.cast(days, pa.string())
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
