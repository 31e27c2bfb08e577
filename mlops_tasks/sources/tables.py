"""A table as a source: the query for the rows of one day, by what its time column holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Inspector

    from mlops_tasks.sources.failures import Failures

__all__ = ["DayOfTable", "Holds", "never_null", "time_column_holds"]

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
_TEXT_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d[\d:.]*(Z|[+-]\d\d:?\d\d)?)?")
_UTC = ("Z", "+00:00", "+0000", "-00:00")


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
        return _text_holds(day, connection, failures)
    kind = columns[day.time_column]
    if not isinstance(kind, sa.DateTime | sa.Date):
        raise failures.query(day.holds_no_time(kind))
    return "instant" if getattr(kind, "timezone", False) else "local"


def _text_holds(day: DayOfTable, connection: Connection, failures: Failures) -> Holds:
    """Tell by one value: SQLite has no times, and whoever fills it chooses a form of text."""
    import sqlalchemy as sa

    quote = connection.dialect.identifier_preparer.quote
    column, table = quote(day.time_column), day.quoted(quote)
    one = sa.text(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL LIMIT 1")  # noqa: S608 (quoted)
    value = connection.execute(one).scalar()
    form = _TEXT_TIME.fullmatch(value) if isinstance(value, str) else None
    if value is not None and (form is None or form[2] not in (None, *_UTC)):
        raise failures.query(day.holds_no_time(f"values like {value!r}"))
    if form is None or form[2] is None:
        return "text"
    return "text instant" if form[1] == "T" else "spaced text instant"


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
