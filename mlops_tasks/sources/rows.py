"""Any other database, by SQLAlchemy: rows in chunks, each value checked against its column."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_tasks.sources.conversion import convert
from mlops_tasks.sources.declared_types import postgres_fields, sqlite_fields
from mlops_tasks.sources.failures import attempt, guarded
from mlops_tasks.sources.postgres import LOGIN, by_sqlstate, refuse_infinity
from mlops_tasks.sources.sqlite import existing_file
from mlops_tasks.sources.stream import SourceStream
from mlops_tasks.sources.tables import never_null, time_column_holds, without_day
from mlops_tasks.sources.text_values import parse_text
from mlops_tasks.specs.source import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Day
    from mlops_tasks.sources.connections import Database
    from mlops_tasks.sources.expected import Expected
    from mlops_tasks.sources.failures import Failures
    from mlops_tasks.sources.rules import Rules
    from mlops_tasks.sources.tables import DayOfTable

__all__ = ["read_rows"]

_BATCH_ROWS = 20_000
# What makes a session read times in the day's zone and nothing else; for PostgreSQL without ADBC.
_SET_UP = {
    "sqlite": ("BEGIN",),  # the columns' types are asked of the very rows that are read
    "postgresql": ("SET TRANSACTION READ ONLY", "SELECT set_config('TimeZone', :zone, true)"),
}
# How other databases say at the login that trying again is of no use.
_REFUSED = ("unable to open database file", "Login failed", "Access denied", "ORA-01017")
# Parts of messages about what other sessions do at the moment; databases share no code for it.
_PASSING = ("is locked", "deadlock", "lock timeout")


@contextmanager
def read_rows(
    query: str | DayOfTable,
    day: Day,
    database: Database,
    failures: Failures,
    expected: Expected,
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
    expected : Expected
        Columns of the contract and of the table. Values of a database that types each one by
        itself, as SQLite does, are read as these. Of other columns PostgreSQL and SQLite are asked
        for the type, another database's are not read.

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

    url = database.url
    if url.get_backend_name() == "sqlite":
        url = existing_file(url, failures)
    engine = attempt(lambda: sa.create_engine(url, poolclass=sa.NullPool), login)
    connection = attempt(engine.connect, login)
    with connection:
        begun = attempt(lambda: _begin(connection, query, day, failures), explain)
        result, fields = attempt(lambda: _execute(connection, begun.query, day, expected), explain)
        batches = guarded(_read(result, fields, expected, failures), explain)
        first = next(batches)
        yield SourceStream(
            first.schema,
            chain([first], batches),
            f"{engine.dialect.name} by SQLAlchemy",
            never_null=begun.never_null,
            notes=begun.notes,
        )


class _Begun(NamedTuple):
    """The query, what a table keeps from being null, and what is to be reported of it."""

    query: str
    never_null: frozenset[str] | None = None
    notes: tuple[str, ...] = ()


def _begin(connection: Connection, query: str | DayOfTable, day: Day, failures: Failures) -> _Begun:
    """Begin the transaction, and ask a table what it holds."""
    import sqlalchemy as sa

    dialect = connection.dialect
    if dialect.driver == "psycopg2":
        refuse_infinity(connection.connection.dbapi_connection)
    for statement in _SET_UP.get(dialect.name, ()):
        connection.execute(sa.text(statement), {"zone": day.timezone})
    if isinstance(query, str):
        return _Begun(query)
    holds = time_column_holds(query, connection, failures)
    quoted = dialect.identifier_preparer.quote
    n_without = connection.execute(sa.text(query.without_time(quoted, dialect.name))).scalar_one()
    return _Begun(
        query.query(quoted, holds),
        never_null(query, sa.inspect(connection)),
        without_day(n_without, f"table {query.table!r}", query.time_column),
    )


def _execute(
    connection: Connection, query: str, day: Day, expected: Expected
) -> tuple[CursorResult[Any], dict[str, pa.Field]]:
    """Begin to read the rows; return also the columns that nothing but the database knows."""
    import sqlalchemy as sa

    dialect = connection.dialect.name
    values = {name: _bound(day, name, dialect) for name in PLACEHOLDER.findall(query)}
    options = {"stream_results": True, "max_row_buffer": _BATCH_ROWS}
    # SQLAlchemy finds no parameter that a cast (`::date`) follows at once.
    text = PLACEHOLDER.sub(r":\1 ", query)
    result = connection.execution_options(**options).execute(sa.text(text), values)
    names = list(result.keys())
    if not any(_is_unknown(name, expected) for name in names):
        return result, {}
    if dialect == "sqlite":
        return result, sqlite_fields(connection, text, values, names)
    return result, postgres_fields(result) if dialect == "postgresql" else {}


def _is_unknown(name: str, expected: Expected) -> bool:
    return not expected.knows(name) and name not in expected.left_out


def _bound(day: Day, name: str, dialect: str) -> datetime | str:
    value = day.bound(name)
    if isinstance(value, datetime) and dialect == "sqlite":  # it has text only
        return value.replace(tzinfo=None).isoformat() + ("Z" if value.tzinfo else "")
    return value


def _read(
    result: CursorResult[Any],
    fields: Mapping[str, pa.Field],
    expected: Expected,
    failures: Failures,
) -> Iterator[pa.RecordBatch]:
    """Read batches, at least one, maybe empty."""
    import pyarrow as pa

    names = list(result.keys())
    chunks = result.partitions(_BATCH_ROWS)
    for rows in chain([next(chunks, [])], chunks):
        columns = list(zip(*rows, strict=True)) or [()] * len(names)
        arrays, read = [], []
        for name, values in zip(names, columns, strict=True):
            field = _field(name, fields, expected)
            arrays.append(_column(values, field, expected, failures))
            read.append(field.with_type(arrays[-1].type))
        yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(read))


def _field(name: str, fields: Mapping[str, pa.Field], expected: Expected) -> pa.Field:
    import pyarrow as pa

    if expected.knows(name):
        return pa.field(name, expected.type_of(name))
    return pa.field(name, pa.null()) if name in expected.left_out else fields.get(name, _told(name))


def _told(name: str) -> pa.Field:
    import pyarrow as pa

    return pa.field(name, pa.binary(), metadata={"SOURCE:type": "of a type that is not told"})


def _column(
    values: Sequence[Any], field: pa.Field, expected: Expected, failures: Failures
) -> pa.Array:
    import pyarrow as pa

    kind = field.type
    unread = (pa.types.is_null, pa.types.is_binary, pa.types.is_decimal)
    if any(is_kind(kind) for is_kind in unread):
        return pa.nulls(len(values), kind)  # not kept
    try:
        return _typed(values, kind, expected.rules(field.name))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        failure = failures.value(field.name, kind, error)
    raise failure


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


def _login(error: Exception, failures: Failures) -> MlopsError | None:
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    if isinstance(error, ImportError):
        return failures.access(f"{error}: install the driver that the connection asks for")
    if isinstance(error, ArgumentError):  # an unknown dialect among them
        return failures.access(f"{error}: the connection's type is the SQLAlchemy dialect")
    if not isinstance(error, SQLAlchemyError | OSError):
        return None
    reason = getattr(error, "orig", error)
    refused = any(part in str(reason) for part in (*LOGIN, *_REFUSED))
    return (failures.access if refused else failures.unavailable)(reason)


def _explain(error: Exception, failures: Failures) -> MlopsError | None:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    if isinstance(error, ValueError | OverflowError):  # a driver finds no Python value for one
        return failures.query(f"a value cannot be read: {error}")
    if not isinstance(error, DBAPIError):
        return failures.query(error) if isinstance(error, SQLAlchemyError) else None
    state = getattr(error.orig, "pgcode", None)
    if state is not None:
        return by_sqlstate(state, error.orig, failures)
    passing = error.connection_invalidated or any(p in str(error.orig) for p in _PASSING)
    return (failures.unavailable if passing else failures.query)(error.orig)
