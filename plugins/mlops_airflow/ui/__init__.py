"""Pages beside Airflow's own, and what stands in front of all of them, in its api-server."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["fastapi_apps", "root_middlewares"]


def fastapi_apps() -> list[dict[str, Any]]:
    """Return the apps for Airflow to mount; none outside the api-server, where they cost seconds.

    Returns
    -------
    list of dict
        One app below ``/mlops``, behind Airflow's login.
    """
    if not _is_api_server():
        return []
    from mlops_airflow.ui.app import app

    return [{"app": app, "url_prefix": "/mlops", "name": "mlops"}]


def root_middlewares() -> list[dict[str, Any]]:
    """Return what stands in front of every request: with SQLite a queue for those that write.

    Returns
    -------
    list of dict
        Empty for a database with more than one writer.
    """
    if not _is_api_server():
        return []
    from airflow.sdk import conf

    if not conf.get("database", "sql_alchemy_conn").startswith("sqlite"):
        return []
    from mlops_airflow.ui.single_writer import SingleWriter

    return [{"middleware": SingleWriter, "name": "single writer"}]


def _is_api_server() -> bool:
    return any("api-server" in word or "api_server" in word for word in sys.argv)
