"""Where a source is: what a person typed, as a connection of Airflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tasks.exceptions import ScaffoldError
from mlops_tasks.sources import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Location", "locate"]

_SQLITE = b"SQLite format 3\x00"
# Airflow's names of connection types, where they are not those of SQLAlchemy.
_TYPES = {"postgresql": "postgres", "mariadb": "mysql"}


@dataclass(frozen=True, slots=True)
class Location:
    """A source and the connection that leads there.

    Attributes
    ----------
    connection : Connection
        In plain values.
    is_new : bool
        Whether the connection is still to be defined in Airflow.
    """

    connection: Connection
    is_new: bool

    @property
    def is_files(self) -> bool:
        """Whether it is a folder of files; else it is a database."""
        return "path" in self.connection.extra

    def as_json(self) -> str:
        """Return what defines the connection, as Airflow reads it; it may hold a password."""
        one = self.connection
        fields: dict[str, Any] = {
            "conn_type": one.conn_type,
            "host": one.host,
            "login": one.login,
            "password": one.password,
            "schema": one.schema,
            "port": one.port,
            "extra": dict(one.extra),
        }
        return json.dumps({name: value for name, value in fields.items() if value})


def locate(source: str, conn_id: str, defined: Callable[[str], Connection | None]) -> Location:
    """Find out what a person means by a source.

    Parameters
    ----------
    source : str
        Folder, SQLite file, address of a database, or id of a connection that there is.
    conn_id : str
        Id of the connection to be, unless `source` is one.
    defined : callable
        Returns the connection of an id, or None.

    Returns
    -------
    Location
        Nothing is opened yet, apart from the first bytes of a file.

    Raises
    ------
    ScaffoldError
        If it is none of these.
    """
    if "://" in source:
        return Location(_of_address(source, conn_id), is_new=True)
    path = Path(source).expanduser()
    if path.is_dir():
        extra = {"path": str(path.resolve())}
        return Location(Connection(conn_id, "file", extra=extra), is_new=True)
    if path.is_file():
        return Location(_of_file(path, conn_id), is_new=True)
    if (found := defined(source)) is not None:
        return Location(found, is_new=False)
    shown = "source" if "@" in source else f"source {source!r}"  # there may be a password in it
    raise ScaffoldError(
        f"{shown} is no file, no folder and no connection of Airflow; give a SQLite "
        "file, a folder of CSV, Parquet or JSON-lines files, an address such as "
        "postgresql://user:password@host/database, or the id of a connection"
    )


def _of_file(path: Path, conn_id: str) -> Connection:
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            return Connection(conn_id, "sqlite", host=str(path.resolve()))
    raise ScaffoldError(
        f"source {str(path)!r} is one file and no SQLite database; rows come by partitions, a file "
        "or folder each, named for its day: give the folder that they are in. DuckDB cuts a single "
        f"file by days: COPY (SELECT *, CAST(<time column> AS DATE) AS day FROM '{path.name}') "
        "TO '<folder>' (FORMAT parquet, PARTITION_BY (day))"
    )


def _of_address(source: str, conn_id: str) -> Connection:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if source.partition("://")[0] in ("s3", "s3a", "gs", "abfs", "http", "https"):
        raise ScaffoldError(
            f"source {source.partition('://')[0]}:// is looked at from a folder only: copy some "
            "days into one, make the project from it, and then set the connection's `path` to the "
            "address"
        )
    try:
        url = make_url(source)
    except (ArgumentError, ValueError):  # its text may hold a password
        raise ScaffoldError(
            "source is no address of a database; write it as "
            "postgresql://user:password@host:5432/database or sqlite:///path/to/file.db"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        file = Path(url.database or "").expanduser()
        if not file.is_file():
            raise ScaffoldError(f"source: there is no SQLite file {str(file)!r}; correct the path")
        return _of_file(file, conn_id)
    return Connection(
        conn_id,
        _TYPES.get(backend, url.drivername),
        host=url.host,
        login=url.username,
        password=None if url.password is None else str(url.password),
        schema=url.database,
        port=url.port,
        extra=dict(url.query),
    )
