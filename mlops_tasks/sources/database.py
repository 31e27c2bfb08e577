"""Databases: one class for all, and a reader for each dialect that has something of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import quote

from mlops_tasks.sources import mysql, postgres
from mlops_tasks.sources.connection import unusable_connection
from mlops_tasks.sources.mysql import MysqlReader
from mlops_tasks.sources.postgres import postgres_reader
from mlops_tasks.sources.sqlalchemy import SqlAlchemyReader
from mlops_tasks.sources.sqlite import SqliteReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import URL

    from mlops_tasks.sources.connection import Connection
    from mlops_tasks.sources.source import Request, SourceStream
    from mlops_tasks.specs.source import SqlSource

__all__ = ["DIALECTS", "Database", "Reader"]


class Reader(Protocol):
    """Reads one result of a database."""

    def open(self) -> AbstractContextManager[SourceStream]:
        """Open the result of the source's query as a stream of batches."""


#: What reads a database, by SQLAlchemy's name of its dialect; any other: `SqlAlchemyReader`.
DIALECTS: dict[str, Callable[[URL, Request[SqlSource]], Reader]] = {
    "mariadb": MysqlReader,
    "mysql": MysqlReader,
    "postgresql": postgres_reader,
    "sqlite": SqliteReader,
}

# SQLAlchemy 2.1 takes a bare "postgresql" for psycopg 3; the driver is spelled out.
_DRIVERS = {
    "mariadb": "mysql+pymysql",
    "mysql": "mysql+pymysql",
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
}
# Never all of a connection's extra: it may hold what no driver should get.
_OPTIONS = {"mysql+pymysql": mysql.URL_OPTIONS, "postgresql+psycopg2": postgres.URL_OPTIONS}


@dataclass(frozen=True, slots=True)
class Database:
    """A database.

    Attributes
    ----------
    url : URL
        From SQLAlchemy; it hides the password when printed. The drivers for PostgreSQL and MySQL
        are ours to choose, a driver in the URL counts for other databases only.
    """

    url: URL

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed."""
        return (str(self.url.password),) if self.url.password else ()

    @classmethod
    def from_connection(cls, connection: Connection) -> Self:
        """Return the database of a connection, whose type is the SQLAlchemy dialect.

        For ``sqlite`` the host is the file, which is opened read-only, so that a wrong path is an
        error and not a new file. Of the extra only the names of TLS files and modes are read.
        """
        from sqlalchemy import URL

        if not connection.conn_type:
            reason = "it has no type; set it to the database's, as postgres, mysql or sqlite"
            raise unusable_connection(connection.conn_id, reason)
        if connection.conn_type == "sqlite":
            if not connection.host:
                reason = "it has no host; set it to the path of the file"
                raise unusable_connection(connection.conn_id, reason)
            query = {"mode": "ro", "uri": "true"}
            file = f"file:{quote(connection.host)}"
            return cls(URL.create("sqlite", database=file, query=query))
        driver = _DRIVERS.get(connection.conn_type, connection.conn_type)
        options, extra = _OPTIONS.get(driver, ()), connection.extra
        return cls(
            URL.create(
                driver,
                username=connection.login,
                password=connection.password,
                host=connection.host,
                port=connection.port,
                database=connection.schema,
                query={key: str(extra[key]) for key in options if key in extra},
            )
        )

    def open(self, request: Request[SqlSource]) -> AbstractContextManager[SourceStream]:
        """Open the day's rows of a query or a table."""
        reader = DIALECTS.get(self.url.get_backend_name(), SqlAlchemyReader)
        return reader(self.url, request).open()
