"""Databases, by Airflow connection: sources, and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from mlops_airflow.hooks.connections import defined_connection
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.sources import Database

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = ["DatabaseHook", "LedgerHook"]


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
        return Database.from_connection(defined_connection(self.conn_id)).url


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
