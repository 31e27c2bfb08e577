"""The three connections that every project needs, and what they lead to."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

from mlops_airflow.doctor.finding import alarm, fine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlops_airflow.doctor.finding import Finding
    from mlops_airflow.hooks.database import LedgerHook

__all__ = ["lake", "ledger", "mlflow"]

_EXAMPLES = {
    "lake_default": '{"conn_type": "file", "extra": {"path": "/data/lake"}}',
    "ledger_default": (
        '{"conn_type": "postgres", "host": "…", "schema": "…", "login": "…", "password": "…"}'
    ),
    "mlflow_default": (
        '{"conn_type": "mlflow", "host": "https://…", "login": "…", "password": "…"}'
    ),
}


def lake() -> Iterator[Finding]:
    """Commit to a table of its own in the lake, and look at who may read it."""
    from mlops_airflow.hooks.lake import LakeHook
    from mlops_tasks.exceptions import MlopsError
    from mlops_tasks.lake import probe_lake

    hook = LakeHook()
    if problem := _undefined("lake", hook.lake_conn_id):
        yield problem
        return
    root, place = hook.get_conn().root, f"{_where(hook.lake_conn_id)}, extra path"
    try:
        yield fine("lake", f"{root}: {probe_lake(root)}", place)
    except MlopsError as error:
        yield alarm("lake", str(error), place, "as it says")
    yield from _closed("lake folder", root)


def ledger() -> Iterator[Finding]:
    """Look whether the ledger's database answers, what it holds, and who may read it."""
    from mlops_airflow.hooks.database import LedgerHook

    hook = LedgerHook()
    if problem := _undefined("ledger", hook.conn_id):
        yield problem
        return
    yield _tested("ledger", hook, hook.conn_id)
    if (file := hook.get_file()) is not None:
        yield from _closed("ledger file", file)


def mlflow() -> Iterator[Finding]:
    """Look whether MLflow answers, and takes the connection's login."""
    from mlops_airflow.hooks.mlflow import MlflowHook

    hook = MlflowHook()
    if problem := _undefined("mlflow", hook.mlflow_conn_id):
        yield problem
        return
    if hook.get_uri().startswith("sqlite"):
        found = f"{hook.get_uri()}: a file without a server, for tests and notebooks"
        fix = f"a server: {_define(hook.mlflow_conn_id)}"
        yield alarm("mlflow", found, _where(hook.mlflow_conn_id), fix)
        return
    yield _tested("mlflow", hook, hook.mlflow_conn_id)


def _tested(check: str, hook: LedgerHook | Any, conn_id: str) -> Finding:
    usable, text = hook.test_connection()
    place = _where(conn_id)
    return fine(check, text, place) if usable else alarm(check, text, place, "as it says")


def _undefined(check: str, conn_id: str) -> Finding | None:
    """Return what is wrong with a connection before anything is asked of it."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        # Airflow passes over a variable that it cannot read.
        if (text := os.environ.get(_variable(conn_id), "").strip()).startswith("{"):
            json.loads(text)
        connection: Any = BaseHook.get_connection(conn_id)
        if connection.extra and not isinstance(connection.extra_dejson, dict):
            raise ValueError("extra")
    except AirflowNotFoundException:
        return alarm(check, f"connection {conn_id!r} is not defined", conn_id, _define(conn_id))
    except ValueError as error:  # its text may hold a password
        found = f"connection {conn_id!r} is no JSON and no address: {type(error).__name__}"
        return alarm(check, found, _where(conn_id), _define(conn_id))
    return None


def _where(conn_id: str) -> str:
    name = _variable(conn_id)
    return f"variable {name}" if name in os.environ else f"connection {conn_id} of Airflow's store"


def _variable(conn_id: str) -> str:
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def _define(conn_id: str) -> str:
    return (
        f"Admin, Connections, or the variable {_variable(conn_id)}="
        f"'{_EXAMPLES[conn_id]}' of scheduler, workers and api-server"
    )


def _closed(check: str, path: Path) -> Iterator[Finding]:
    """Look whether every user of the machine may read what lies there."""
    if not path.exists():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    shown = f"{path} has mode {mode:o}"
    if mode & stat.S_IRWXO:
        fix = f"chmod o-rwx {path}"
        yield alarm(check, f"{shown}: every user of the machine gets in", str(path), fix)
    else:
        yield fine(check, f"{shown}: closed to others", str(path))
