"""Labels and the rows they belong to: by key, in which partition, and how long after it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.partitions import Duration
from mlops_tasks.scaffold.loading import PARTITION
from mlops_tasks.scaffold.sql_text import column_sql, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tasks.partitions import Grain
    from mlops_tasks.scaffold.answers import Answers, Assumptions
    from mlops_tasks.scaffold.columns import Column, Rows
    from mlops_tasks.scaffold.moments import Moments
    from mlops_tasks.scaffold.targets import Target

__all__ = ["Labels", "find_labels", "in_grain"]

_UNITS = {"hour": (1, "h"), "day": (1, "d"), "week": (7, "d"), "month": (1, "mo")}
_ENOUGH = 0.95


@dataclass(frozen=True, slots=True)
class Labels:
    """How labels come.

    Attributes
    ----------
    delay : Duration
        How long after its end the labels of a partition are taken.
    refresh_after : Duration or None
        When they are taken once more, for late ones.
    time_column : Column or None
        The column of a second table that says the partition of the row; None where the table has
        none, or where labels and rows are of one table.
    n_missing : int
        The newest partitions that have no labels yet.
    """

    delay: Duration
    refresh_after: Duration | None = None
    time_column: Column | None = None
    n_missing: int = 0


def find_labels(
    rows: Rows,
    target: Target,
    key: Sequence[str],
    moments: Moments,
    answers: Answers,
    noted: Assumptions,
) -> Labels:
    """Find out how labels come, and check that they find their rows.

    Raises
    ------
    ScaffoldError
        If a second table lacks the key, shares it, or its labels belong to no row.
    """
    if target.rows is rows:
        n_missing = _n_missing(quoted(rows.table), target.expression, rows, moments)
        return Labels(_one_table_delay(n_missing, moments, answers, noted), n_missing=n_missing)
    _check_key(rows, target.rows, key)
    found = _second_table(rows, target.rows, key, moments)
    delay, refresh = _second_table_delay(rows, target.rows, key, moments, answers, noted)
    labels = f"(SELECT {_names(key)}, ({target.expression}) AS y FROM {quoted(target.rows.table)})"
    joined = f"{quoted(rows.table)} LEFT JOIN {labels} AS l USING ({_names(key)})"
    n_missing = _n_missing(joined, "l.y", rows, moments) if moments.has_ended else 0
    return Labels(delay, refresh, found, n_missing)


def in_grain(number: int, grain: Grain) -> Duration:
    """Return the duration of some partitions."""
    size, unit = _UNITS[grain.name]
    return Duration(number * size, unit)  # type: ignore[arg-type]


def _given(answers: Answers, grain: Grain) -> Duration | None:
    if not answers.delay:
        return None
    try:
        length = Duration.of(answers.delay)
    except ValueError as error:
        raise ScaffoldError(f"--delay {answers.delay!r}: {error}") from None
    if not length.fits(grain):
        raise ScaffoldError(
            f"--delay {answers.delay}: no whole number of {grain.name}s, which partitions are; "
            f"write it as {in_grain(2, grain)}"
        )
    return length


def _n_missing(labelled: str, target: str, rows: Rows, moments: Moments) -> int:
    """Return how many of the newest partitions lack labels; none where that says nothing."""
    says = moments.partition_column
    partition = PARTITION if rows.loaded.layout or says is None else moments.key_sql(says)
    shares = rows.loaded.connection.execute(
        f"SELECT {partition} AS p, avg(CAST(({target}) IS NOT NULL AS INTEGER)) "
        f"FROM {labelled} WHERE p IS NOT NULL GROUP BY p ORDER BY p DESC"
    ).fetchall()
    usual = sorted(share for _, share in shares)[len(shares) // 2]
    missing = 0
    while missing < len(shares) and shares[missing][1] < usual * _ENOUGH:
        missing += 1
    return missing if missing < len(shares) / 2 else 0


def _one_table_delay(
    n_missing: int, moments: Moments, answers: Answers, noted: Assumptions
) -> Duration:
    """See from the newest partitions how long labels are missing."""
    if given := _given(answers, moments.grain):
        return given
    delay = in_grain(max(n_missing, 1), moments.grain)
    why = (
        f"the newest {n_missing} {moments.grain.name}s lack labels"
        if n_missing
        else "assumed: nothing shows it; until then the labels of "
        f"{moments.grain.one} are not known"
    )
    noted.add("label delay", f"{delay}", why, "--delay")
    return delay


def _table_of(column: Column, key: Sequence[str], table: str) -> str:
    """Return the table that a column of a join is of; one of the key is of both."""
    return "" if column.name in key else table


def _names(key: Sequence[str]) -> str:
    return ", ".join(map(column_sql, key))


def _check_key(rows: Rows, labels: Rows, key: Sequence[str]) -> None:
    if missing := [name for name in key if name not in labels.columns]:
        raise ScaffoldError(
            f"{labels.loaded.what} has no column {missing}, the key of {rows.loaded.what}: labels "
            "find their rows by it. Name the columns alike with --query, or choose another --key"
        )
    wrong = [n for n in key if labels.columns[n].kind != rows.columns[n].kind]
    if wrong:
        one = wrong[0]
        raise ScaffoldError(
            f"column {one!r} is {rows.columns[one].kind} in {rows.loaded.what} and "
            f"{labels.columns[one].kind} in {labels.loaded.what}: rows find labels by it"
        )
    names = _names(key)
    n_rows, n_keys = labels.one(
        f"SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {names} FROM {{rows}})) "
        "FROM {rows}"
    )
    if n_rows > n_keys:
        raise ScaffoldError(
            f"{labels.loaded.what} has {n_rows - n_keys:,} rows more than keys ({names}): a row "
            "has one label. Choose one of them with --query"
        )


def _joined(rows: Rows, labels: Rows, key: Sequence[str]) -> str:
    return f"{quoted(rows.table)} AS r JOIN {quoted(labels.table)} AS l USING ({_names(key)})"


def _second_table(rows: Rows, labels: Rows, key: Sequence[str], moments: Moments) -> Column | None:
    """Return the label table's column that says the partition of the row, if it has one."""
    joined, connection = _joined(rows, labels, key), rows.loaded.connection
    n_joined = connection.execute(f"SELECT count(*) FROM {joined}").fetchall()[0][0]
    if not n_joined:
        raise ScaffoldError(
            f"no row of {labels.loaded.what} has the key ({', '.join(key)}) of a row of "
            f"{rows.loaded.what}; are these of the same days?"
        )
    if labels.loaded.layout is not None:
        _check_files(rows, labels, joined)
        return None
    says = moments.partition_column
    assert says is not None  # noqa: S101 - rows of a database have one
    theirs = moments.key_sql(says, _table_of(says, key, "r"))
    for one in labels.columns.values():
        if not one.is_time or one.n_null:
            continue
        ours = moments.key_sql(one, _table_of(one, key, "l"))
        other = connection.execute(
            f"SELECT count(*) FROM {joined} WHERE {ours} <> {theirs}"
        ).fetchall()[0][0]
        if not other:
            return one
    return None


def _check_files(rows: Rows, labels: Rows, joined: str) -> None:
    other = rows.loaded.connection.execute(
        f"SELECT count(*) FROM {joined} WHERE r.{PARTITION} <> l.{PARTITION}"
    ).fetchall()[0][0]
    if other:
        raise ScaffoldError(
            f"{other:,} labels in {labels.loaded.what} lie in files of another partition than "
            f"their rows in {rows.loaded.what}: the file of a partition has the labels of that "
            "partition's rows, whenever they became known. Write them so"
        )


def _second_table_delay(
    rows: Rows,
    labels: Rows,
    key: Sequence[str],
    moments: Moments,
    answers: Answers,
    noted: Assumptions,
) -> tuple[Duration, Duration | None]:
    """See from a later time in the label table when labels were known."""
    grain = moments.grain
    if given := _given(answers, grain):
        return given, None
    seen = _waits(rows, labels, key, moments)
    if seen is None:
        noted.add("label delay", f"{in_grain(1, grain)}", "assumed: nothing shows it", "--delay")
        return in_grain(1, grain), None
    name, most, nearly_all = seen
    period = grain.period.total_seconds()
    soon, late = (max(math.ceil(wait / period), 1) for wait in (most, nearly_all))
    noted.add(
        "label delay",
        f"{in_grain(soon, grain)}",
        f"{_ENOUGH:.0%} of the labels are there then, by {name}"
        + (f"; taken again after {in_grain(late, grain)}" if late > soon else ""),
        "--delay",
    )
    return in_grain(soon, grain), in_grain(late, grain) if late > soon else None


def _waits(
    rows: Rows, labels: Rows, key: Sequence[str], moments: Moments
) -> tuple[str, float, float] | None:
    """Return the column that says when labels were known, and how long after the partition."""
    column, says = moments.column, moments.partition_column
    if column is None or says is None:
        return None
    joined, connection = _joined(rows, labels, key), rows.loaded.connection
    moment, begin = (one.sql if one.name in key else f"r.{one.sql}" for one in (column, says))
    name = moments.grain.name
    end = f"date_trunc('{name}', {begin}::TIMESTAMPTZ) + INTERVAL 1 {name}"
    best: tuple[str, float, float] | None = None
    for one in labels.columns.values():
        if one.kind != "timestamp" or one.name in key:
            continue
        wait = f"epoch(l.{one.sql} - ({end}))"
        n_before, most, nearly_all = connection.execute(
            f"SELECT avg(CAST(l.{one.sql} < {moment} AS INTEGER)), "
            f"quantile_cont({wait}, {_ENOUGH}), quantile_cont({wait}, 0.999) FROM {joined}"
        ).fetchall()[0]
        if n_before is not None and n_before < 0.01 and most > 0 and (not best or most > best[1]):
            best = one.name, float(most), float(nearly_all)
    return best
