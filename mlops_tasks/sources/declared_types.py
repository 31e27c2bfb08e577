"""Types of a result's columns as the database itself tells them, where no contract does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult

__all__ = ["postgres_fields", "sqlite_fields"]

# Beyond it neighbouring integers are the same float.
_EXACT_FLOAT = 2**53


def postgres_fields(result: CursorResult[Any]) -> dict[str, pa.Field]:
    """Return the columns of a result of psycopg2, by the numbers that PostgreSQL has for types.

    Parameters
    ----------
    result : CursorResult
        Of any query.

    Returns
    -------
    dict of str to Field
        By name; of type null where the lake has no place for it.
    """
    import pyarrow as pa

    types = {
        pa.bool_(): (16,),
        pa.int64(): (20, 21, 23),
        pa.float64(): (700, 701),
        pa.decimal128(38, 0): (1700,),
        pa.string(): (18, 19, 25, 1042, 1043),
        pa.date32(): (1082,),
        pa.timestamp("us"): (1114,),
        pa.timestamp("us", tz="UTC"): (1184,),
    }
    by_number = {number: kind for kind, numbers in types.items() for number in numbers}
    cursor: Any = result.cursor
    return {
        name: pa.field(name, by_number.get(code, pa.null()))
        for name, code, *_ in cursor.description
    }


def sqlite_fields(
    connection: Connection, query: str, values: Mapping[str, Any], names: list[str]
) -> dict[str, pa.Field]:
    """Return the columns of a result of SQLite, which types every value by itself: asks for all.

    Parameters
    ----------
    connection : Connection
        In a transaction, so that the rows are the same afterwards.
    query : str
        With placeholders.
    values : mapping of str to object
        Their values.
    names : list of str
        Of the query's columns.

    Returns
    -------
    dict of str to Field
        By name; of type null where there is no value, and binary for values of several types.
    """
    import sqlalchemy as sa

    columns = [f"c{number}" for number in range(len(names))]
    asked = ", ".join(
        f"group_concat(DISTINCT typeof({column})), "
        f"max(CASE typeof({column}) WHEN 'integer' THEN abs({column} / 2) END)"
        for column in columns
    )
    body = query.rstrip("; \n\t")
    text = f"WITH asked({', '.join(columns)}) AS ({body}\n) SELECT {asked} FROM asked"  # noqa: S608
    found = connection.execute(sa.text(text), values).one()
    return {
        name: _sqlite_field(name, set((found[2 * n] or "").split(",")), found[2 * n + 1] or 0)
        for n, name in enumerate(names)
    }


def _sqlite_field(name: str, kinds: set[str], largest_half: int) -> pa.Field:
    import pyarrow as pa

    kinds -= {"null", ""}
    types = {
        frozenset[str](): pa.null(),
        frozenset({"integer"}): pa.int64(),
        frozenset({"real"}): pa.float64(),
        frozenset({"text"}): pa.string(),
    }
    if kinds == {"integer", "real"} and largest_half < _EXACT_FLOAT // 2:
        return pa.field(name, pa.float64())
    if found := types.get(frozenset(kinds)):
        return pa.field(name, found)
    return pa.field(name, pa.binary(), metadata={"SOURCE:type": " and ".join(sorted(kinds))})
