"""PostgreSQL: Arrow batches by ADBC, streamed from one COPY."""

from __future__ import annotations

import contextlib
import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from mlops_tasks.sources.failures import attempt, guarded
from mlops_tasks.sources.stream import SourceStream
from mlops_tasks.sources.tables import DayOfTable, without_day
from mlops_tasks.specs.source import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from sqlalchemy import URL

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Day
    from mlops_tasks.sources.connections import Database
    from mlops_tasks.sources.failures import Failures

__all__ = ["LOGIN", "by_sqlstate", "has_driver", "read_postgres", "refuse_infinity"]

# What a connection's extra may set, and what we do: a dead server is noticed within a minute.
_ALLOWED = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "target_session_attrs",
)
_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"
_BATCH_BYTES = 4 * 2**20
_DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "mlops-airflow",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
# Whether columns may be null, of a table; a view declares nothing.
_DECLARED = """
SELECT a.attname::text, a.attnotnull FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_TIMES = {"timestamptz", "timestamp", "date"}
_BOUND = re.compile(r"[0-9T:.+-]+")
# Classes of SQLSTATE that pass: lost connection, aborted transaction, resources, operator, system.
_PASSING = ("08", "40", "53", "55", "57", "58")
_ACCESS = ("28", "3D", "42501")
# How a server says at the login that trying again is of no use.
LOGIN = ("authentication failed", "no pg_hba.conf entry", "does not exist", "permission denied")


def has_driver() -> bool:
    """Tell whether ADBC's driver is installed; it is not built for every machine."""
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        return False
    return dbapi is not None


@contextmanager
def read_postgres(
    query: str | DayOfTable, day: Day, database: Database, failures: Failures
) -> Iterator[SourceStream]:
    """Open a query's result as a stream of Arrow batches.

    Parameters
    ----------
    query : str or DayOfTable
        With placeholders.
    day : Day
        Bound to them.
    database : Database
        The server.
    failures : Failures
        Makes the errors.

    Yields
    ------
    SourceStream
        Batches of about 4 MB, whatever the size of the result.

    Notes
    -----
    COPY takes no parameters and a cursor is never planned in parallel, so the day's bounds become
    literals of the type that the server wants at their place. They are digits and signs, whatever
    was asked for. Read back from settings, they would cost a parse for every row, and the planner
    would not know them. The transaction is read-only.
    """
    from adbc_driver_postgresql import dbapi

    connection = attempt(
        lambda: dbapi.connect(_conninfo(database.url)), lambda error: _login(error, failures)
    )
    with _quietly(connection), _quietly(connection.cursor()) as cursor:

        def explain(error: Exception) -> MlopsError | None:
            return _explain(error, failures)

        declared = attempt(lambda: _begin(cursor, query, day), explain)
        reader, notes = attempt(lambda: _execute(cursor, query, day, failures), explain)
        yield SourceStream(
            reader.schema,
            guarded(reader, explain),
            "PostgreSQL by ADBC",
            cancel=lambda: _cancel(cursor),
            never_null=declared,
            notes=notes,
        )


def _begin(cursor: Any, query: str | DayOfTable, day: Day) -> frozenset[str] | None:
    """Begin the transaction; return the columns that a table keeps from being null."""
    cursor.execute("SET TRANSACTION READ ONLY")
    cursor.execute("SELECT set_config('TimeZone', $1, true)", (day.timezone,))
    cursor.fetchall()
    if isinstance(query, str):
        return None
    cursor.execute(_DECLARED, (query.quoted(_quote),))
    found = cursor.fetchall()
    return frozenset(name for name, not_null in found if not_null) if found else None


def _notes(cursor: Any, table: DayOfTable) -> tuple[str, ...]:
    cursor.execute(table.without_time(_quote, "postgresql"))
    ((n_rows,),) = cursor.fetchall()
    return without_day(n_rows, f"table {table.table!r}", table.time_column)


def _execute(
    cursor: Any, wanted: str | DayOfTable, day: Day, failures: Failures
) -> tuple[pa.RecordBatchReader, tuple[str, ...]]:
    """Begin to read the rows; return also what is to be reported of a table."""
    query = wanted.rstrip("; \n\t") if isinstance(wanted, str) else wanted.query(_quote)
    numbered, names = _numbered(query)
    # A line of its own, so that a comment at the query's end does not swallow what follows.
    kinds = [_kind(field) for field in (cursor.adbc_prepare(f"{numbered}\n") if names else [])]
    if isinstance(wanted, DayOfTable) and not _TIMES.issuperset(kinds):
        raise failures.query(wanted.holds_no_time(kinds[0]))
    notes = _notes(cursor, wanted) if isinstance(wanted, DayOfTable) else ()
    literals = [_literal(day, name, kind) for name, kind in zip(names, kinds, strict=True)]
    cursor.adbc_statement.set_options(**{_BATCH_OPTION: str(_BATCH_BYTES)})
    cursor.execute(f"{_filled(query, literals)}\n")
    # The plain reader loses the SQLSTATE of an error in the middle; ADBC's own does not.
    reader = getattr(getattr(cursor, "_results", None), "reader", None)
    return reader or cursor.fetch_record_batch(), notes


def _quote(name: str) -> str:
    from sqlalchemy.dialects import postgresql

    preparer: Any = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
    quoted: str = preparer.quote_identifier(name)
    return quoted


def _numbered(query: str) -> tuple[str, list[str]]:
    """Give each place a number of its own: one name may have two types in a query."""
    names = PLACEHOLDER.findall(query)
    numbers = iter(range(1, len(names) + 1))
    return _unescaped(PLACEHOLDER.sub(lambda _: f"${next(numbers)}", query)), names


def _kind(parameter: pa.Field) -> str:
    """Return the server's own name of the type that a parameter has at its place."""
    name = (parameter.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
    return name if name.isalnum() else "text"


def _filled(query: str, literals: list[str]) -> str:
    places = iter(literals)
    return _unescaped(PLACEHOLDER.sub(lambda _: next(places), query))


def _literal(day: Day, name: str, kind: str) -> str:
    text = _text(day, name, kind)
    if not _BOUND.fullmatch(text):
        raise ValueError(f"{name} is {text!r}, which is no bound of a day")
    return f"CAST('{text}' AS {kind})"


def _unescaped(query: str) -> str:
    return query.replace("\\:", ":")


def _text(day: Day, name: str, kind: str) -> str:
    """Write a bound as the type that the server wants at its place."""
    value = day.bound(name)
    if not isinstance(value, datetime):
        return value
    if kind == "timestamptz":
        return value.replace(tzinfo=value.tzinfo or ZoneInfo(day.timezone)).isoformat()
    local = day.bound(f"local_{name.removeprefix('local_')}")
    if kind == "timestamp" and isinstance(local, datetime):
        return local.isoformat()
    if kind == "date" and isinstance(local, datetime):
        return local.date().isoformat()
    return value.isoformat()


def _conninfo(url: URL) -> str:
    query = {key: str(value) for key, value in url.query.items() if key in _ALLOWED}
    address = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    parts = _DEFAULTS | query | {key: str(value) for key, value in address.items() if value}
    return " ".join(f"{key}='{_quoted(value)}'" for key, value in parts.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def _login(error: Exception, failures: Failures) -> MlopsError:
    text = str(error)
    refused = any(part in text for part in LOGIN)
    return failures.access(text) if refused else failures.unavailable(text)


def _explain(error: Exception, failures: Failures) -> MlopsError | None:
    from adbc_driver_manager import Error

    if not isinstance(error, (Error, OSError)):
        return None
    state = getattr(error, "sqlstate", None)
    if state is None:  # lost in the middle of the stream; only the text tells who failed
        return (failures.query if "ERROR:" in str(error) else failures.unavailable)(error)
    return by_sqlstate(state, error, failures)


def by_sqlstate(state: str, error: object, failures: Failures) -> MlopsError:
    """Tell from the standard's code whether a retry, a right or another query is needed.

    Parameters
    ----------
    state : str
        SQLSTATE, five characters.
    error : object
        What the server said.
    failures : Failures
        Makes the errors.

    Returns
    -------
    MlopsError
        To be raised.
    """
    if state.startswith(_PASSING):
        return failures.unavailable(error)
    return (failures.access if state.startswith(_ACCESS) else failures.query)(error)


def refuse_infinity(connection: Any) -> None:
    """Have psycopg2 fail at a time that is infinity: it would give the last day of 9999 for it.

    Parameters
    ----------
    connection : connection
        Of psycopg2; no other one is changed.
    """
    from psycopg2 import DataError, extensions  # type: ignore[import-untyped]

    def refusing(read: Any) -> Any:
        def checked(text: str | None, cursor: Any) -> Any:
            if text is not None and text.endswith("infinity"):
                raise DataError("a time is infinity, which is no instant; replace it in the query")
            return read(text, cursor)

        return checked

    kinds = {1082: extensions.PYDATE, 1114: extensions.PYDATETIME, 1184: extensions.PYDATETIMETZ}
    for oid, read in kinds.items():
        kind = extensions.new_type((oid,), f"FINITE_{oid}", refusing(read))
        extensions.register_type(kind, connection)


def _cancel(cursor: Any) -> None:
    from adbc_driver_manager import Error

    with contextlib.suppress(Error, OSError):
        cursor.adbc_cancel()


@contextmanager
def _quietly(resource: Any) -> Iterator[Any]:
    """Close what may be broken already; the error that matters was raised before."""
    from adbc_driver_manager import Error

    try:
        yield resource
    finally:
        with contextlib.suppress(Error, OSError):
            resource.close()
