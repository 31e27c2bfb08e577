"""Databases, by Airflow connection: sources, and the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from mlops_airflow.hooks.connections import defined_connection
from mlops_tasks.exceptions import SpecError
from mlops_tasks.registry.ledger import Ledger
from mlops_tasks.sources import Database
from mlops_tasks.tuning import Studies

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = [
    "DatabaseHook",
    "LedgerHook",
    "MysqlHook",
    "PostgresHook",
    "SqliteHook",
    "StudiesHook",
]

_STUDIES_FILE = "studies.db"


class DatabaseHook(BaseHook):
    """Give the address of a database, or a SQLAlchemy engine of it.

    Parameters
    ----------
    conn_id : str
        Connection; its type is the SQLAlchemy dialect. For ``sqlite`` the host is the file. Of the
        extra only the names of TLS files and modes are read.
    """

    conn_name_attr = "conn_id"

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

    def get_file(self) -> Path | None:
        """Return the file of a SQLite database; None for every other."""
        url = self.get_url()
        if url.get_backend_name() != "sqlite":
            return None
        return Path(unquote(str(url.database).removeprefix("file:")))

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the database answers: Airflow's Test button."""
        from sqlalchemy import inspect
        from sqlalchemy.exc import SQLAlchemyError

        from mlops_tasks.exceptions import MlopsError

        try:
            name = str(self.get_file() or self.get_url().render_as_string(hide_password=True))
            with self.get_conn().connect() as connection:
                tables = inspect(connection).get_table_names()
        except (ImportError, MlopsError) as error:
            return False, f"{error}"
        except SQLAlchemyError as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            return False, f"{name}: {reason}{self._explanation()}"
        return True, f"{name}: {len(tables)} tables"

    def _explanation(self) -> str:
        """Return what a missing SQLite file means: its error names neither file nor reason."""
        file = self.get_file()
        if file is None or file.exists():
            return ""
        return (
            f". There is no file {file}: wrong for a source; a ledger is made at its first use, if "
            f"{file.parent} is there and can be written to"
        )


class SqliteHook(DatabaseHook):
    """SQLite, where Airflow's own provider of it is not installed.

    Parameters
    ----------
    conn_id : str
        Connection of type ``sqlite``, whose host is the file.
    """

    conn_type, hook_name = "sqlite", "SQLite"


class PostgresHook(DatabaseHook):
    """PostgreSQL, where Airflow's own provider of it is not installed.

    Parameters
    ----------
    conn_id : str
        Connection of type ``postgres``.
    """

    conn_type, hook_name = "postgres", "PostgreSQL"


class MysqlHook(DatabaseHook):
    """MySQL or MariaDB, where Airflow's own provider of it is not installed.

    Parameters
    ----------
    conn_id : str
        Connection of type ``mysql``.
    """

    conn_type, hook_name = "mysql", "MySQL"


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
        if (file := self.get_file()) is not None:  # written to, and made when missing
            return Ledger(f"sqlite:///{quote(str(file))}")
        return Ledger(self.get_url().render_as_string(hide_password=False))

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the ledger can be used; its database is not changed."""
        from mlops_airflow.hooks.ledger_probe import probe_ledger

        return probe_ledger(self.get_url(), self.get_file())


class StudiesHook(DatabaseHook):
    """Give the database in which searches for parameters are kept.

    Parameters
    ----------
    conn_id : str, default "studies_default"
        Connection to any database SQLAlchemy knows; never the ledger's own.
    ledger_conn_id : str, default "ledger_default"
        Where there is no such connection and the ledger is a SQLite file: a file beside it.
    """

    default_conn_name = "studies_default"

    def __init__(
        self,
        conn_id: str = default_conn_name,
        *,
        ledger_conn_id: str = LedgerHook.default_conn_name,
    ) -> None:
        super().__init__(conn_id)
        self.ledger_conn_id = ledger_conn_id

    def get_studies(self) -> Studies:
        """Return the studies; their tables are made at first use."""
        try:
            self.get_connection(self.conn_id)
        except AirflowNotFoundException:
            return Studies(f"sqlite:///{quote(str(self._beside_ledger()))}")
        if (file := self.get_file()) is not None:
            return Studies(f"sqlite:///{quote(str(file))}")
        return Studies(self.get_url().render_as_string(hide_password=False))

    def _beside_ledger(self) -> Path:
        ledger = LedgerHook(self.ledger_conn_id).get_file()
        if ledger is None:
            raise SpecError(
                f"a search is kept in a database of its own: define the connection "
                f"{self.conn_id!r}, of the ledger's server but another database"
            )
        return ledger.with_name(_STUDIES_FILE)
