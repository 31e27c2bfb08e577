"""Transactions on the ledger's database: tried again while it is busy or away, then given up."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from mlops_tasks.exceptions import LedgerError, UnavailableError
from mlops_tasks.outages import database_code, outage
from mlops_tasks.registry.ledger.upgrading import is_current, upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

    from mlops_tasks.exceptions import MlopsError

__all__ = ["Database"]

T = TypeVar("T")

_BUSY_S = 10.0  # SQLite waits so long for a lock; its waiting is not fair
_PATIENCE_S = 45.0  # after this a task gives up, and is run again by Airflow
_LONGEST_PAUSE_S = 2.0
# Any number that nobody else locks; released at the end of the transaction. Who waits too long
# tries again later.
_LOCK = (
    f"SELECT set_config('lock_timeout', '{_BUSY_S:.0f}s', true), "
    f"pg_advisory_xact_lock({0x6D6C_6F70_73})"
)
# A row that somebody else has just added. Some drivers give no code.
_LOST_RACE = {"", "23505", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"}


class Database:
    """The database of a ledger, brought to the newest schema at its first use.

    Parameters
    ----------
    url : str
        SQLAlchemy URL.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self, work: Callable[[Connection], T]) -> T:
        """Do something that only reads, in a transaction of its own.

        Raises
        ------
        UnavailableError
            If the database is busy or away for longer than anybody should wait.
        LedgerError
            If it cannot be used as it is.
        """
        return self._transaction(work, write=False)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do something that writes, as if alone; it may be called again after a lost race.

        Raises
        ------
        UnavailableError, LedgerError
            As for `read`.
        """
        return self._transaction(work, write=True)

    def _transaction(self, work: Callable[[Connection], T], *, write: bool) -> T:
        from sqlalchemy.exc import DBAPIError

        give_up, pause = time.monotonic() + _PATIENCE_S, 0.05
        while True:
            try:
                return self._once(work, write=write)
            except DBAPIError as error:
                failure = _failure(error, self._name)
            if isinstance(failure, LedgerError) or time.monotonic() + pause > give_up:
                raise failure
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 (jitter)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _once(self, work: Callable[[Connection], T], *, write: bool) -> T:
        with self._begin(write=write) as connection:
            if is_current(connection):
                return work(connection)
        self._allow_readers_beside_a_writer()
        with self._begin(write=True) as connection:
            upgrade(connection)
        with self._begin(write=write) as connection:
            return work(connection)

    @contextmanager
    def _begin(self, *, write: bool) -> Iterator[Connection]:
        """Begin a transaction; one that writes has the ledger to itself until it ends."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                with connection.begin():
                    # The driver would begin to read, and fail when that turns into writing.
                    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
                    yield connection
            else:
                # Whoever has waited for the lock must see what the one before has written: a
                # snapshot from before the wait would be of no use, and the loser of a race.
                isolation = "READ COMMITTED" if write else "REPEATABLE READ"
                with connection.execution_options(isolation_level=isolation).begin():
                    if write and connection.dialect.name == "postgresql":
                        connection.exec_driver_sql(_LOCK)
                    yield connection

    def _allow_readers_beside_a_writer(self) -> None:
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # kept in the file

    @cached_property
    def _engine(self) -> Engine:
        import sqlalchemy as sa

        try:
            # A new connection each time: a task needs few, and one that was kept may be dead.
            pool = sa.StaticPool if self._url == "sqlite://" else sa.NullPool
            waits = {"timeout": _BUSY_S} if self._url.startswith("sqlite") else {}
            return sa.create_engine(self._url, poolclass=pool, connect_args=waits)
        except (sa.exc.ArgumentError, ImportError) as error:
            raise LedgerError(
                f"there is no ledger at {self._url.partition('://')[0]}://…: {error}; correct the "
                "connection of the ledger, or install the driver that it names"
            ) from error

    @property
    def _name(self) -> str:
        return self._engine.url.render_as_string(hide_password=True)


def _failure(error: DBAPIError, name: str) -> MlopsError:
    """Make an error of ours, without the statement: that holds evidence."""
    reason = str(error.orig).strip()
    if _is_transient(error):
        return UnavailableError(
            f"the ledger {name} is busy or does not answer: {reason}; nothing was written. The "
            "task is tried again; if that does not help, look at its database"
        )
    return LedgerError(
        f"the ledger {name} cannot be used: {reason}; nothing was written. Correct the connection "
        "of the ledger or the rights of its user; docs/how-to/operate.md says how to go on after "
        "a ledger was lost"
    )


def _is_transient(error: DBAPIError) -> bool:
    """Say whether another try may go well: the database is away, or somebody was faster."""
    from sqlalchemy.exc import IntegrityError

    lost = isinstance(error, IntegrityError) and database_code(error) in _LOST_RACE
    return lost or outage(error) is not None
