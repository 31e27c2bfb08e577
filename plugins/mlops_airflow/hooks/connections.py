"""Airflow connections as plain values, and what is reported where one is missing."""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from mlops_tasks.sources import Connection, unusable_connection

__all__ = ["defined_connection"]


def defined_connection(conn_id: str) -> Connection:
    """Return a connection.

    Parameters
    ----------
    conn_id : str
        Its id; empty for a source that needs none, such as a function.

    Returns
    -------
    Connection
        In plain values.

    Raises
    ------
    SourceAccessError
        If there is none of that id.
    """
    if not conn_id:
        return Connection("")
    try:
        found: Any = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise unusable_connection(
            conn_id,
            "it is not defined; define it in Airflow under Admin, Connections, by `airflow "
            f"connections add {conn_id}`, or as the environment variable "
            f"AIRFLOW_CONN_{conn_id.upper()} of the scheduler and the workers",
        ) from None
    except ValueError as error:  # a variable whose text is no connection
        raise unusable_connection(conn_id, f"it cannot be read: {type(error).__name__}") from None
    return Connection(
        conn_id,
        found.conn_type or "",
        host=found.host,
        login=found.login,
        password=found.password,
        schema=found.schema,
        port=found.port,
        extra=found.extra_dejson,
        object_store=partial(_object_store, conn_id),  # may be sent to another process
    )


def _object_store(conn_id: str, address: str) -> tuple[Any, str]:
    from airflow.sdk import ObjectStoragePath

    storage: Any = ObjectStoragePath(address, conn_id=conn_id)
    return storage.fs, str(storage.path)
