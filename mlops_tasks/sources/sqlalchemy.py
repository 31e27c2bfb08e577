"""Any database, by SQLAlchemy: rows in chunks, each value checked against its column."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from mlops_tasks.sources.conversion import convert
from mlops_tasks.sources.errors import attempt, guarded
from mlops_tasks.sources.source import SourceStream
from mlops_tasks.sources.tables import INSTANTS, LOCAL_TIMES, DayOfTable, table_of, without_day
from mlops_tasks.sources.text_values import parse_text
from mlops_tasks.specs.source import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from sqlalchemy import URL, Connection, CursorResult, Engine

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.sources.source import Request
    from mlops_tasks.sources.tables import WholeTable
    from mlops_tasks.sources.text_values import Rules
    from mlops_tasks.specs.source import SqlSource

__all__ = ["LOGIN_REFUSED", "SqlAlchemyReader"]

_BATCH_ROWS = 20_000
#: How databases say at the login that trying again is of no use.
LOGIN_REFUSED = (
    "authentication failed",
    "no pg_hba.conf entry",
    "does not exist",
    "permission denied",
    "unable to open database file",
    "Login failed",
    "Access denied",
    "ORA-01017",
)
# Parts of messages about what other sessions do at the moment; databases share no code for it.
_PASSING = ("is locked", "deadlock", "lock timeout")


class SqlAlchemyReader:
    """Read a database that SQLAlchemy has a dialect for; a subclass says what is its own.

    Values become those of the contract, and of the table's other columns. Of a column that
    neither has, the database is asked for the type (`declared`); what it does not say is not read.
    """

    #: Statements that begin the transaction; ``:zone`` is the day's.
    set_up: ClassVar[tuple[str, ...]] = ()
    #: How times that are none are found, as an SQL condition on ``{column}``.
    no_time: ClassVar[str] = ""

    def __init__(self, url: URL, request: Request[SqlSource]) -> None:
        self.url = url
        self.request = request
        self.errors = request.errors

    @contextmanager
    def open(self) -> Iterator[SourceStream]:
        """Open the result of the source's query as batches of 20,000 rows."""
        engine = attempt(self.engine, self.explain_login)
        with self.connected(engine) as connection:
            query, never_null, notes = attempt(lambda: self._begun(connection), self.explain)
            batches = guarded(self._batches(connection, query), self.explain)
            first = next(batches)
            yield SourceStream(
                first.schema,
                chain([first], batches),
                f"{engine.dialect.name} by SQLAlchemy",
                never_null=never_null,
                notes=notes,
            )

    # --- what a database may have of its own

    def engine(self) -> Engine:
        """Return an engine without a pool."""
        import sqlalchemy as sa

        return sa.create_engine(self.url, poolclass=sa.NullPool)

    @contextmanager
    def connected(self, engine: Engine) -> Iterator[Connection]:
        """Connect, and hang up on leaving, also in the middle of a result."""
        with attempt(engine.connect, self.explain_login) as connection:
            yield connection

    def begin(self, connection: Connection) -> None:
        """Begin the transaction: read-only, and in the day's zone, where there is such a thing."""
        import sqlalchemy as sa

        for statement in self.set_up:
            connection.execute(sa.text(statement), {"zone": self.request.partition.timezone})

    def bounds(self, connection: Connection, table: DayOfTable) -> tuple[str, str]:
        """Return what bounds the day in a table's time column, by what that holds."""
        import sqlalchemy as sa

        kind = self.columns(connection, table)[table.time_column]
        if not isinstance(kind, sa.DateTime | sa.Date):
            raise self.errors.query(table.holds_no_time(kind))
        return INSTANTS if getattr(kind, "timezone", False) else LOCAL_TIMES

    def never_null(self, connection: Connection, table: WholeTable) -> frozenset[str] | None:
        """Return the columns that the database keeps from being null; a view declares nothing."""
        import sqlalchemy as sa

        inspector = sa.inspect(connection)
        if table.name not in inspector.get_table_names(schema=table.schema):
            return None
        columns = inspector.get_columns(table.name, schema=table.schema)
        return frozenset(column["name"] for column in columns if not column["nullable"])

    def bound(self, name: str) -> datetime | str:
        """Return the value of a query's parameter."""
        return self.request.partition.bound(name)

    def fields(
        self,
        connection: Connection,
        result: CursorResult[Any],
        query: str,
        values: Mapping[str, Any],
    ) -> list[pa.Field]:
        """Return the columns of a result, in the types that their values are read as."""
        import pyarrow as pa

        request, left_out = self.request, self.request.findings.left_out
        names = list(result.keys())
        unknown = [n for n in names if not request.knows(n) and n not in left_out]
        declared = self.declared(connection, result, query, values) if unknown else {}
        known = {
            name: pa.field(name, request.type_of(name)) for name in names if request.knows(name)
        }
        unread = {name: pa.field(name, pa.null()) for name in left_out}
        found = {**declared, **unread, **known}
        return [found.get(name) or _undeclared(name) for name in names]

    def declared(
        self,
        connection: Connection,
        result: CursorResult[Any],
        query: str,
        values: Mapping[str, Any],
    ) -> dict[str, pa.Field]:
        """Return the columns of a result as the database declares them, as far as it does."""
        return {}

    def column(self, values: Sequence[Any], field: pa.Field) -> pa.Array:
        """Read a column's values into the field's type, or one that the contract converts."""
        import pyarrow as pa

        unread = (pa.types.is_null, pa.types.is_binary, pa.types.is_decimal)
        if any(is_kind(field.type) for is_kind in unread):
            return pa.nulls(len(values), field.type)  # not kept
        return _typed(values, field.type, self.request.rules(field.name))

    def explain_login(self, error: Exception) -> MlopsError | None:
        """Make an error of what went wrong before the connection was there."""
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError

        if isinstance(error, ImportError):
            return self.errors.access(f"{error}: install the driver that the connection asks for")
        if isinstance(error, ArgumentError):  # an unknown dialect among them
            return self.errors.access(f"{error}: the connection's type is the SQLAlchemy dialect")
        if not isinstance(error, SQLAlchemyError | OSError):
            return None
        reason = getattr(error, "orig", error)
        refused = any(part in str(reason) for part in LOGIN_REFUSED)
        return (self.errors.access if refused else self.errors.unavailable)(reason)

    def explain(self, error: Exception) -> MlopsError | None:
        """Make an error of what went wrong afterwards."""
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        if isinstance(error, ValueError | OverflowError):  # a driver finds no Python value for one
            return self.errors.query(f"a value cannot be read: {error}")
        if not isinstance(error, DBAPIError):
            return self.errors.query(error) if isinstance(error, SQLAlchemyError) else None
        passing = error.connection_invalidated or any(p in str(error.orig) for p in _PASSING)
        return (self.errors.unavailable if passing else self.errors.query)(error.orig)

    # --- the same for all

    def columns(self, connection: Connection, table: WholeTable) -> dict[str, Any]:
        """Return the types of a table that is there, and has its time column if it has one."""
        import sqlalchemy as sa
        from sqlalchemy.exc import NoSuchTableError

        try:
            found = sa.inspect(connection).get_columns(table.name, schema=table.schema)
        except NoSuchTableError:
            raise self.errors.query(f"there is no table {table.table!r}") from None
        columns = {column["name"]: column["type"] for column in found}
        if isinstance(table, DayOfTable) and table.time_column not in columns:
            raise self.errors.query(
                f"table {table.table!r} has no time_column {table.time_column!r}, it has "
                f"{list(columns)}"
            )
        return columns

    def _begun(self, connection: Connection) -> tuple[str, frozenset[str] | None, tuple[str, ...]]:
        """Return the query, what a table keeps from being null, and what to report of it."""
        import sqlalchemy as sa

        self.begin(connection)
        source = self.request.source
        table = table_of(source)
        if table is None:
            return str(source.query), None, ()
        quote = connection.dialect.identifier_preparer.quote
        if not isinstance(table, DayOfTable):
            self.columns(connection, table)
            return table.every_row(quote), self.never_null(connection, table), ()
        bounds = self.bounds(connection, table)
        count = sa.text(table.without_time(quote, self.no_time))
        n_without = int(connection.execute(count).scalar_one())
        notes = without_day(n_without, table.table, table.time_column)
        return table.query(quote, bounds), self.never_null(connection, table), notes

    def _batches(self, connection: Connection, query: str) -> Iterator[pa.RecordBatch]:
        """Read batches, at least one, maybe empty."""
        import sqlalchemy as sa

        values = {name: self.bound(name) for name in PLACEHOLDER.findall(query)}
        # SQLAlchemy finds no parameter that a cast (`::date`) follows at once.
        text = PLACEHOLDER.sub(r":\1 ", query)
        options = {"stream_results": True, "max_row_buffer": _BATCH_ROWS}
        result = connection.execution_options(**options).execute(sa.text(text), values)
        fields = self.fields(connection, result, text, values)
        rows = result.fetchmany(_BATCH_ROWS)
        while True:
            batch = self._batch(rows, fields)
            rows = []  # or two batches of Python's objects would be in memory at once
            yield batch
            if not (rows := result.fetchmany(_BATCH_ROWS)):
                return

    def _batch(self, rows: Sequence[Any], fields: Sequence[pa.Field]) -> pa.RecordBatch:
        import pyarrow as pa

        columns = list(zip(*rows, strict=True)) or [()] * len(fields)
        arrays = [self._column(*column) for column in zip(columns, fields, strict=True)]
        read = [field.with_type(a.type) for field, a in zip(fields, arrays, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(read))

    def _column(self, values: Sequence[Any], field: pa.Field) -> pa.Array:
        import pyarrow as pa

        try:
            return self.column(values, field)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            failure = self.errors.value(field.name, field.type, error)
        raise failure


def _undeclared(name: str) -> pa.Field:
    import pyarrow as pa

    unknown = {"SOURCE:type": "of a type that is not declared"}
    return pa.field(name, pa.binary(), metadata=unknown)


def _typed(values: Sequence[Any], wanted: pa.DataType, rules: Rules) -> pa.Array:
    """Read values into the wanted type, or into one that the contract may have converted."""
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {bytes, memoryview} or (str in kinds and kinds != {str}):
        raise TypeError(f"{_names(kinds)} found")
    if pa.types.is_temporal(wanted):
        return _times(values, wanted, kinds, rules)
    if Decimal in kinds:
        return pa.array(values)
    if pa.types.is_integer(wanted) and float in kinds:
        values = [_whole(value) for value in values]
    if pa.types.is_boolean(wanted):  # databases without booleans give 0 and 1
        values = [bool(value) if value in (0, 1) else value for value in values]
    return pa.array(values, wanted)


def _whole(value: Any) -> Any:
    """Return a whole number that is stored as a float as one; Arrow would cut 1.5 to 1."""
    if not isinstance(value, float):
        return value
    if not value.is_integer():
        raise TypeError(f"{value} found")
    return int(value)


def _times(values: Sequence[Any], wanted: pa.DataType, kinds: set[type], rules: Rules) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not kinds:
        return pa.nulls(len(values), wanted)
    if kinds == {str}:
        return parse_text(pa.array(values, pa.string()), wanted, rules)
    if kinds == {date}:
        return pa.array(values, pa.date32())
    if kinds != {datetime} or pa.types.is_date(wanted):
        # Arrow would take numbers for microseconds since 1970.
        raise TypeError(f"{_names(kinds)} found; an instant has date, time and zone")
    local = [None if value is None or value.tzinfo else value for value in values]
    instants = pa.array([v if v is not None and v.tzinfo else None for v in values], wanted)
    if instants.null_count > values.count(None):
        as_local = convert(pa.array(local, pa.timestamp("us")), wanted, rules)
        return pc.coalesce(instants, as_local)
    return instants


def _names(kinds: set[type]) -> str:
    return " and ".join(sorted(kind.__name__ for kind in kinds))
