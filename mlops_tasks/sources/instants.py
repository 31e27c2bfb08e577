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
_AMBIGUOUS = {"refuse": "raise", "earlier": "earliest", "later": "latest"}


def from_local(
    times: pa.Array, wanted: pa.DataType, timezone: str | None, ambiguous: str = "refuse"
) -> pa.Array:
    """Make instants of local times.

    One that was twice is an error, unless `ambiguous` says ``earlier`` or ``later``; one that never
    was is an error, unless it is a midnight: then it is the first instant of its day.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if timezone is None:
        raise pa.ArrowInvalid(NO_ZONE)
    given = within_years(times)
    found = _assumed(given, timezone, ambiguous)
    shown = pc.local_timestamp(found)
    midnight = pc.equal(pc.floor_temporal(given, unit="day"), given)
    same_day = pc.equal(pc.floor_temporal(shown, unit="day"), given)
    never = given.filter(pc.and_not(pc.not_equal(shown, given), pc.and_(midnight, same_day)))
    if len(never):
        raise pa.ArrowInvalid(
            f"{never[0]} never was in {timezone}: clocks were put forward past it; is it in "
            "another zone?"
        )
    return within_years(found.cast(wanted))


def _assumed(times: pa.Array, timezone: str, ambiguous: str) -> pa.Array:
    """Return the instant of each local time; of a skipped one the first that clocks show after."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.assume_timezone(
            times, timezone, ambiguous=_AMBIGUOUS[ambiguous], nonexistent="latest"
        )
    except pa.ArrowInvalid:
        first, last = (
            pc.assume_timezone(times, timezone, ambiguous=which, nonexistent="latest")
            for which in ("earliest", "latest")
        )
        twice = times.filter(pc.not_equal(first, last))
        if not len(twice):
            raise
    raise pa.ArrowInvalid(
        f"{twice[0]} was twice in {timezone}, when clocks were put back, and is ambiguous; set "
        "`ambiguous` to 'earlier' or 'later' in the spec, or have the source give instants"
    )


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
