"""The sources of the two datasets: a table or files where they say it all, else a query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlops_tasks.scaffold.python_text import Call, Code
from mlops_tasks.scaffold.sql_text import quoted
from mlops_tasks.sources import Database
from mlops_tasks.sources.sqlite import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.scaffold.columns import Column, Rows
    from mlops_tasks.scaffold.plan import Plan

__all__ = ["labels_source", "renamed", "rows_source"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def rows_source(plan: Plan) -> Call:
    """Return the source of the rows."""
    if plan.rows.loaded.layout is not None:
        return _files(plan, plan.rows, checks_time=True)
    time = plan.moments.partition_column
    assert time is not None  # noqa: S101 - rows of a database have one
    if not plan.query and _is_plain(plan, time):
        return _table(plan, plan.rows, time)
    return _query(plan, plan.rows_columns, _FROM_ROWS)


def labels_source(plan: Plan) -> Call:
    """Return the source of the labels: those of a partition's rows, whenever they became known."""
    if plan.target.rows.loaded.layout is not None:
        return _files(plan, plan.target.rows, checks_time=False)
    if plan.is_one_table:
        time = plan.moments.partition_column
        assert time is not None  # noqa: S101
        if not plan.query and _is_plain(plan, time):
            return _table(plan, plan.rows, time)
        return _query(plan, plan.labels_columns, _FROM_ROWS)
    time = plan.labels.time_column
    if time is not None and _is_plain(plan, time):
        return _table(plan, plan.target.rows, time)
    return _query(plan, plan.labels_columns, _FROM_BOTH)


def renamed(source: Call, columns: list[Column]) -> dict[str, str]:
    """Return the source's names of columns to those of the contract, where they differ."""
    if "query" in source.arguments:
        return {}
    return {one.source_name: one.name for one in columns if one.source_name != one.name}


_FROM_ROWS = "rows"
_FROM_BOTH = "both"


def _is_plain(plan: Plan, time: Column) -> bool:
    """Whether a table's own bounds do: its time column has a name that needs no quotes."""
    hours_of_texts = plan.moments.grain.name == "hour" and time.is_text and not time.has_zone
    return bool(_NAME.fullmatch(time.source_name)) and not hours_of_texts


def _table(plan: Plan, rows: Rows, time: Column) -> Call:
    return Call(
        "SqlSource",
        {
            "conn_id": plan.connection.conn_id,
            "table": _table_name(rows),
            "time_column": time.source_name,
        },
    )


def _table_name(rows: Rows) -> str:
    """Return the table as it was named: ``table 'sales.orders'`` is what messages call it."""
    return rows.loaded.what.removeprefix("table ").strip("'")


def _files(plan: Plan, rows: Rows, *, checks_time: bool) -> Call:
    layout = rows.loaded.layout
    assert layout is not None  # noqa: S101
    arguments: dict[str, object] = {"conn_id": plan.connection.conn_id, "path": layout.path}
    if layout.format != "parquet":
        arguments["format"] = layout.format
    if checks_time and plan.moments.partition_column is not None:
        arguments["time_column"] = plan.moments.partition_column.name
    if rows.loaded.delimiter != ",":
        arguments["delimiter"] = (
            Code('"\\t"') if rows.loaded.delimiter == "\t" else rows.loaded.delimiter
        )
    return Call("FileSource", arguments)


def _query(plan: Plan, columns: list[Column], of: str) -> Call:
    time = plan.moments.partition_column
    assert time is not None  # noqa: S101
    quote = _quote(plan)
    first, end = _bounds(plan, time)
    rows = (
        f"(\n{_indented(plan.query, 16)}\n            )" if plan.query else _table_name(plan.rows)
    )
    when = f"r.{quote(time.source_name)}"
    items = ",\n                ".join(
        _selected(one, "l" if of == _FROM_BOTH else "r", quote) for one in columns
    )
    joined = ""
    if of == _FROM_BOTH:
        ours, theirs = plan.rows.columns, plan.target.rows.columns
        on = " AND ".join(
            f"r.{quote(ours[name].source_name)} = l.{quote(theirs[name].source_name)}"
            for name in plan.key
        )
        joined = f"\n            JOIN {_table_name(plan.target.rows)} AS l ON {on}"
    query = (
        f"\n            SELECT\n                {items}\n            FROM {rows} AS r{joined}"
        f"\n            WHERE {when} >= {first} AND {when} < {end}\n        "
    )
    return Call("SqlSource", {"conn_id": plan.connection.conn_id, "query": query})


def _quote(plan: Plan) -> Callable[[str], str]:
    """Return what quotes a name where the source's database wants it."""
    url = Database.from_connection(plan.connection).url
    quote: Callable[[str], str] = url.get_dialect()().identifier_preparer.quote
    return quote


def _selected(one: Column, table: str, quote: Callable[[str], str]) -> str:
    item = f"{table}.{quote(one.source_name)}"
    return item if one.source_name == one.name else f"{item} AS {quote(one.name)}"


def _indented(query: str, spaces: int) -> str:
    lines = [line.rstrip() for line in query.strip().rstrip(";").splitlines()]
    return "\n".join(" " * spaces + line for line in lines)


def _bounds(plan: Plan, time: Column) -> tuple[str, str]:
    if plan.connection.conn_type != "sqlite":
        return (":start", ":end") if time.has_zone else (":local_start", ":local_end")
    spaced = _is_spaced(plan.rows, time)
    if time.has_zone:
        return BOUNDS["spaced instant" if spaced else "instant"]
    if plan.moments.grain.name == "hour":
        both = (":local_start", ":local_end")
        return tuple(f"replace({b}, 'T', ' ')" for b in both) if spaced else both  # type: ignore[return-value]
    return BOUNDS["text"]


def _is_spaced(rows: Rows, time: Column) -> bool:
    """Whether a blank stands between day and time of its texts."""
    name, table = quoted(time.source_name), quoted(rows.loaded.table)
    asked = f"SELECT bool_or({name}::VARCHAR LIKE '____-__-__ %') FROM {table}"
    return bool(rows.loaded.connection.execute(asked).fetchall()[0][0])
