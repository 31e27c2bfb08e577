"""Names and texts as DuckDB reads them."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["column_sql", "quoted", "text"]

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def quoted(name: str) -> str:
    """Return a name in double quotes.

    Examples
    --------
    >>> print(quoted("Order ID"))
    "Order ID"
    """
    return '"' + name.replace('"', '""') + '"'


def column_sql(name: str) -> str:
    """Return a name as a person writes it: in quotes only where it needs them.

    Examples
    --------
    >>> column_sql("price"), column_sql("order"), column_sql("Order ID")
    ('price', '"order"', '"Order ID"')
    """
    return name if _PLAIN.fullmatch(name) and name not in _no_columns() else quoted(name)


def text(value: str) -> str:
    """Return a text in single quotes.

    Examples
    --------
    >>> text("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


@cache
def _no_columns() -> frozenset[str]:
    """Return DuckDB's words that are no name of a column without quotes."""
    import duckdb

    asked = "SELECT keyword_name, keyword_category FROM duckdb_keywords()"
    with duckdb.connect() as connection:
        found = connection.execute(asked).fetchall()
    return frozenset(word for word, kind in found if kind in ("reserved", "type_function"))
