"""A connection as Airflow has it, in plain values: a source takes from it what it needs."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlops_tasks.exceptions import SourceAccessError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Connection", "environment_connection", "unusable_connection"]


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection of Airflow, without Airflow.

    Attributes
    ----------
    conn_id, conn_type : str
        Its id and type.
    host, login, password, schema : str or None
        Its fields.
    port : int or None
        Of the host.
    extra : mapping of str to object
        May hold anything: read names that are known, never all of it.
    object_store : callable or None
        Gives the file system (of fsspec) and the path at an address of a store that only Airflow
        knows how to reach; None where there is no Airflow.
    """

    conn_id: str
    conn_type: str = ""
    host: str | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    object_store: Callable[[str], tuple[Any, str]] | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """The ``path`` of the extra: a folder, or an address like ``s3://bucket/folder``."""
        if root := self.extra.get("path"):
            return str(root)
        raise unusable_connection(
            self.conn_id,
            "it has no 'path' in its extra; set it to the root folder of the source, or to an "
            "address like s3://bucket/folder",
        )

    @property
    def scheme(self) -> str:
        """What the root's address begins with; empty for a folder."""
        return urlsplit(self.root).scheme

    @property
    def session_token(self) -> str | None:
        """The ``aws_session_token`` of the extra."""
        return self.extra.get("aws_session_token")

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be printed."""
        return tuple(secret for secret in (self.password, self.session_token) if secret)


def unusable_connection(conn_id: str, reason: str) -> SourceAccessError:
    """Return the error for a connection that no retry improves.

    Parameters
    ----------
    conn_id : str
        Its id.
    reason : str
        What is wrong, and the fix.

    Returns
    -------
    SourceAccessError
        To be raised.
    """
    return SourceAccessError(f"connection {conn_id!r} cannot be used: {reason}")


def environment_connection(conn_id: str) -> Connection:
    """Return the connection that Airflow's variable of an id has as JSON, without Airflow.

    Parameters
    ----------
    conn_id : str
        Its id; the variable is ``AIRFLOW_CONN_<ID>``.

    Returns
    -------
    Connection
        In plain values.

    Raises
    ------
    SourceAccessError
        If there is no such variable, or it is no JSON.
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    text = os.environ.get(variable)
    if text is None:
        raise unusable_connection(conn_id, f"it is not defined; set {variable} to it, as JSON")
    try:
        found = dict(json.loads(text))
        port = found.get("port")
        return Connection(
            conn_id,
            str(found.get("conn_type") or ""),
            **{name: found.get(name) for name in ("host", "login", "password", "schema")},
            port=None if port in (None, "") else int(port),
            extra=dict(found.get("extra") or {}),
        )
    except (TypeError, ValueError):
        # What it holds is not shown: a password may be in it.
        raise unusable_connection(
            conn_id,
            f'{variable} is not read without Airflow: write it as JSON, as {{"conn_type": '
            '"sqlite", "host": "/data/orders.db"}',
        ) from None
