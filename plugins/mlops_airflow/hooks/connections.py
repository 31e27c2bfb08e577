"""Airflow connections, and what is reported where one is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from mlops_tasks.exceptions import SourceAccessError

if TYPE_CHECKING:
    from airflow.sdk import Connection

__all__ = ["defined_connection", "unusable_connection"]


def defined_connection(conn_id: str) -> Connection:
    """Return a connection.

    Parameters
    ----------
    conn_id : str
        Its id.

    Returns
    -------
    Connection
        As Airflow has it.

    Raises
    ------
    SourceAccessError
        If there is none of that id.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise unusable_connection(
            conn_id,
            "it is not defined; define it in Airflow under Admin, Connections, by `airflow "
            f"connections add {conn_id}`, or as the environment variable "
            f"AIRFLOW_CONN_{conn_id.upper()} of the scheduler and the workers",
        ) from None
    except ValueError as error:  # a variable whose text is no connection
        raise unusable_connection(conn_id, f"it cannot be read: {type(error).__name__}") from None


def unusable_connection(conn_id: str, reason: str) -> SourceAccessError:
    """Return the error for a connection that no further try makes better.

    Parameters
    ----------
    conn_id : str
        Its id.
    reason : str
        What is wrong, and what to do.

    Returns
    -------
    SourceAccessError
        To be raised.
    """
    return SourceAccessError(f"connection {conn_id!r} cannot be used: {reason}")
