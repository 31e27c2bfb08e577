"""Any other database, by SQLAlchemy: rows in chunks, each value checked against its column."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

from mlops_tasks.source_spec import PLACEHOLDER
from mlops_tasks.sources.conversion import parse_text
from mlops_tasks.sources.failures import attempt, guarded
from mlops_tasks.sources.postgres import LOGIN, by_sqlstate, refuse_infinity
from mlops_tasks.sources.stream import SourceStream
from mlops_tasks.sources.tables import never_null, time_column_holds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.sources.connections import Database
    from mlops_tasks.sources.day import Day
    from mlops_tasks.sources.failures import Failures
    from mlops_tasks.sources.tables import DayOfTable

__all__ = ["read_rows"]

_BATCH_ROWS = 20_000
# What makes a session read times in the day's zone and nothing else; for PostgreSQL without ADBC.
_SET_UP = {
    "postgresql": ("SET TRANSACTION READ ONLY", "SELECT set_config('TimeZone', :zone, true)"),
}
# Parts of messages about what other sessions do at the moment; databases share no code for it.
_PASSING = ("is locked", "deadlock", "lock timeout")


@contextmanager
def read_rows(
    query: str | DayOfTable,
    day: Day,
    database: Database,
    failures: Failures,
    known: pa.Schema,
) -> Iterator[SourceStream]:
    """Open a query's result as a stream of batches.

    Parameters
    ----------
    query : str or DayOfTable
        With placeholders.
    day : Day
        Bound to them.
    database : Database
        Anything that SQLAlchemy has a dialect for, SQLite among them.
    failures : Failures
        Makes the errors.
    known : Schema
        Columns of the contract and of the table. Values of a database that types each one by
        itself, as SQLite does, are read as these; other columns as their first values.

    Yields
    ------
    SourceStream
        Batches of 20,000 rows.
    """
    import sqlalchemy as sa

    def explain(error: Exception) -> MlopsError | None:
        return _explain(error, failures)

    def login(error: Exception) -> MlopsError | None:
        return _login(error, failures)

    engine = attempt(lambda: sa.create_engine(database.url, poolclass=sa.NullPool), login)
    connection = attempt(engine.connect, login)
    with connection:
        text, declared = attempt(lambda: _begin(connection, query, day, failures), explain)
        result = attempt(lambda: _execute(connection, text, day), explain)
        batches = guarded(_read(result, known, failures), explain)
        first = next(batches)
        described = f"{engine.dialect.name} by SQLAlchemy"
        stream = chain([first], batches)
        yield SourceStream(first.schema, stream, described, never_null=declared)


def _begin(
    connection: Connection, query: str | DayOfTable, day: Day, failures: Failures
) -> tuple[str, frozenset[str] | None]:
    """Begin the transaction; return the query, and what a table keeps from being null."""
    import sqlalchemy as sa

    if connection.dialect.driver == "psycopg2":
        refuse_infinity(connection.connection.dbapi_connection)
    for statement in _SET_UP.get(connection.dialect.name, ()):
        connection.execute(sa.text(statement), {"zone": day.timezone})
    if isinstance(query, str):
        return query, None
    holds = time_column_holds(query, connection, failures)
    text = query.query(connection.dialect.identifier_preparer.quote, holds)
    return text, never_null(query, sa.inspect(connection))


def _execute(connection: Connection, query: str, day: Day) -> CursorResult[Any]:
    import sqlalchemy as sa

    dialect = connection.dialect.name
    values = {name: _bound(day, name, dialect) for name in PLACEHOLDER.findall(query)}
    options = {"stream_results": True, "max_row_buffer": _BATCH_ROWS}
    # SQLAlchemy finds no parameter that a cast (`::date`) follows at once.
    text = PLACEHOLDER.sub(r":\1 ", query)
    return connection.execution_options(**options).execute(sa.text(text), values)


def _bound(day: Day, name: str, dialect: str) -> datetime | str:
    value = day.bound(name)
    if isinstance(value, datetime) and dialect == "sqlite":  # it has text only
        return value.replace(tzinfo=None).isoformat() + ("Z" if value.tzinfo else "")
    return value


def _read(
    result: CursorResult[Any], known: pa.Schema, failures: Failures
) -> Iterator[pa.RecordBatch]:
    """Read batches; the first one, maybe empty, shows the types of columns that are not known."""
    import pyarrow as pa

    names = list(result.keys())
    wanted = {field.name: field.type for field in known}
    chunks = result.partitions(_BATCH_ROWS)
    for rows in chain([next(chunks, [])], chunks):
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        arrays = [
            _column(values, wanted.get(name), name, failures)
            for name, values in zip(names, columns, strict=True)
        ]
        # What the first rows show of a column that nobody knows holds for all rows.
        wanted = dict(zip(names, (array.type for array in arrays), strict=True)) | wanted
        yield pa.RecordBatch.from_arrays(arrays, names=names)


def _column(
    values: Sequence[Any], wanted: pa.DataType | None, name: str, failures: Failures
) -> pa.Array:
    import pyarrow as pa

    if wanted is None:
        return _guessed(values)
    if pa.types.is_null(wanted) or pa.types.is_binary(wanted):
        return pa.nulls(len(values), wanted)  # not kept
    try:
        return _typed(values, wanted)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        failure = failures.value(name, wanted, error)
    raise failure


def _guessed(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa

    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError):  # values of several types
        return pa.nulls(len(values), pa.binary())
    return array if len(array) else pa.nulls(0)


def _typed(values: Sequence[Any], wanted: pa.DataType) -> pa.Array:
    """Read values into the wanted type, or into one that the contract may have converted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = {type(value) for value in values} - {type(None)}
    if kinds & {bytes, memoryview} or (str in kinds and kinds != {str}):
        raise TypeError(f"{_names(kinds)} found")
    if pa.types.is_temporal(wanted):
        return _times(values, wanted, kinds)
    if Decimal in kinds:
        return pa.array(values)
    if pa.types.is_integer(wanted) and kinds - {int, bool}:
        # Arrow would cut 1.5 to 1; whole numbers stored as floats are fine.
        return pc.cast(pa.array(values, pa.float64()), wanted)
    if pa.types.is_boolean(wanted):  # databases without booleans give 0 and 1
        values = [bool(value) if value in (0, 1) else value for value in values]
    return pa.array(values, wanted)


def _times(values: Sequence[Any], wanted: pa.DataType, kinds: set[type]) -> pa.Array:
    import pyarrow as pa

    if not kinds:
        return pa.nulls(len(values), wanted)
    if kinds == {str}:
        return parse_text(pa.array(values, pa.string()), wanted)
    if kinds == {date}:
        return pa.array(values, pa.date32())
    zoned = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
    if kinds - {datetime} or len(zoned) > 1 or pa.types.is_date(wanted):
        # Arrow would take numbers for microseconds since 1970, and any local time for UTC.
        raise TypeError(f"{_names(kinds)} found; an instant has date, time and zone")
    return pa.array(values, pa.timestamp("us", tz="UTC" if True in zoned else None))


def _names(kinds: set[type]) -> str:
    return " and ".join(sorted(kind.__name__ for kind in kinds))


def _login(error: Exception, failures: Failures) -> MlopsError | None:
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, ImportError):
        return failures.access(f"{error}: install the driver that the connection asks for")
    if not isinstance(error, SQLAlchemyError | OSError):
        return None
    reason = getattr(error, "orig", error)
    refused = any(part in str(reason) for part in LOGIN)
    return (failures.access if refused else failures.unavailable)(reason)


def _explain(error: Exception, failures: Failures) -> MlopsError | None:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    if not isinstance(error, DBAPIError):
        return failures.query(error) if isinstance(error, SQLAlchemyError) else None
    state = getattr(error.orig, "pgcode", None)
    if state is not None:
        return by_sqlstate(state, error.orig, failures)
    passing = error.connection_invalidated or any(p in str(error.orig) for p in _PASSING)
    return (failures.unavailable if passing else failures.query)(error.orig)
