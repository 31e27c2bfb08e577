"""Databases, by Airflow connection: sources, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseHook

from mlops_airflow.hooks.connections import defined_connection, unusable_connection
from mlops_tasks.registry.ledger import Ledger

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = ["DatabaseHook", "LedgerHook"]

# SQLAlchemy 2.1 takes a bare "postgresql" for psycopg 3; the driver is spelled out.
_DRIVERS = {
    "mariadb": "mysql+pymysql",
    "mysql": "mysql+pymysql",
    "postgres": "postgresql+psycopg2",
    "postgresql": "postgresql+psycopg2",
}
# Never all of a connection's extra: it may hold what no driver should get.
_EXTRAS = {
    "mysql+pymysql": ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity"),
    "postgresql+psycopg2": ("sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout"),
}


class DatabaseHook(BaseHook):
    """Give the address of a database, or a SQLAlchemy engine of it.

    Parameters
    ----------
    conn_id : str
        Connection; its type is the SQLAlchemy dialect. For ``sqlite`` the host is the file. Of the
        extra only the names of TLS files and modes are read.
    """

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> Engine:
        """Return an engine without a pool: a task opens one connection and ends."""
        from sqlalchemy import NullPool, create_engine

        return create_engine(self.get_url(), poolclass=NullPool)

    def get_url(self) -> URL:
        """Return the connection as a URL object; it hides the password when printed.

        A SQLite file is opened read-only, so that a wrong path is an error and not a new file.
        """
        from sqlalchemy import URL

        connection: Any = defined_connection(self.conn_id)
        if not connection.conn_type:
            reason = "it has no type; set it to the database's, as postgres, mysql or sqlite"
            raise unusable_connection(self.conn_id, reason)
        if connection.conn_type == "sqlite":
            if not connection.host:
                reason = "it has no host; set it to the path of the file"
                raise unusable_connection(self.conn_id, reason)
            query = {"mode": "ro", "uri": "true"}
            return URL.create("sqlite", database=f"file:{quote(connection.host)}", query=query)
        driver = _DRIVERS.get(connection.conn_type, connection.conn_type)
        extra = connection.extra_dejson
        return URL.create(
            driver,
            username=connection.login,
            password=connection.password,
            host=connection.host,
            port=connection.port,
            database=connection.schema,
            query={key: str(extra[key]) for key in _EXTRAS.get(driver, ()) if key in extra},
        )


class LedgerHook(DatabaseHook):
    """Give the ledger that a connection points at.

    Parameters
    ----------
    conn_id : str, default "ledger_default"
        Connection to any database SQLAlchemy knows.
    """

    default_conn_name = "ledger_default"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)

    def get_ledger(self) -> Ledger:
        """Return the ledger; its tables are made at first use."""
        url = self.get_url()
        if url.drivername == "sqlite":  # the ledger is written to, and made when missing
            return Ledger(f"sqlite:///{str(url.database).removeprefix('file:')}")
        return Ledger(url.render_as_string(hide_password=False))
