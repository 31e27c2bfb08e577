"""Pages beside Airflow's own, served by its api-server."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["fastapi_apps"]


def fastapi_apps() -> list[dict[str, Any]]:
    """Return the apps for Airflow to mount; none outside the api-server, where they cost seconds.

    Returns
    -------
    list of dict
        One app below ``/mlops``, behind Airflow's login.
    """
    if not any("api-server" in word or "api_server" in word for word in sys.argv):
        return []
    from mlops_airflow.ui.app import app

    return [{"app": app, "url_prefix": "/mlops", "name": "mlops"}]
