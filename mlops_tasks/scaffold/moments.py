"""The row's own moment and the grain: which column says when, and how rows fall on the calendar."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.partitions import GRAINS, GrainName
from mlops_tasks.scaffold.day_columns import time_of_day
from mlops_tasks.scaffold.loading import PARTITION
from mlops_tasks.scaffold.sql_text import text

if TYPE_CHECKING:
    from mlops_tasks.partitions import Grain
    from mlops_tasks.scaffold.answers import Answers, Assumptions
    from mlops_tasks.scaffold.columns import Column, Rows

__all__ = ["Moments", "find_moments"]

# Names of moments, those at which something begins first.
_NAMES = re.compile(
    r"(^|_)(asked|created|opened|ordered|placed|requested|scheduled|read|observed|event|start(ed)?|"
    r"time(stamp)?|date(time)?|day|week|month|at|on|ts)(_|$)"
)
_MANY_AN_HOUR = 500
_FEW_DAYS = 14
# A source has ended if its newest rows are older than both: partitions, and days.
_ENDED_AFTER, _ENDED_DAYS = 7, 3


@dataclass(frozen=True, slots=True)
class Moments:
    """When rows are, and the partitions that they fall into.

    Attributes
    ----------
    column : Column or None
        The row's own moment; None of files that have no such column.
    day : Column or None
        The date that this moment lies on, if a column says it: rows are found by it.
    grain : Grain
        What partitions are.
    timezone : str
        Zone that days begin in.
    counts : dict of str to int
        Rows by partition, in order.
    has_ended : bool
        Whether no more rows come, as it seems.
    states_zone : bool
        Whether the spec must say the zone.
    """

    column: Column | None
    day: Column | None
    grain: Grain
    timezone: str
    counts: dict[str, int]
    has_ended: bool
    states_zone: bool

    @property
    def partition_column(self) -> Column | None:
        """The column that says the partition."""
        return self.day or self.column

    @property
    def first(self) -> dt.date:
        """First day with rows."""
        return self.grain.begins(next(iter(self.counts))).date()

    @property
    def last(self) -> dt.date:
        """Last day with rows."""
        begin = self.grain.begins(self.grain.shift(next(reversed(self.counts)), 1))
        return (begin - dt.timedelta(hours=1)).date()

    @property
    def n_days(self) -> int:
        """Days from the first to the last row."""
        return (self.last - self.first).days + 1

    @property
    def n_gaps(self) -> int:
        """Partitions without a row between the first and the last one."""
        keys = list(self.counts)
        return self.grain.between(keys[0], keys[-1]) + 1 - len(keys)

    def key_sql(self, column: Column, table: str = "") -> str:
        """Return the partition's key of a moment or a date, in DuckDB's SQL."""
        return _key_sql(self.grain, column, self.timezone, table)


def find_moments(rows: Rows, answers: Answers, noted: Assumptions) -> Moments:
    """Find time column and grain, and count the rows of each partition.

    Raises
    ------
    ScaffoldError
        If no column says when, rows lie in the future, or files hold rows of other days.
    """
    timezone = answers.timezone or "UTC"
    column, day = _time_columns(rows, answers, noted)
    grain = _grain(rows, column, day, answers, noted, timezone)
    day = None if grain.name == "hour" else day
    says = cast("Column", day or column)
    partition = PARTITION if rows.loaded.layout else _key_sql(grain, says, timezone)
    counted = rows.all(
        f"SELECT {partition} AS p, count(*) FROM {{rows}} WHERE p IS NOT NULL GROUP BY p ORDER BY p"
    )
    if answers.first:
        counted = [one for one in counted if one[0] >= answers.first]
    if not counted:
        since = f" since {answers.first}" if answers.first else ""
        raise ScaffoldError(f"{rows.loaded.what} has no row with a moment{since}; see --time")
    if grain.name == "week" and rows.loaded.layout is None:
        counted = [(grain.key_at(dt.datetime.fromisoformat(key)), n) for key, n in counted]
    found = Moments(
        column,
        day,
        grain,
        timezone,
        dict(counted),
        has_ended=_has_ended(grain, counted[-1][0]),
        states_zone=bool(answers.timezone) or _has_local_times(rows),
    )
    _refuse_future(rows, found)
    found = _matching_path(rows, found, noted)
    _note(found, noted)
    if found.states_zone and not answers.timezone:
        noted.add("time zone", "UTC", "times of the source have no zone", "--timezone")
    return found


def _time_columns(
    rows: Rows, answers: Answers, noted: Assumptions
) -> tuple[Column | None, Column | None]:
    """Return the row's moment, and the date that it lies on where another column says it."""
    if answers.time_column:
        column = rows.named(answers.time_column, "--time")
        if not column.is_time:
            raise ScaffoldError(
                f"--time {answers.time_column}: the column holds {column.kind}, no times; they are "
                "read as ISO 8601 (2024-03-31, 2024-03-31T05:00:00Z); convert it with --query"
            )
        return column, None
    times = [one for one in rows.columns.values() if one.is_time and not one.is_personal]
    able = [one for one in times if one.n_null <= 0.01 * one.n_rows and one.n_distinct > 1]
    if not able:
        if rows.loaded.layout is not None:
            noted.add("time column", "none", "no column has times: files say the partition")
            return None, None
        raise ScaffoldError(
            f"{rows.loaded.what} has no time column, so no row says which day it belongs to; its "
            f"columns are {', '.join(rows.columns)}. Times are read as ISO 8601; if one of these "
            "is a time in another form, convert it with --query"
        )
    able.sort(key=lambda one: (not _is_named(one), one.n_null > 0, _mean(rows, one)))
    best, *others = able
    if best.kind == "date":
        of_day = [one for one in others if one.kind == "timestamp"]
        if found := time_of_day(rows, best, of_day, answers.timezone or "UTC"):
            column, zone = found
            where = "" if zone == "UTC" else f" in a zone such as {zone}"
            why = f"the row's own moment: its day{where} is {best.source_name}, the partition"
            noted.add("time column", column.source_name, why, "--time")
            return column, best
    names = ", ".join(one.source_name for one in others)
    why = f"first of its times ({names} come later)" if others else "the only one"
    noted.add("time column", best.source_name, f"the row's own moment: {why}", "--time")
    return best, None


def _is_named(column: Column) -> bool:
    return _NAMES.search(column.name) is not None


def _mean(rows: Rows, column: Column) -> float:
    found = rows.one(f"SELECT avg(epoch({column.sql}::TIMESTAMPTZ)) FROM {{rows}}")
    return float(found[0] or 0)


def _local(column: Column, timezone: str, table: str = "") -> str:
    """Return a moment as a local time; a date is one already."""
    name = f"{table}.{column.sql}" if table else column.sql
    if column.kind == "date":
        return f"{name}::TIMESTAMP"
    return f"{name}::TIMESTAMPTZ AT TIME ZONE {text(timezone)}"


def _key_sql(grain: Grain, column: Column, timezone: str, table: str = "") -> str:
    local = _local(column, "UTC" if grain.name == "hour" else timezone, table)
    forms = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}
    start = f"date_trunc('week', {local})" if grain.name == "week" else local
    return f"strftime({start}, {text(forms[grain.name])})"


def _grain(
    rows: Rows,
    column: Column | None,
    day: Column | None,
    answers: Answers,
    noted: Assumptions,
    timezone: str,
) -> Grain:
    layout = rows.loaded.layout
    if layout is not None:
        if answers.grain and answers.grain != layout.grain:
            raise ScaffoldError(
                f"--grain {answers.grain}: the files in {rows.loaded.what} are named by the "
                f"{layout.grain} ({layout.path}); a partition is what one name says"
            )
        noted.add("partition", f"a {layout.grain}", f"files are named so: {layout.path}")
        return GRAINS[layout.grain]
    if answers.grain:
        if answers.grain not in GRAINS:
            raise ScaffoldError(f"--grain {answers.grain}: choose hour, day, week or month")
        return GRAINS[answers.grain]
    name, why = _grain_of_rows(rows, cast("Column", column), timezone)
    if day is not None and name != "hour":
        name, why = _grain_of_rows(rows, day, timezone)
    noted.add("partition", f"a {name}", why, "--grain")
    return GRAINS[name]


def _grain_of_rows(rows: Rows, column: Column, timezone: str) -> tuple[GrainName, str]:
    local = _local(column, timezone)
    n_moments, n_days, weekdays, dates, span = rows.one(
        f"SELECT count(DISTINCT m), count(DISTINCT m::DATE), count(DISTINCT dayofweek(m)), "
        f"count(DISTINCT day(m)), date_diff('day', min(m), max(m)) "
        f"FROM (SELECT {local} AS m FROM {{rows}})"
    )
    if n_days > 2 and dates == 1 and span >= 59:
        return "month", "all rows are of one day of the month"
    if n_days > 2 and weekdays == 1:
        return "week", "all rows are of one day of the week"
    per_hour = rows.one(
        f"SELECT median(n) FROM (SELECT count(*) AS n FROM {{rows}} "
        f"GROUP BY date_trunc('hour', {local}))"
    )[0]
    by_hours = column.kind == "timestamp" and n_moments > n_days
    if by_hours and per_hour >= _MANY_AN_HOUR:
        return "hour", f"an hour has {per_hour:,.0f} rows (median)"
    if by_hours and span < _FEW_DAYS and per_hour >= _MANY_AN_HOUR / 10:
        return "hour", f"{span + 1} days, of {per_hour:,.0f} rows an hour (median)"
    return "day", f"rows fall on {n_days:,} days, {weekdays} days of the week"


def _has_ended(grain: Grain, newest: str) -> bool:
    # Today in UTC: a day more or less does not matter here.
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    age = now - grain.begins(newest)
    return age > max(_ENDED_AFTER * grain.period, dt.timedelta(days=_ENDED_DAYS))


def _has_local_times(rows: Rows) -> bool:
    return any(one.kind == "timestamp" and not one.has_zone for one in rows.columns.values())


def _refuse_future(rows: Rows, found: Moments) -> None:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    future = [key for key in found.counts if found.grain.begins(key) > now + dt.timedelta(days=1)]
    if future:
        says = found.partition_column
        name = says.source_name if says else "the files' names"
        n_rows = sum(found.counts[key] for key in future)
        raise ScaffoldError(
            f"{rows.loaded.what}: {n_rows:,} rows lie in the future by {name!r}, the last in "
            f"{future[-1]}; nobody can have seen them. Name the row's own moment with --time, or "
            "correct or leave out these rows with --query"
        )


def _matching_path(rows: Rows, found: Moments, noted: Assumptions) -> Moments:
    """Of files, drop a time column that says other partitions than their names."""
    says = found.partition_column
    if rows.loaded.layout is None or says is None:
        return found
    wrong, n_rows = rows.one(
        f"SELECT count(*) FILTER (WHERE {found.key_sql(says)} <> {PARTITION}), "
        "count(*) FROM {rows}"
    )
    if not wrong:
        return found
    noted.add(
        "note",
        f"{wrong:,} of {n_rows:,} rows lie outside of their file's {found.grain.name}",
        f"by {says.source_name}; a row's moment is the beginning of its partition then",
    )
    return replace(found, column=None, day=None)


def _note(found: Moments, noted: Assumptions) -> None:
    counts = list(found.counts.values())
    keys = list(found.counts)
    median = sorted(counts)[len(counts) // 2]
    gaps = f", {found.n_gaps} without rows" if found.n_gaps else ""
    noted.add(
        "partitions",
        f"{keys[0]} to {keys[-1]}",
        f"{len(keys):,} {found.grain.name}s{gaps}; {sum(counts):,} rows, {min(counts):,} to "
        f"{max(counts):,} each, median {median:,}",
        "--first",
    )
    if found.has_ended:
        noted.add(
            "end",
            f"{found.last}",
            "no row is newer, so the source seems to have ended; if more come, take `end` out of "
            "the spec: nothing after it is taken",
        )
