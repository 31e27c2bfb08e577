"""A table as a source: the queries for all rows, for those of one day, and for those of no day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tasks.specs.source import SqlSource

__all__ = ["INSTANTS", "LOCAL_TIMES", "DayOfTable", "WholeTable", "table_of", "without_day"]

#: What bounds the day in a column of instants, and in one of local times or days.
INSTANTS = (":start", ":end")
LOCAL_TIMES = (":local_start", ":local_end")


@dataclass(frozen=True, slots=True)
class WholeTable:
    """All rows of a table, with all columns.

    Attributes
    ----------
    table : str
        Its name, maybe behind that of a schema and a dot.
    """

    table: str

    @property
    def schema(self) -> str | None:
        """What stands before the last dot."""
        return self.table.rpartition(".")[0] or None

    @property
    def name(self) -> str:
        """What stands behind the last dot."""
        return self.table.rpartition(".")[2]

    def quoted(self, quote: Callable[[str], str]) -> str:
        """Return the table's name as the database reads it."""
        return ".".join(quote(part) for part in self.table.split("."))

    def every_row(self, quote: Callable[[str], str]) -> str:
        """Return the query for all rows."""
        return f"SELECT * FROM {self.quoted(quote)}"  # noqa: S608 (quoted)


@dataclass(frozen=True, slots=True)
class DayOfTable(WholeTable):
    """The rows of a table whose time column lies in the day.

    Attributes
    ----------
    time_column : str
        The column.
    """

    time_column: str

    def query(self, quote: Callable[[str], str], bounds: tuple[str, str] = INSTANTS) -> str:
        """Return the query, with placeholders.

        Examples
        --------
        >>> DayOfTable("shop.orders", "at").query(lambda name: f'"{name}"')
        'SELECT * FROM "shop"."orders" WHERE "at" >= :start AND "at" < :end'
        """
        column, (first, end) = quote(self.time_column), bounds
        return f"{self.every_row(quote)} WHERE {column} >= {first} AND {column} < {end}"

    def without_time(self, quote: Callable[[str], str], no_time: str = "") -> str:
        """Return the query for the number of rows that are of no day.

        `no_time` is how the database finds times that are none, where it has such.

        Examples
        --------
        >>> DayOfTable("orders", "at").without_time(lambda name: f'"{name}"', "{column} = 0")
        'SELECT count(*) FROM "orders" WHERE "at" IS NULL OR "at" = 0'
        """
        column = quote(self.time_column)
        other = f" OR {no_time.format(column=column)}" if no_time else ""
        return f"SELECT count(*) FROM {self.quoted(quote)} WHERE {column} IS NULL{other}"  # noqa: S608 (quoted)

    def holds_no_time(self, found: object) -> str:
        """Return what to report where the time column cannot say which day a row belongs to."""
        return (
            f"time_column {self.time_column!r} of table {self.table!r} holds {found}, neither "
            "times nor days; write a `query` that binds :partition, or that converts it"
        )


def table_of(source: SqlSource) -> WholeTable | None:
    """Return the table that a source names; None where it has a query."""
    if source.table is None:
        return None
    if source.time_column is None:
        return WholeTable(source.table)
    return DayOfTable(source.table, source.time_column)


def without_day(n_rows: int, table: str, column: str) -> tuple[str, ...]:
    """Report rows whose time column says no day: they are in no partition."""
    if not n_rows:
        return ()
    return (
        f"{n_rows} rows of table {table!r} belong to no day, their {column!r} is no time: "
        "not taken",
    )
