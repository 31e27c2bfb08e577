"""Connections of the user's sources, recorded beside the stack: for it, and for commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_airflow.stack.credentials import write_private
from mlops_airflow.stack.exceptions import StackSettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["connection_variables", "record_connection"]


def connection_variables(file: Path) -> dict[str, str]:
    """Return the recorded connections as the variables that Airflow reads.

    Parameters
    ----------
    file : Path
        JSON, as ``airflow connections import`` takes it; none recorded where it is missing.

    Returns
    -------
    dict of str to str
        By variable, each connection as JSON.

    Raises
    ------
    StackSettingsError
        If the file cannot be read as such.
    """
    return {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(fields)
        for conn_id, fields in _read(file).items()
    }


def record_connection(file: Path, conn_id: str, definition: str) -> bool:
    """Record a connection, for the owner of the file alone to read; never over another one.

    Parameters
    ----------
    file : Path
        As for `connection_variables`; made, with its folder, where it is missing.
    conn_id : str
        Id of the connection.
    definition : str
        The connection as JSON.

    Returns
    -------
    bool
        Whether it is recorded as given; not if the id has another definition.
    """
    found, given = _read(file), json.loads(definition)
    if conn_id in found:
        return bool(found[conn_id] == given)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(file, json.dumps({**found, conn_id: given}, indent=2) + "\n")
    return True


def _read(file: Path) -> dict[str, dict[str, object]]:
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise StackSettingsError(
            f"{file} is no JSON object of connections, like "
            '{"shop": {"conn_type": "sqlite", "host": "/data/shop.db"}}; correct or remove it'
        )
    return found
