"""MySQL and MariaDB: rows by a server-side cursor, values as text, read by Arrow."""

from __future__ import annotations

import contextlib
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.failures import attempt, guarded
from mlops_tasks.sources.stream import SourceStream
from mlops_tasks.sources.tables import without_day
from mlops_tasks.sources.text_values import parse_text
from mlops_tasks.specs.source import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from sqlalchemy import URL

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Day
    from mlops_tasks.sources.connections import Database
    from mlops_tasks.sources.expected import Expected
    from mlops_tasks.sources.failures import Failures
    from mlops_tasks.sources.tables import DayOfTable

__all__ = ["read_mysql"]

_BATCH_ROWS = 20_000
_SWITCHES: dict[Any, bool] = {"True": True, "true": True, "False": False, "false": False}
_ALLOWED = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity")
# Times come and go in UTC; the rows of one query are one state of the tables.
_SET_UP = ("SET SESSION time_zone = '+00:00'", "START TRANSACTION READ ONLY")
# access denied, unknown database, no right to a table or column
_ACCESS = {1044, 1045, 1049, 1142, 1143, 1227, 1698}
# too many connections, killed, lock wait, deadlock, shutdown; 2xxx is the client: no connection
_CLIENT = 2
# The "character set" of what is no text.
_BINARY = 63
_BITS = {b"\x00": "0", b"\x01": "1"}
_PASSING = {1040, 1053, 1077, 1152, 1184, 1203, 1205, 1213, 1226, 1317, 1927, 3024, 1969}


@contextmanager
def read_mysql(
    query: str | DayOfTable,
    day: Day,
    database: Database,
    failures: Failures,
    expected: Expected,
) -> Iterator[SourceStream]:
    """Open a query's result as a stream of Arrow batches.

    Parameters
    ----------
    query : str or DayOfTable
        With placeholders.
    day : Day
        Bound to them; instants are bound as times in UTC, which TIMESTAMP columns compare with.
    database : Database
        The server.
    failures : Failures
        Makes the errors.
    expected : Expected
        Columns of the contract: MySQL has no booleans, so TINYINT and BIT become some there.

    Yields
    ------
    SourceStream
        Batches of 20,000 rows.

    Notes
    -----
    A value travels as text in any case. pymysql would make a Python object of each; left as it
    is, Arrow reads a whole column at once, exactly, in two thirds of the time. FLOAT columns have
    the six digits that MySQL prints.
    """
    pymysql = _driver(failures)

    def explain(error: Exception) -> MlopsError | None:
        return _explain(error, failures)

    connection = attempt(lambda: pymysql.connect(**_arguments(database.url)), explain)
    with _quietly(connection) as cursor:
        text, notes = attempt(lambda: _begin(cursor, query, failures), explain)
        attempt(lambda: _execute(cursor, text, day), explain)
        declared = None if isinstance(query, str) else _never_null(cursor)
        batches = guarded(_read(cursor, expected, failures), explain)
        first = next(batches)
        yield SourceStream(
            first.schema,
            chain([first], batches),
            "MySQL by server-side cursor",
            never_null=declared,
            notes=notes,
        )


def _driver(failures: Failures) -> Any:
    try:
        import pymysql
    except ImportError:
        raise failures.access("MySQL needs a driver, install mlops-airflow[mysql]") from None
    return pymysql


def _arguments(url: URL) -> dict[str, Any]:
    from pymysql.converters import encoders
    from pymysql.cursors import SSCursor

    address = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
    }
    return {
        **{key: _SWITCHES.get(value, value) for key, value in url.query.items() if key in _ALLOWED},
        **{key: value for key, value in address.items() if value},
        "charset": "utf8mb4",
        "connect_timeout": 10,
        "read_timeout": 900,
        "cursorclass": SSCursor,
        "conv": encoders,  # no decoders: values stay text
    }


def _begin(cursor: Any, query: str | DayOfTable, failures: Failures) -> tuple[str, tuple[str, ...]]:
    """Begin the transaction; return the query, and what is to be reported of a table."""
    from pymysql.constants import FIELD_TYPE as KIND

    for statement in _SET_UP:
        cursor.execute(statement)
    if isinstance(query, str):
        return query, ()
    column = _quote(query.time_column)
    cursor.execute(f"SELECT {column} FROM {query.quoted(_quote)} LIMIT 0")  # noqa: S608 (quoted)
    ((_, code, *_),) = cursor.description
    cursor.fetchall()
    if code not in {KIND.TIMESTAMP, KIND.DATETIME, KIND.DATE}:
        raise failures.query(query.holds_no_time(_type(code, 0)))
    cursor.execute(query.without_time(_quote, "mysql"))
    ((n_without,),) = cursor.fetchall()
    notes = without_day(int(n_without), f"table {query.table!r}", query.time_column)
    return query.query(_quote, "instant" if code == KIND.TIMESTAMP else "local"), notes


def _never_null(cursor: Any) -> frozenset[str]:
    return frozenset(name for name, *_, null_ok in cursor.description if not null_ok)


def _quote(name: str) -> str:
    from sqlalchemy.dialects import mysql

    preparer: Any = mysql.dialect().identifier_preparer
    quoted: str = preparer.quote_identifier(name)
    return quoted


def _execute(cursor: Any, query: str, day: Day) -> None:
    names = set(PLACEHOLDER.findall(query))
    text = PLACEHOLDER.sub(r"%(\1)s", query.replace("%", "%%")).replace("\\:", ":")
    cursor.execute(text, {name: _bound(day, name) for name in names})


def _bound(day: Day, name: str) -> str:
    value = day.bound(name)
    if isinstance(value, datetime):  # the session's zone is UTC
        return value.replace(tzinfo=None).isoformat(sep=" ")
    return value


def _read(cursor: Any, expected: Expected, failures: Failures) -> Iterator[pa.RecordBatch]:
    """Read batches, at least one; the server's description of the result says the types."""
    import pyarrow as pa

    schema = pa.schema([_field(column, expected) for column in cursor._result.fields])
    rows = cursor.fetchmany(_BATCH_ROWS)
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    while True:
        arrays = [
            _column(values, field, expected, failures)
            for values, field in zip(columns, schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        if not (rows := cursor.fetchmany(_BATCH_ROWS)):
            return
        columns = list(zip(*rows, strict=True))


def _field(column: Any, expected: Expected) -> pa.Field:
    """Return the type of a column, of a field's description as pymysql has it."""
    import pyarrow as pa
    from pymysql.connections import TEXT_TYPES
    from pymysql.constants import FIELD_TYPE

    name, code = column.name, column.type_code
    if name in expected.left_out:
        return pa.field(name, pa.null())
    known = expected.type_of(name)
    wants_bool = known is not None and pa.types.is_boolean(known)
    if wants_bool and code in {FIELD_TYPE.TINY, FIELD_TYPE.BIT}:
        return pa.field(name, pa.bool_())
    if code in TEXT_TYPES and column.charsetnr == _BINARY:
        return pa.field(name, pa.binary())
    return pa.field(name, _type(code, column.scale))


def _type(code: int, scale: int) -> pa.DataType:
    import pyarrow as pa
    from pymysql.constants import FIELD_TYPE as KIND

    if code in {KIND.TINY, KIND.SHORT, KIND.LONG, KIND.LONGLONG, KIND.INT24, KIND.YEAR}:
        return pa.int64()
    if code in {KIND.DECIMAL, KIND.NEWDECIMAL}:
        return pa.decimal256(76, scale)
    kinds = {
        KIND.FLOAT: pa.float64(),
        KIND.DOUBLE: pa.float64(),
        KIND.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        KIND.DATETIME: pa.timestamp("us"),
        KIND.DATE: pa.date32(),
        KIND.TIME: pa.time64("us"),
        KIND.BIT: pa.binary(),
        KIND.GEOMETRY: pa.binary(),
        KIND.NULL: pa.null(),
    }
    return kinds.get(code, pa.string())


def _column(
    values: Sequence[Any], field: pa.Field, expected: Expected, failures: Failures
) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    unread = (pa.types.is_binary, pa.types.is_time, pa.types.is_null)
    if any(kind(field.type) for kind in unread):  # no contract can ask for these
        return pa.nulls(len(values), field.type)
    try:
        if pa.types.is_boolean(field.type):  # BIT comes as bytes
            values = [_BITS.get(value, value) for value in values]
        if any(isinstance(value, bytes) for value in values):
            raise pa.ArrowInvalid("text and bytes stand side by side")
        texts = pa.array(values, pa.string())
        if not pa.types.is_timestamp(field.type):
            return parse_text(texts, field.type, expected.rules(field.name))
        times = pc.cast(texts, pa.timestamp("us"))
        return pc.assume_timezone(times, "UTC") if field.type.tz else times
    except (pa.ArrowException, TypeError) as error:
        failure = failures.value(field.name, field.type, error)
    raise failure


def _explain(error: Exception, failures: Failures) -> MlopsError | None:
    from pymysql.err import InterfaceError, MySQLError

    if not isinstance(error, (MySQLError, OSError)):
        return None
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if code in _ACCESS:
        return failures.access(error)
    lost = code in _PASSING or code // 1000 == _CLIENT or isinstance(error, InterfaceError)
    return (failures.unavailable if lost or not code else failures.query)(error)


@contextmanager
def _quietly(connection: Any) -> Iterator[Any]:
    """Give a cursor, and hang up afterwards, also in the middle of a result."""
    from pymysql.err import MySQLError

    cursor = connection.cursor()
    try:
        yield cursor
    finally:
        result = getattr(cursor, "_result", None)
        if result is not None:  # else pymysql would read all the rest first, or fail to
            result.unbuffered_active = False
        with contextlib.suppress(MySQLError, OSError):
            connection.close()
