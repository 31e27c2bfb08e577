"""Instants from local times and days, within the years that a calendar has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DAY_ADVICE", "NO_ZONE", "from_days", "from_local", "within_years"]

NO_ZONE = "these times have no zone: declare `timezone` in the spec"
DAY_ADVICE = "a day is no instant; declare `convert` and `timezone` if midnight is meant"

# 0001-01-01 and the end of 9999: beyond lie only "infinity" and broken clocks.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_US = 86_400_000_000
_DAYS_OF_A_YEAR = 365.2425


def from_local(times: pa.Array, wanted: pa.DataType, timezone: str | None) -> pa.Array:
    """Make instants of local times; one that never was, or was twice, is an error."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if timezone is None:
        raise pa.ArrowInvalid(NO_ZONE)
    known = pc.assume_timezone(within_years(times), timezone)
    return within_years(known.cast(wanted))


def from_days(days: pa.Array, wanted: pa.DataType, timezone: str | None) -> pa.Array:
    """Return the first instant of each day: midnight, or later where clocks leave it out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if timezone is None:
        raise pa.ArrowInvalid(NO_ZONE)
    midnights = within_years(days).cast(pa.timestamp("us"))
    starts = pc.assume_timezone(midnights, timezone, ambiguous="earliest", nonexistent="latest")
    skipped = pc.not_equal(pc.local_timestamp(starts).cast(pa.date32(), safe=False), days)
    if pc.any(skipped, min_count=0).as_py():
        raise pa.ArrowInvalid(f"{days.filter(skipped)[0]} is a day that {timezone} never had")
    return within_years(starts.cast(wanted))


def within_years(times: pa.Array) -> pa.Array:
    """Refuse days and times that no calendar of the lake has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unit, number = (1, pa.int32()) if pa.types.is_date32(times.type) else (_DAY_US, pa.int64())
    ends = pc.min_max(times.cast(number)).as_py()
    for end in (ends["min"], ends["max"]):
        if end is not None and not _FIRST_DAY <= end // unit <= _LAST_DAY:
            year = 1970 + int(end / unit // _DAYS_OF_A_YEAR)
            raise pa.ArrowInvalid(
                f"a time lies outside the years 1 to 9999, in the year {year}, or is infinity"
            )
    return times
