"""PostgreSQL: Arrow batches by ADBC, streamed from one COPY; without ADBC rows by psycopg2."""

from __future__ import annotations

import contextlib
import re
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from mlops_tasks.sources.errors import attempt, guarded
from mlops_tasks.sources.source import SourceStream
from mlops_tasks.sources.sqlalchemy import LOGIN_REFUSED, SqlAlchemyReader
from mlops_tasks.sources.tables import DayOfTable, table_of, without_day
from mlops_tasks.specs.source import PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from sqlalchemy import URL, Connection, CursorResult

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.partitions import Partition
    from mlops_tasks.sources.errors import SourceErrors
    from mlops_tasks.sources.source import Request
    from mlops_tasks.sources.tables import WholeTable
    from mlops_tasks.specs.source import SqlSource

__all__ = ["URL_OPTIONS", "AdbcReader", "Psycopg2Reader", "has_adbc", "postgres_reader"]

#: What a connection's extra may set.
URL_OPTIONS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "target_session_attrs",
)
# And what we do: a dead server is noticed within a minute.
_DEFAULTS = {
    "connect_timeout": "10",
    "application_name": "mlops-airflow",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
_BATCH_OPTION = "adbc.postgresql.batch_size_hint_bytes"
_BATCH_BYTES = 4 * 2**20
# Whether columns may be null, of a table; a view declares nothing.
_DECLARED = """
SELECT a.attname::text, a.attnotnull FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_NO_TIME = "NOT isfinite({column})"
_TIMES = {"timestamptz", "timestamp", "date"}
_BOUND = re.compile(r"[0-9T:.+-]+")
# Classes of SQLSTATE that pass: lost connection, aborted transaction, resources, operator, system.
_PASSING = ("08", "40", "53", "55", "57", "58")
_ACCESS = ("28", "3D", "42501")


def postgres_reader(url: URL, request: Request[SqlSource]) -> AdbcReader | Psycopg2Reader:
    """Return a reader by ADBC, or by psycopg2 on a machine for which ADBC is not built."""
    return (AdbcReader if has_adbc() else Psycopg2Reader)(url, request)


def has_adbc() -> bool:
    """Return whether ADBC's driver is installed."""
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        return False
    return dbapi is not None


class AdbcReader:
    """Read a PostgreSQL by ADBC.

    COPY takes no parameters and a cursor is never planned in parallel, so the day's bounds become
    literals of the type that the server wants at their place. They are digits and signs, whatever
    was asked for. Read back from settings, they would cost a parse for every row, and the planner
    would not know them. The transaction is read-only.
    """

    def __init__(self, url: URL, request: Request[SqlSource]) -> None:
        self.url = url
        self.request = request
        self.errors = request.errors

    @contextmanager
    def open(self) -> Iterator[SourceStream]:
        """Open the result of the source's query as batches of about 4 MB."""
        from adbc_driver_postgresql import dbapi

        connection = attempt(lambda: dbapi.connect(_conninfo(self.url)), self.explain_login)
        with _quietly(connection), _quietly(connection.cursor()) as cursor:
            table = table_of(self.request.source)
            never_null = attempt(lambda: self._begin(cursor, table), self.explain)
            reader, notes = attempt(lambda: self._execute(cursor, table), self.explain)
            yield SourceStream(
                reader.schema,
                guarded(reader, self.explain),
                "PostgreSQL by ADBC",
                cancel=lambda: _cancel(cursor),
                never_null=never_null,
                notes=notes,
            )

    def _begin(self, cursor: Any, table: WholeTable | None) -> frozenset[str] | None:
        """Begin the transaction; return the columns that a table keeps from being null."""
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(
            "SELECT set_config('TimeZone', $1, true)", (self.request.partition.timezone,)
        )
        cursor.fetchall()
        if table is None:
            return None
        cursor.execute(_DECLARED, (table.quoted(_quote),))
        found = cursor.fetchall()
        return frozenset(name for name, not_null in found if not_null) if found else None

    def _execute(
        self, cursor: Any, table: WholeTable | None
    ) -> tuple[pa.RecordBatchReader, tuple[str, ...]]:
        """Begin to read the rows; return also what is to be reported of a table."""
        query = self._query(table)
        numbered, names = _numbered(query)
        # A line of its own, so that a comment at the query's end does not swallow what follows.
        kinds = [_kind(field) for field in (cursor.adbc_prepare(f"{numbered}\n") if names else [])]
        day = table if isinstance(table, DayOfTable) else None
        if day and not _TIMES.issuperset(kinds):
            raise self.errors.query(day.holds_no_time(kinds[0]))
        notes = _notes(cursor, day) if day else ()
        bounds = zip(names, kinds, strict=True)
        literals = [_literal(self.request.partition, name, kind) for name, kind in bounds]
        cursor.adbc_statement.set_options(**{_BATCH_OPTION: str(_BATCH_BYTES)})
        cursor.execute(f"{_filled(query, literals)}\n")
        # The plain reader loses the SQLSTATE of an error in the middle; ADBC's own does not.
        reader = getattr(getattr(cursor, "_results", None), "reader", None)
        return reader or cursor.fetch_record_batch(), notes

    def _query(self, table: WholeTable | None) -> str:
        if isinstance(table, DayOfTable):
            return table.query(_quote)
        return table.every_row(_quote) if table else str(self.request.source.query).rstrip("; \n\t")

    def explain_login(self, error: Exception) -> MlopsError:
        """Make an error of what went wrong before the connection was there."""
        text = str(error)
        refused = any(part in text for part in LOGIN_REFUSED)
        return self.errors.access(text) if refused else self.errors.unavailable(text)

    def explain(self, error: Exception) -> MlopsError | None:
        """Make an error of what went wrong afterwards."""
        from adbc_driver_manager import Error

        if not isinstance(error, (Error, OSError)):
            return None
        state = getattr(error, "sqlstate", None)
        if state is not None:
            return _by_sqlstate(state, error, self.errors)
        # Lost in the middle of the stream; only the text says who failed.
        return (self.errors.query if "ERROR:" in str(error) else self.errors.unavailable)(error)


class Psycopg2Reader(SqlAlchemyReader):
    """Read a PostgreSQL by SQLAlchemy and psycopg2."""

    set_up = ("SET TRANSACTION READ ONLY", "SELECT set_config('TimeZone', :zone, true)")
    no_time = _NO_TIME

    def begin(self, connection: Connection) -> None:
        """Have psycopg2 fail at infinity, for which it would give the last day of 9999."""
        if connection.dialect.driver == "psycopg2":
            _refuse_infinity(connection.connection.dbapi_connection)
        super().begin(connection)

    def declared(
        self,
        connection: Connection,
        result: CursorResult[Any],
        query: str,
        values: Mapping[str, Any],
    ) -> dict[str, pa.Field]:
        """Return the columns by the numbers that PostgreSQL has for types."""
        import pyarrow as pa

        types = {
            pa.bool_(): (16,),
            pa.int64(): (20, 21, 23),
            pa.float64(): (700, 701),
            pa.decimal128(38, 0): (1700,),
            pa.string(): (18, 19, 25, 1042, 1043),
            pa.date32(): (1082,),
            pa.timestamp("us"): (1114,),
            pa.timestamp("us", tz="UTC"): (1184,),
        }
        by_number = {number: kind for kind, numbers in types.items() for number in numbers}
        cursor: Any = result.cursor
        return {
            name: pa.field(name, by_number.get(code, pa.null()))
            for name, code, *_ in cursor.description
        }

    def explain(self, error: Exception) -> MlopsError | None:
        """Go by the standard's code."""
        cause = getattr(error, "orig", None)
        state = getattr(cause, "pgcode", None)
        if state is None:
            return super().explain(error)
        return _by_sqlstate(state, cause, self.errors)


def _by_sqlstate(state: str, error: object, errors: SourceErrors) -> MlopsError:
    """Decide by the standard's code whether a retry, a right or another query is needed."""
    if state.startswith(_PASSING):
        return errors.unavailable(error)
    return (errors.access if state.startswith(_ACCESS) else errors.query)(error)


# --- a day's bounds, as literals


def _notes(cursor: Any, table: DayOfTable) -> tuple[str, ...]:
    cursor.execute(table.without_time(_quote, _NO_TIME))
    ((n_rows,),) = cursor.fetchall()
    return without_day(n_rows, table.table, table.time_column)


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


def _literal(partition: Partition, name: str, kind: str) -> str:
    text = _text(partition, name, kind)
    if not _BOUND.fullmatch(text):
        raise ValueError(f"{name} is {text!r}, which is no bound of a day")
    return f"CAST('{text}' AS {kind})"


def _unescaped(query: str) -> str:
    return query.replace("\\:", ":")


def _text(partition: Partition, name: str, kind: str) -> str:
    """Write a bound as the type that the server wants at its place."""
    value = partition.bound(name)
    if not isinstance(value, datetime):
        return value
    if kind == "timestamptz":
        return value.replace(tzinfo=value.tzinfo or ZoneInfo(partition.timezone)).isoformat()
    local = partition.bound(f"local_{name.removeprefix('local_')}")
    if kind == "timestamp" and isinstance(local, datetime):
        return local.isoformat()
    if kind == "date" and isinstance(local, datetime):
        return local.date().isoformat()
    return value.isoformat()


# --- drivers


def _conninfo(url: URL) -> str:
    query = {key: str(value) for key, value in url.query.items() if key in URL_OPTIONS}
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


def _refuse_infinity(connection: Any) -> None:
    """Have one connection of psycopg2 fail at a time that is infinity."""
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
