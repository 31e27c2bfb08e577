"""The target: an expression over the columns that have the label, and what kind it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.problem_types import PROBLEM_TYPES
from mlops_tasks.scaffold.answers import Question
from mlops_tasks.scaffold.sql_text import quoted, text

if TYPE_CHECKING:
    from mlops_tasks.scaffold.answers import Answers, Assumptions
    from mlops_tasks.scaffold.columns import Rows

__all__ = ["Target", "find_target"]

_MAX_CLASSES = 100
_POSITIVE = ("1", "yes", "y", "true", "t", "positive", "churned", "fraud", "failed", "late")
_NUMERIC = re.compile(r"(TINY|SMALL|BIG|HUGE)?INT(EGER)?|U\w+INT\w*|DOUBLE|FLOAT|DECIMAL.*")


@dataclass(frozen=True, slots=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    rows : Rows
        Those that have the label.
    expression : str
        SQL over the label dataset's columns.
    columns : tuple of str
        The columns in it.
    problem_type : str
        ``binary``, ``multiclass`` or ``regression``.
    rarest : float
        Share of the rarest class; 1 of a regression.
    is_count : bool
        Whether all values are whole numbers of 0 and more.
    """

    rows: Rows
    expression: str
    columns: tuple[str, ...]
    problem_type: str
    rarest: float
    is_count: bool


def find_target(rows: Rows, answers: Answers, noted: Assumptions) -> Target:
    """Find out what is predicted, and refuse what cannot be.

    Parameters
    ----------
    rows : Rows
        The rows that have the label.
    answers : Answers
        May give target and problem type.
    noted : Assumptions
        Asks, and notes what was found.

    Raises
    ------
    ScaffoldError
        If the expression does not run, has one value only, or no problem type fits it.
    """
    names = [one.source_name for one in rows.columns.values() if not one.is_time]
    written = answers.target or noted.ask(
        Question("--target", "What is to be predicted: a column, or a SQL expression?", names)
    )
    expression = _in_contract_names(rows, written)
    columns = tuple(n for n in rows.columns if re.search(rf"(?<!\w){n}(?!\w)", expression))
    type_, n_known, n_distinct, lowest = _evaluated(rows, expression, written)
    if not columns:
        raise ScaffoldError(
            f"--target {written!r} names no column of {rows.loaded.what}; it has {', '.join(names)}"
        )
    if n_distinct < 2:
        what = "no value at all" if not n_known else f"one value only ({lowest})"
        raise ScaffoldError(
            f"--target {written!r} has {what} in {rows.loaded.what}: nothing can be learnt from "
            "that. Give another column or expression, or rows of more days"
        )
    expression, kind, why = _problem(rows, answers, expression, columns, (type_, n_distinct))
    noted.add("target", expression, f"{n_known:,} rows have it, {n_distinct:,} values", "--target")
    noted.add("problem type", kind, why, "--problem-type")
    rarest = 1.0 if kind == "regression" else _share_of_rarest(rows, expression)
    is_count = bool(re.fullmatch(r".*INT(EGER)?", type_)) and float(lowest) >= 0
    return Target(rows, expression, columns, kind, rarest, kind == "regression" and is_count)


def _in_contract_names(rows: Rows, written: str) -> str:
    found = written.strip()
    for one in rows.columns.values():
        if found == one.source_name:
            return one.sql
    for one in rows.columns.values():
        found = found.replace(quoted(one.source_name), one.sql)
        if one.source_name != one.name and re.fullmatch(r"\w+", one.source_name):
            found = re.sub(rf"(?<!\w){one.source_name}(?!\w)", one.sql, found)
    return found


def _evaluated(rows: Rows, expression: str, written: str) -> tuple[str, int, int, Any]:
    import duckdb

    try:
        found = rows.loaded.connection.execute(
            f"SELECT any_value(typeof(y)), count(y), count(DISTINCT y), min(y) "
            f"FROM (SELECT (\n{expression}\n) AS y FROM {quoted(rows.table)})"
        ).fetchone()
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        columns = ", ".join(rows.columns)
        raise ScaffoldError(
            f"--target {written!r} does not run over {rows.loaded.what}: {reason}; it is DuckDB's "
            f"SQL over {columns}"
        ) from None
    type_, n_known, n_distinct, lowest = found or ("", 0, 0, None)
    return str(type_), n_known, n_distinct, lowest


def _problem(
    rows: Rows,
    answers: Answers,
    expression: str,
    columns: tuple[str, ...],
    found: tuple[str, int],
) -> tuple[str, str, str]:
    """Return the expression, the problem type, and why it is that."""
    type_, n_distinct = found
    wanted = answers.problem_type
    if wanted and wanted not in PROBLEM_TYPES:
        raise ScaffoldError(f"--problem-type {wanted}: choose {', '.join(PROBLEM_TYPES)}")
    is_number = _NUMERIC.fullmatch(type_) is not None
    is_flag = type_ == "BOOLEAN" or (is_number and _is_zero_or_one(rows, expression))
    if is_flag and wanted in ("", "binary"):
        return expression, "binary", "a condition" if type_ == "BOOLEAN" else "0 and 1"
    if type_ == "VARCHAR" and n_distinct == 2 and wanted in ("", "binary"):
        value = _positive(rows, expression)
        return f"{expression} = {text(value)}", "binary", f"two values; {value!r} is the rarer one"
    if wanted == "binary":
        raise ScaffoldError(
            f"--target {expression!r} has {n_distinct:,} values, a binary model two: write a "
            f'condition, as --target "{expression} > ...", or choose another --problem-type'
        )
    if type_ == "VARCHAR" or (wanted == "multiclass" and is_number and "INT" in type_):
        if wanted == "regression":
            raise ScaffoldError(f"--target {expression!r} is text, a regression needs a number")
        if n_distinct > _MAX_CLASSES:
            raise ScaffoldError(
                f"--target {expression!r} has {n_distinct:,} different values: that is rather an "
                f"identifier than a class (at most {_MAX_CLASSES})"
            )
        return expression, "multiclass", f"{n_distinct} classes"
    if is_number and wanted in ("", "regression"):
        if len(columns) == 1 and n_distinct <= 10 and not wanted:
            return expression, "regression", f"numbers, {n_distinct} of them: or is each a class?"
        return expression, "regression", "numbers"
    raise ScaffoldError(
        f"--target {expression!r} gives {type_}: a target is a condition, a class as text or whole "
        "number, or a number" + (f"; {wanted} does not fit" if wanted else "")
    )


def _is_zero_or_one(rows: Rows, expression: str) -> bool:
    return bool(
        rows.loaded.connection.execute(
            f"SELECT bool_and(y IN (0, 1)) FROM (SELECT ({expression}) AS y "
            f"FROM {quoted(rows.table)}) WHERE y IS NOT NULL"
        ).fetchall()[0][0]
    )


def _values(rows: Rows, expression: str) -> list[tuple[object, int]]:
    return rows.loaded.connection.execute(
        f"SELECT y, count(*) AS n FROM (SELECT ({expression}) AS y FROM {quoted(rows.table)}) "
        "WHERE y IS NOT NULL GROUP BY y ORDER BY n, y"
    ).fetchall()


def _positive(rows: Rows, expression: str) -> str:
    values = [str(value) for value, _ in _values(rows, expression)]
    return next((value for value in values if value.lower() in _POSITIVE), values[0])


def _share_of_rarest(rows: Rows, expression: str) -> float:
    counts = [n for _, n in _values(rows, expression)]
    return counts[0] / sum(counts)
