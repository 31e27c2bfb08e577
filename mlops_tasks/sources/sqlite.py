"""SQLite: its file is never made, its values say their types, and its times are text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from mlops_tasks.partitions import HOUR
from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult, Engine

    from mlops_tasks.sources.tables import DayOfTable

__all__ = ["BOUNDS", "SqliteReader"]

# Beyond it neighbouring integers are the same float.
_EXACT_FLOAT = 2**53
#: What bounds the day in a column of texts, by the form that they have.
BOUNDS = {
    # Any form of a time begins with its day; a text sorts behind what it begins with.
    "text": ("substr(:local_start, 1, 10)", "substr(:local_end, 1, 10)"),
    "instant": ("rtrim(:start, 'Z')", "rtrim(:end, 'Z')"),
    "spaced instant": (
        "replace(rtrim(:start, 'Z'), 'T', ' ')",
        "replace(rtrim(:end, 'Z'), 'T', ' ')",
    ),
}
# What is behind the minutes, and behind the zone of an instant in UTC, is digits and signs alone.
_ODD = "'*[^0-9:.]*'"
_TIME = "GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]{}[0-9][0-9]:[0-9][0-9]*'"


class SqliteReader(SqlAlchemyReader):
    """Read an SQLite file."""

    # The columns' types are asked of the very rows that are read.
    set_up = ("BEGIN",)

    def engine(self) -> Engine:
        """Return an engine that reads a file and does not make one where it is missing."""
        url = self.url
        name = url.database or ":memory:"
        if name.startswith("file:"):
            name = unquote(name.removeprefix("file:").partition("?")[0]).removeprefix("//")
        if ":memory:" in name or url.query.get("mode") == "memory":
            raise self.errors.access("an SQLite database in memory has no rows; name a file")
        path = Path(name)
        if not path.is_file():
            what = "is no file" if path.exists() else "does not exist"
            raise self.errors.access(f"the SQLite file {str(path.absolute())!r} {what}")
        query = {**url.query, "mode": "ro", "uri": "true"}
        self.url = url.set(database=f"file:{quote(str(path.absolute()))}", query=query)
        return super().engine()

    def bound(self, name: str) -> datetime | str:
        """Write a time as text: SQLite has no other."""
        value = super().bound(name)
        if isinstance(value, str):
            return value
        return value.replace(tzinfo=None).isoformat() + ("Z" if value.tzinfo else "")

    def bounds(self, connection: Connection, table: DayOfTable) -> tuple[str, str]:
        """Look at all values of the time column: texts of several forms have no order."""
        import sqlalchemy as sa

        self.columns(connection, table)
        quoted = connection.dialect.identifier_preparer.quote
        column, rows = quoted(table.time_column), table.quoted(quoted)
        text = f"SELECT {_form(column)} AS form, min({column}) FROM {rows} GROUP BY form"  # noqa: S608 (quoted)
        values = connection.execute(sa.text(f"{text} ORDER BY form"))
        found = {form: value for form, value in values if form}
        if "none" in found:
            raise self.errors.query(table.holds_no_time(f"values like {found['none']!r}"))
        if len(found) > 1:
            some = " and ".join(repr(value) for value in found.values())
            raise self.errors.query(
                f"time_column {table.time_column!r} of table {table.table!r} holds times in "
                f"several forms, such as {some}; write all in one, or write a `query` that binds "
                ":partition"
            )
        form = next(iter(found), "text")
        if form == "text" and self.request.partition.grain is HOUR:
            raise self.errors.query(
                f"time_column {table.time_column!r} of table {table.table!r} holds days or local "
                "times, which say no hour in UTC; write a `query` that converts it to instants"
            )
        return BOUNDS[form]

    def declared(
        self,
        connection: Connection,
        result: CursorResult[Any],
        query: str,
        values: Mapping[str, Any],
    ) -> dict[str, pa.Field]:
        """Ask for the types of all values: each has its own."""
        import sqlalchemy as sa

        names = list(result.keys())
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
            name: _field(name, set((found[2 * n] or "").split(",")), found[2 * n + 1] or 0)
            for n, name in enumerate(names)
        }


def _field(name: str, kinds: set[str], largest_half: int) -> pa.Field:
    """Return a column of type null where it has no value, of binary where values differ in type."""
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


def _form(column: str) -> str:
    """Write an expression for the form that a value has; null for null."""
    rest = f"substr({column}, 17)"
    utc = " OR ".join(
        f"({rest} GLOB '*{zone}' AND substr({rest}, 1, length({rest}) - {length}) NOT GLOB {_ODD})"
        for zone, length in (("Z", 1), ("[+-]00:00", 6), ("[+]0000", 5))
    )
    return f"""CASE
        WHEN {column} IS NULL THEN NULL
        WHEN typeof({column}) <> 'text' THEN 'none'
        WHEN {column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN 'text'
        WHEN {column} {_TIME.format("[T ]")} AND {rest} NOT GLOB {_ODD} THEN 'text'
        WHEN {column} {_TIME.format("T")} AND ({utc}) THEN 'instant'
        WHEN {column} {_TIME.format(" ")} AND ({utc}) THEN 'spaced instant'
        ELSE 'none' END""".replace(":", r"\:")
