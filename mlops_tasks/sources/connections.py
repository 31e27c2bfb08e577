"""Where sources are, once an Airflow connection has been read: plain values, no Airflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["Database", "DeltaStore", "FileStore", "SourceConnection"]


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


@dataclass(frozen=True, slots=True)
class FileStore:
    """A folder on a disk or in an object store.

    Attributes
    ----------
    filesystem : FileSystem
        From `pyarrow.fs`.
    root : str
        Path within it that no file lies outside of.
    secrets : tuple of str
        What must never be printed.
    """

    filesystem: Any
    root: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class DeltaStore:
    """A folder of Delta tables.

    Attributes
    ----------
    root : str
        Path or address.
    options : dict of str to str
        Storage options of delta-rs, credentials among them.
    secrets : tuple of str
        What must never be printed.
    """

    root: str
    options: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


SourceConnection = Database | FileStore | DeltaStore
