"""A table as a source: the query for the rows of one day, by what its time column holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mlops_tasks.sources.sqlite import text_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Inspector

    from mlops_tasks.sources.failures import Failures

__all__ = ["DayOfTable", "Holds", "never_null", "time_column_holds", "without_day"]

#: What a time column holds: instants, local times and days, or on SQLite text of one form.
Holds = Literal["instant", "local", "text", "text instant", "spaced text instant"]

_BOUNDS: dict[Holds, tuple[str, str]] = {
    "instant": (":start", ":end"),
    "local": (":local_start", ":local_end"),
    # Any form of a time begins with its day; a text sorts behind what it begins with.
    "text": (":partition", "date(:partition, '+1 day')"),
    "text instant": ("rtrim(:start, 'Z')", "rtrim(:end, 'Z')"),
    "spaced text instant": (
        "replace(rtrim(:start, 'Z'), 'T', ' ')",
        "replace(rtrim(:end, 'Z'), 'T', ' ')",
    ),
}
# Where a database has times that are none, how it finds them.
_NO_TIME = {
    "postgresql": " OR NOT isfinite({column})",
    "mysql": " OR {column} = 0",  # a "zero date"
}


@dataclass(frozen=True, slots=True)
class DayOfTable:
    """The rows of a table whose time column lies in the day, with all columns.

    Attributes
    ----------
    table : str
        Its name, maybe behind that of a schema and a dot.
    time_column : str
        The column.
    """

    table: str
    time_column: str

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

    def query(self, quote: Callable[[str], str], holds: Holds = "instant") -> str:
        """Return the query, with placeholders.

        Parameters
        ----------
        quote : callable
            Quotes a name as the database does.
        holds : str
            What the time column holds.

        Examples
        --------
        >>> DayOfTable("shop.orders", "at").query(lambda name: f'"{name}"')
        'SELECT * FROM "shop"."orders" WHERE "at" >= :start AND "at" < :end'
        """
        column, (first, end) = quote(self.time_column), _BOUNDS[holds]
        rows = f"SELECT * FROM {self.quoted(quote)}"  # noqa: S608 (quoted)
        return f"{rows} WHERE {column} >= {first} AND {column} < {end}"

    def without_time(self, quote: Callable[[str], str], dialect: str) -> str:
        """Return the query for the number of rows that are of no day.

        Parameters
        ----------
        quote : callable
            Quotes a name as the database does.
        dialect : str
            Name of the database.

        Examples
        --------
        >>> DayOfTable("orders", "at").without_time(lambda name: f'"{name}"', "sqlite")
        'SELECT count(*) FROM "orders" WHERE "at" IS NULL'
        """
        column = quote(self.time_column)
        other = _NO_TIME.get(dialect, "").format(column=column)
        return f"SELECT count(*) FROM {self.quoted(quote)} WHERE {column} IS NULL{other}"  # noqa: S608 (quoted)

    def holds_no_time(self, found: object) -> str:
        """Return what to tell where the time column cannot say which day a row belongs to."""
        return (
            f"time_column {self.time_column!r} of table {self.table!r} holds {found}, neither "
            "times nor days; write a `query` that binds :partition, or that converts it"
        )


def time_column_holds(day: DayOfTable, connection: Connection, failures: Failures) -> Holds:
    """Ask a database that SQLAlchemy can look into what the time column holds.

    Parameters
    ----------
    day : DayOfTable
        The table.
    connection : Connection
        To the database.
    failures : Failures
        Makes the errors.

    Returns
    -------
    str
        A key of what `DayOfTable.query` can bind.

    Raises
    ------
    SourceQueryError
        If the table or the column is not there, or it holds no times.
    """
    import sqlalchemy as sa
    from sqlalchemy.exc import NoSuchTableError

    columns: dict[str, Any] = {}
    try:
        found = sa.inspect(connection).get_columns(day.name, schema=day.schema)
        columns = {column["name"]: column["type"] for column in found}
    except NoSuchTableError:
        raise failures.query(f"there is no table {day.table!r}") from None
    if day.time_column not in columns:
        raise failures.query(
            f"table {day.table!r} has no time_column {day.time_column!r}, it has {list(columns)}"
        )
    if connection.dialect.name == "sqlite":
        return text_times(day, connection, failures)
    kind = columns[day.time_column]
    if not isinstance(kind, sa.DateTime | sa.Date):
        raise failures.query(day.holds_no_time(kind))
    return "instant" if getattr(kind, "timezone", False) else "local"


def without_day(n_rows: int, day_of: str, column: str) -> tuple[str, ...]:
    """Report rows whose time column says no day: they are in no partition.

    Parameters
    ----------
    n_rows : int
        How many there are.
    day_of : str
        The table, as a person reads it.
    column : str
        The time column.

    Returns
    -------
    tuple of str
        One note, or none.
    """
    if not n_rows:
        return ()
    return (f"{n_rows} rows of {day_of} belong to no day, their {column!r} is no time: not taken",)


def never_null(day: DayOfTable, inspector: Inspector) -> frozenset[str] | None:
    """Tell which columns the database itself keeps from being null.

    Parameters
    ----------
    day : DayOfTable
        The table. A view declares nothing.
    inspector : Inspector
        Of the database.

    Returns
    -------
    frozenset of str or None
        None if that is not declared.
    """
    if day.name not in inspector.get_table_names(schema=day.schema):
        return None
    columns = inspector.get_columns(day.name, schema=day.schema)
    return frozenset(column["name"] for column in columns if not column["nullable"])
