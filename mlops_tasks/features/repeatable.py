"""Queries that answer the same whenever they are asked: without a clock, without chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tasks.exceptions import FeatureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

__all__ = ["check_expression", "check_repeatable", "one_statement"]

_CLOCKS = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
_FUNCTIONS = """
    SELECT DISTINCT function_name FROM duckdb_functions()
    WHERE stability <> 'CONSISTENT' AND function_name <> 'error'
"""
_MACROS = {"ago"}  # of the clock, and the catalogue does not say so
_OF_NOW = {"age"}  # with one argument
_known_calls: set[str] = set()


def check_repeatable(place: str, connection: DuckDBPyConnection, query: str) -> None:
    """Refuse a query that reads the clock, draws at random or looks at its own session.

    Parameters
    ----------
    place : str
        Where the query is written, for the error.
    connection : DuckDBPyConnection
        The database that knows which functions do so.
    query : str
        A query, or an expression.

    Raises
    ------
    FeatureError
        Naming the line and what it calls.
    """
    tokens = list(_tokens(query))
    calls = _unrepeatable(connection)
    for at, (line, text) in enumerate(tokens):
        before = tokens[at - 1][1] if at else ""
        after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        name = text.strip('"')
        called = after == "(" and (name in calls or (name in _OF_NOW and _is_single(tokens[at:])))
        clock = text in _CLOCKS and before not in {".", "as"}
        sample = text == "tablesample" or (text == "sample" and before == "using")
        if called or clock or sample:
            raise FeatureError(
                f"{place}, line {line}: {name} answers otherwise each time it is asked, and a row "
                "must look the same in training and in every scoring; take times from columns of "
                "the rows, and chance from hash() of the key"
            )


def _unrepeatable(connection: DuckDBPyConnection) -> frozenset[str]:
    """Ask once per process: the catalogue is DuckDB's own, which takes a while to list it."""
    if not _known_calls:
        found = connection.execute(_FUNCTIONS).fetchall()
        _known_calls.update(_MACROS, (str(name) for (name,) in found))
    return frozenset(_known_calls)


def check_expression(place: str, text: str) -> None:
    """Refuse a text that is not one SQL expression, as DuckDB alone reads it.

    Within brackets ``a > 1) or (true`` would be one, and mean something else.

    Parameters
    ----------
    place : str
        Where it is written, for the error.
    text : str
        The expression.

    Raises
    ------
    FeatureError
        If it does not stand on its own, or is more than one.
    """
    import duckdb

    try:
        duckdb.SQLExpression(text)
    except duckdb.Error as error:
        said = str(error).partition("\n")[0]
        raise FeatureError(
            f"{place} is not one SQL expression that stands on its own ({said}); write a single "
            "one, with each bracket closed and no comma, FROM or semicolon outside of brackets"
        ) from error


def one_statement(place: str, text: str) -> str:
    """Return the statement of a file without what closes it.

    Parameters
    ----------
    place : str
        Where it is written, for the error.
    text : str
        SQL, with comments and a semicolon perhaps.

    Returns
    -------
    str
        The same text up to the closing semicolon.

    Raises
    ------
    FeatureError
        If there is nothing in it.
    """
    import duckdb

    raw = text.encode()
    code = [at for at, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    end = len(raw)
    while code and raw[code[-1] : code[-1] + 1] == b";":
        end = code.pop()
    if not code:
        raise FeatureError(f"{place} holds no query; write a SELECT over the inputs into it")
    return raw[:end].decode()


def _tokens(query: str) -> Iterator[tuple[int, str]]:
    """Give the line and the lower-case text of each token but comments."""
    import duckdb

    raw = query.encode()
    found = duckdb.tokenize(query)
    ends = [at for at, _ in found[1:]] + [len(raw)]
    for (at, kind), end in zip(found, ends, strict=True):
        if kind != duckdb.token_type.comment:
            yield raw.count(b"\n", 0, at) + 1, raw[at:end].decode().strip().lower()


def _is_single(tokens: list[tuple[int, str]]) -> bool:
    """Return whether a call, given from its name on, has one argument."""
    depth = 0
    for _, text in tokens[1:]:
        depth += (text in "([{") - (text in ")]}") if text else 0
        if depth == 1 and text == ",":
            return False
        if depth == 0:
            break
    return True
