"""MySQL and MariaDB: values travel as text, are left as it, and are read by Arrow."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader
from mlops_tasks.sources.tables import INSTANTS, LOCAL_TIMES, DayOfTable
from mlops_tasks.sources.text_values import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from sqlalchemy import Connection, CursorResult, Engine

    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.sources.tables import WholeTable

__all__ = ["URL_OPTIONS", "MysqlReader"]

#: What a connection's extra may set: nothing but TLS.
URL_OPTIONS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity")
_SWITCHES: dict[Any, bool] = {"True": True, "true": True, "False": False, "false": False}
# access denied, unknown database, no right to a table or column
_ACCESS = {1044, 1045, 1049, 1142, 1143, 1227, 1698}
# too many connections, killed, lock wait, deadlock, shutdown; 2xxx is the client: no connection
_PASSING = {1040, 1053, 1077, 1152, 1184, 1203, 1205, 1213, 1226, 1317, 1927, 3024, 1969}
_CLIENT = 2
# The "character set" of what is no text.
_BINARY = 63
_BITS = {b"\x00": "0", b"\x01": "1"}


class MysqlReader(SqlAlchemyReader):
    """Read a MySQL or MariaDB.

    The server sends every value as text. pymysql would make a Python object of each; left as it
    is, Arrow reads a whole column at once, exactly, in half the time. FLOAT columns have the six
    digits that MySQL prints.
    """

    # Times come and go in UTC; the rows of one query are one state of the tables.
    set_up = ("SET SESSION time_zone = '+00\\:00'", "START TRANSACTION READ ONLY")
    no_time = "{column} = 0"  # a "zero date"

    def engine(self) -> Engine:
        """Return an engine of pymysql whose values stay text."""
        import sqlalchemy as sa
        from pymysql.converters import encoders

        arguments = {key: _SWITCHES.get(v, v) for key, v in self._options().items()}
        return sa.create_engine(
            self.url.set(drivername="mysql+pymysql", query={"charset": "utf8mb4"}),
            poolclass=sa.NullPool,
            connect_args={
                **arguments,
                "connect_timeout": 10,
                "read_timeout": 900,
                "conv": encoders,
            },
        )

    def _options(self) -> dict[str, Any]:
        return {key: value for key, value in self.url.query.items() if key in URL_OPTIONS}

    @contextmanager
    def connected(self, engine: Engine) -> Iterator[Connection]:
        """Hang up on leaving: pymysql would read the rest of a result first, or fail to."""
        with super().connected(engine) as connection:
            driver: Any = connection.connection.dbapi_connection
            try:
                yield connection
            finally:
                if driver._result is not None:
                    driver._result.unbuffered_active = False
                if not connection.invalidated:
                    connection.invalidate()

    def bounds(self, connection: Connection, table: DayOfTable) -> tuple[str, str]:
        """Ask the server what the time column is, of a view too."""
        from pymysql.constants import FIELD_TYPE as KIND

        column = connection.dialect.identifier_preparer.quote(table.time_column)
        ((_, code, *_),) = _described(connection, table, column)
        if code not in {KIND.TIMESTAMP, KIND.DATETIME, KIND.DATE}:
            raise self.errors.query(table.holds_no_time(_type(code, 0)))
        return INSTANTS if code == KIND.TIMESTAMP else LOCAL_TIMES

    def never_null(self, connection: Connection, table: WholeTable) -> frozenset[str]:
        """Ask the server, which knows it of a view's columns too."""
        return frozenset(
            name for name, *_, null_ok in _described(connection, table, "*") if not null_ok
        )

    def bound(self, name: str) -> datetime | str:
        """Write instants in the session's zone, which is UTC."""
        value = super().bound(name)
        return value.replace(tzinfo=None) if isinstance(value, datetime) else value

    def fields(
        self,
        connection: Connection,
        result: CursorResult[Any],
        query: str,
        values: Mapping[str, Any],
    ) -> list[pa.Field]:
        """Return the types that the server describes the result by."""
        cursor: Any = result.cursor
        return [self._field(column) for column in cursor._result.fields]

    def _field(self, column: Any) -> pa.Field:
        """Return a column of a description as pymysql has it; there are no booleans in MySQL."""
        import pyarrow as pa
        from pymysql.connections import TEXT_TYPES
        from pymysql.constants import FIELD_TYPE as KIND

        name, code = column.name, column.type_code
        if name in self.request.findings.left_out:
            return pa.field(name, pa.null())
        if self.request.type_of(name) == pa.bool_() and code in {KIND.TINY, KIND.BIT}:
            return pa.field(name, pa.bool_())
        if code in TEXT_TYPES and column.charsetnr == _BINARY:
            return pa.field(name, pa.binary())
        return pa.field(name, _type(code, column.scale))

    def column(self, values: Sequence[Any], field: pa.Field) -> pa.Array:
        """Read texts as the column's type."""
        import pyarrow as pa
        import pyarrow.compute as pc

        unread = (pa.types.is_binary, pa.types.is_time, pa.types.is_null)
        if any(kind(field.type) for kind in unread):  # no contract can ask for these
            return pa.nulls(len(values), field.type)
        if pa.types.is_boolean(field.type):  # BIT comes as bytes
            values = [_BITS.get(value, value) for value in values]
        if any(isinstance(value, bytes) for value in values):
            raise pa.ArrowInvalid("text and bytes stand side by side")
        texts = pa.array(values, pa.string())
        if not pa.types.is_timestamp(field.type):
            return parse_text(texts, field.type, self.request.rules(field.name))
        times = pc.cast(texts, pa.timestamp("us"))
        return pc.assume_timezone(times, "UTC") if field.type.tz else times

    def explain_login(self, error: Exception) -> MlopsError | None:
        """Say what to install; the server's numbers are the same before and after the login."""
        if isinstance(error, ImportError):
            return self.errors.access("MySQL needs a driver, install mlops-airflow[mysql]")
        return self.explain(error)

    def explain(self, error: Exception) -> MlopsError | None:
        """Go by the server's numbers."""
        from pymysql.err import InterfaceError, MySQLError

        cause = getattr(error, "orig", error)
        if not isinstance(cause, MySQLError | OSError):
            return super().explain(error)
        code = cause.args[0] if cause.args and isinstance(cause.args[0], int) else 0
        if code in _ACCESS:
            return self.errors.access(cause)
        lost = code in _PASSING or code // 1000 == _CLIENT or isinstance(cause, InterfaceError)
        return (self.errors.unavailable if lost or not code else self.errors.query)(cause)


def _described(
    connection: Connection, table: WholeTable, columns: str
) -> Sequence[tuple[Any, ...]]:
    """Return the server's description of a table's columns: name, type, ..., may be null."""
    rows = table.quoted(connection.dialect.identifier_preparer.quote)
    result = connection.exec_driver_sql(f"SELECT {columns} FROM {rows} LIMIT 0")  # noqa: S608 (quoted)
    cursor: Any = result.cursor
    description: Sequence[tuple[Any, ...]] = cursor.description
    result.close()
    return description


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
