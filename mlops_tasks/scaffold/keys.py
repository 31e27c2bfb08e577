"""The key: columns that together identify a row, counted, not guessed."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.scaffold.sql_text import column_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mlops_tasks.scaffold.answers import Answers, Assumptions
    from mlops_tasks.scaffold.columns import Column, Rows

__all__ = ["find_key"]

_WORDS_OF_TEXT = 4
# Of which pairs and triples are tried: the columns with the most different values.
_MOST_PARTS = 8


def find_key(
    rows: Rows, labels: Rows, answers: Answers, later: Collection[str], noted: Assumptions
) -> tuple[str, ...]:
    """Find the key, or check the one that was given.

    Parameters
    ----------
    rows, labels : Rows
        The rows, and those of the labels, which find them by the key.
    answers : Answers
        May give the key.
    later : collection of str
        Columns of the target, which identify nothing.
    noted : Assumptions
        What was found.

    Raises
    ------
    ScaffoldError
        If rows share the given key, or nothing identifies a row.
    """
    able = [
        one
        for one in rows.columns.values()
        if one.name not in later
        and one.kind not in ("float64", "bool")
        and not one.n_null
        and one.n_words < _WORDS_OF_TEXT
        and one.name in labels.columns
        and labels.columns[one.name].kind == one.kind
    ]
    if answers.key:
        key = tuple(rows.named(name, "--key").name for name in answers.key)
        _refuse_shared(rows, key, able)
        return key
    if (found := _unique(rows, able)) is not None:
        names = ", ".join(found)
        noted.add("key", names, f"different in each of {_n_rows(rows):,} rows", "--key")
        return found
    nearest = _nearest(rows, able)
    where = "" if labels is rows else f", which {labels.loaded.what} has, too,"
    raise ScaffoldError(
        f"{rows.loaded.what} has no key: no column, no pair and no three of its columns{where} "
        f"identify every row together{nearest}. Remove rows that are there twice with --query, or "
        "give a key there, such as a hash of several columns"
    )


def _unique(rows: Rows, able: Sequence[Column]) -> tuple[str, ...] | None:
    """Return the first columns that together identify every row."""
    return next((found for found in _candidates(able) if not _n_shared(rows, found)), None)


def _nearest(rows: Rows, able: Sequence[Column]) -> str:
    """Say which columns nearly are a key."""
    tried = [*((one.name,) for one in able if not one.is_time), *_candidates(able)]
    if not tried:
        return ""
    n_shared, names = min(((_n_shared(rows, key), key) for key in tried), key=lambda one: one[0])
    return f"; the nearest is {', '.join(names)}: {n_shared:,} of {_n_rows(rows):,} rows repeat"


def _candidates(able: Sequence[Column]) -> Iterator[tuple[str, ...]]:
    ordered = sorted(able, key=lambda one: (not _is_id(one), one.is_personal))
    yield from ((one.name,) for one in ordered if one.n_distinct == one.n_rows and not one.is_time)
    # Of a thing that is looked at again and again: the thing, and when; the day before the moment.
    times = sorted((one for one in ordered if one.is_time), key=lambda one: one.kind)
    things = [one.name for one in _best([one for one in ordered if not one.is_time])]
    yield from ((thing, time.name) for time in times for thing in things)
    yield from combinations(things, 2)
    yield from ((*pair, time.name) for time in times for pair in combinations(things, 2))
    yield from combinations(things, 3)


def _best(able: Sequence[Column]) -> list[Column]:
    often = sorted(able, key=lambda one: -one.n_distinct)[:_MOST_PARTS]
    return [one for one in able if one in often]


def _is_id(column: Column) -> bool:
    return column.name == "id" or column.name.endswith(("_id", "_key", "_no", "_number"))


def _n_rows(rows: Rows) -> int:
    return int(rows.one("SELECT count(*) FROM {rows}")[0])


def _n_shared(rows: Rows, key: Sequence[str]) -> int:
    """Return how many rows are too many for the key to identify each."""
    names = ", ".join(map(column_sql, key))
    return int(
        rows.one(
            f"SELECT count(*) - (SELECT count(*) FROM (SELECT DISTINCT {names} FROM {{rows}})) "
            "FROM {rows}"
        )[0]
    )


def _refuse_shared(rows: Rows, key: Sequence[str], able: Sequence[Column]) -> None:
    names = ", ".join(key)
    if nulls := [name for name in key if rows.columns[name].n_null]:
        raise ScaffoldError(
            f"--key {names}: {nulls} have no value in some rows; a key is never null. Choose other "
            "columns, or leave these rows out with --query"
        )
    if not (shared := _n_shared(rows, key)):
        return
    better = _unique(rows, able)
    advice = f"these are: --key {','.join(better)}" if better else "add a column to it"
    raise ScaffoldError(
        f"--key {names}: not unique, {shared:,} of {_n_rows(rows):,} rows share it with another "
        f"row; {advice}"
    )
