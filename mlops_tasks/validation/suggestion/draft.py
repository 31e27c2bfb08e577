"""Draft a contract and a suite from the rows of a table, the same ones for the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import EmptyPartitionError
from mlops_tasks.lake.digest import row_hashes
from mlops_tasks.partitions import Partition, grain_of
from mlops_tasks.validation.suggestion.column_summary import ColumnSummary, contract_type

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from mlops_tasks.lake import Commit, Lake, Table

__all__ = ["Suggestion", "suggest"]

_FIRST, _LAST = "0001-01-01", "9999-12-31"
# Rows of a day may shrink to this share of the smallest day seen, or grow by its inverse.
_ROW_SLACK = 0.5
_NULL_SLACK = 0.1
# Columns of which pairs are tried as a key: those with the most different values.
_MAX_KEY_CANDIDATES = 10


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A first contract and suite, to be reviewed and committed.

    Attributes
    ----------
    table, first, last : str
        What it is drawn from: the table, and the first and last day looked at.
    n_partitions, n_rows : int
        How much that was.
    columns : dict of str to str
        The contract.
    key : tuple of str
        The key; empty if no column and no pair identifies every row.
    suite : dict
        The suite as JSON.
    history : dict
        Arguments of the history checks.
    notes : tuple of str
        What a person should look at.
    """

    table: str
    first: str
    last: str
    n_partitions: int
    n_rows: int
    columns: dict[str, str]
    key: tuple[str, ...]
    suite: dict[str, Any]
    history: dict[str, Any]
    notes: tuple[str, ...]


def suggest(
    lake: Lake,
    table: str,
    *,
    name: str | None = None,
    first: str | None = None,
    last: str | None = None,
    timezone: str = "UTC",
    hides: Callable[[str], bool] | None = None,
) -> Suggestion:
    """Look at the rows of a table and draft what they should look like.

    Parameters
    ----------
    lake : Lake
        Where the table is.
    table : str
        The table, for example ``flights__raw``.
    name : str, optional
        Name of the suite; the dataset's by default.
    first, last : str, optional
        Days to look at, both inclusive; all by default.
    timezone : str, default "UTC"
        Zone whose midnights end the days: the dataset's `timezone`.
    hides : callable, optional
        From a column to whether its values are personal, as `DatasetSpec.hides`: its types and
        nulls are drafted, nothing that is made of its values.

    Returns
    -------
    Suggestion
        Ranges have as much slack on both sides as they are wide; what is only likely, like a list
        of categories, is a warning.

    Raises
    ------
    EmptyPartitionError
        If there are no rows to look at.

    Notes
    -----
    Streamed: one batch in memory, and at most 2,000 different values a column.
    """
    source = lake.table(table)
    commits = source.commits(first=first or _FIRST, last=last or _LAST)
    commits = [commit for commit in commits if commit.n_rows]
    if not commits:
        raise EmptyPartitionError(
            f"table {table!r} has no rows from {first or 'the start'} to {last or 'the end'}; "
            "ingest a few days first, the more the better"
        )
    summaries, unsupported = _summarize(source, commits)
    key = _find_key(source, commits, summaries)
    hidden = frozenset(f.name for f in summaries if hides and hides(f.name))
    return Suggestion(
        table=table,
        first=commits[0].partition,
        last=commits[-1].partition,
        n_partitions=len(commits),
        n_rows=sum(commit.n_rows for commit in commits),
        columns={f.name: f.kind + ("?" if f.nullable else "") for f in summaries},
        key=key,
        suite={
            "name": name or table.removesuffix("__raw"),
            "expectations": [
                *_of_rows(commits),
                *(e for f in summaries for e in _of_column(f, {*key, *hidden})),
            ],
        },
        history=_history(summaries, commits, key, timezone),
        notes=(*unsupported, *_notes(summaries, commits, key), *_of_hidden(hidden)),
    )


def _summarize(table: Table, commits: Sequence[Commit]) -> tuple[list[ColumnSummary], list[str]]:
    summaries, unsupported = [], []
    for field in table.schema:
        kind = contract_type(field.type)
        if kind is None:
            unsupported.append(
                f"column {field.name!r} is {field.type}, which no contract has; left out"
            )
        else:
            summaries.append(ColumnSummary(field.name, kind))
    names = [f.name for f in summaries]
    for commit in commits:
        for rows in table.stream([commit], names):
            for summary in summaries:
                summary.add(rows.column(summary.name))
        for summary in summaries:
            summary.end(commit.partition)
    return summaries, unsupported


def _find_key(
    table: Table, commits: Sequence[Commit], summaries: Iterable[ColumnSummary]
) -> tuple[str, ...]:
    """Return the first column, or pair of columns, that identifies every row of every day.

    Columns with nulls and measured numbers are no keys. Columns named like an id come first, then
    as in the table; the key is empty if there is none.
    """
    able = [f for f in summaries if not f.nullable and f.kind in ("string", "int64", "timestamp")]
    able.sort(key=lambda f: not (f.name == "id" or f.name.endswith("_id")))
    names = [f.name for f in able]
    parts = [f.name for f in sorted(able, key=lambda f: -len(f.values))[:_MAX_KEY_CANDIDATES]]
    pairs = sorted(combinations(parts, 2), key=lambda pair: sorted(map(names.index, pair)))
    largest = sorted(commits, key=lambda commit: -commit.n_rows)
    for candidate in [*((name,) for name in names), *pairs]:
        if all(_identifies_rows(table, commit, candidate) for commit in largest):
            return tuple(sorted(candidate, key=names.index))
    return ()


def _identifies_rows(table: Table, commit: Commit, columns: tuple[str, ...]) -> bool:
    import numpy as np

    parts = [row_hashes(rows) for rows in table.stream([commit], columns)]
    return not parts or len(np.unique(np.concatenate(parts))) == commit.n_rows


def _expectation(kind: str, severity: str, **kwargs: Any) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


def _of_rows(commits: Sequence[Commit]) -> list[dict[str, Any]]:
    counts = [commit.n_rows for commit in commits]
    kind = "table_row_count_to_be_between"
    least = max(math.floor(min(counts) * _ROW_SLACK), 1)
    most = math.ceil(max(counts) / _ROW_SLACK)
    return [
        _expectation(kind, "critical", min_value=max(least // 5, 1), max_value=most * 5),
        _expectation(kind, "warning", min_value=least, max_value=most),
    ]


def _of_column(summary: ColumnSummary, unread: Collection[str]) -> list[dict[str, Any]]:
    """Draft the expectations of one column: its range, its values or its shape, its nulls.

    Of keys and of what is personal, `unread`, only the nulls.
    """
    drafts: list[dict[str, Any]] = []
    limits: dict[str, Any]
    if (
        summary.kind in ("int64", "float64")
        and summary.low is not None
        and summary.name not in unread
    ):
        lower, upper = summary.range()
        limits = {"column": summary.name, "min_value": lower, "max_value": upper}
        drafts.append(_expectation("column_values_to_be_between", "critical", **limits))
    if summary.kind == "string" and summary.name not in unread:
        if values := summary.categories:
            limits = {"column": summary.name, "value_set": values}
            drafts.append(_expectation("column_values_to_be_in_set", "warning", **limits))
        elif shape := summary.shape:
            limits = {"column": summary.name, "regex": shape}
            drafts.append(_expectation("column_values_to_match_regex", "critical", **limits))
    if summary.nullable:
        share = max(math.floor((min(summary.present) - _NULL_SLACK) * 100) / 100, 0.0)
        if share:
            limits = {"column": summary.name, "min_value": share}
            kind = "column_proportion_of_non_null_values_to_be_between"
            drafts.append(_expectation(kind, "warning", **limits))
    return drafts


def _history(
    summaries: Sequence[ColumnSummary],
    commits: Sequence[Commit],
    key: tuple[str, ...],
    timezone: str,
) -> dict[str, Any]:
    """Draft the checks across partitions that the days looked at would have passed."""
    history: dict[str, Any] = {"window": 14, "min_partitions": 5}
    fresh = {
        f.name: age
        for f in summaries
        if f.kind == "timestamp" and not f.nullable and (age := _oldest(f, timezone)) is not None
    }
    if fresh:
        column = min(fresh, key=lambda name: (fresh[name], name))
        history["freshness"] = {
            "column": column,
            "max_age_h": float(max(math.ceil(fresh[column] * 2), 1)),
        }
    named = [f.name for f in summaries if f.kind == "string" and f.categories and f.name not in key]
    if named and len(commits) > 1:
        history["categories"] = {"columns": named}
    return history


def _oldest(summary: ColumnSummary, timezone: str) -> float | None:
    """Return the largest age in hours of a day's newest time; None if it lies days away."""
    ages = []
    for key, newest in summary.latest.items():
        moment = newest if newest.tzinfo else newest.replace(tzinfo=UTC)
        ages.append((Partition(key, timezone, grain_of(key)).end - moment) / timedelta(hours=1))
    return max(max(ages), 0.0) if ages and max(ages) < 24 else None


def _of_hidden(hidden: Collection[str]) -> list[str]:
    if not hidden:
        return []
    names = ", ".join(sorted(hidden))
    return [f"personal: of {names} nothing is drafted that is made of values"]


def _notes(
    summaries: Sequence[ColumnSummary], commits: Sequence[Commit], key: tuple[str, ...]
) -> list[str]:
    notes = []
    if not key:
        notes.append("no column and no pair of columns identifies every row of a day: choose a key")
    if len(commits) < 5:
        notes.append(f"drawn from {len(commits)} day(s) only; look again after a few more")
    for summary in summaries:
        if summary.n_not_finite:
            notes.append(
                f"column {summary.name!r} has {summary.n_not_finite:,} NaN or infinite values, "
                "which a contract refuses: give null where there is no number"
            )
        if summary.n_null == summary.n_rows:
            notes.append(f"column {summary.name!r} has no value at all; is it needed?")
    return notes
