"""Whether the components of a stack are healthy, asked at their own endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

__all__ = ["component_health"]

#: Components by the name Airflow's health endpoint gives them.
_AIRFLOW_PARTS = {
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag_processor": "dag-processor",
}


def component_health(
    airflow_url: str, mlflow_url: str, client: httpx.Client, *, since: float = 0.0
) -> dict[str, str]:
    """Ask every component how it is.

    Parameters
    ----------
    airflow_url, mlflow_url : str
        Base addresses of the two servers.
    client : httpx.Client
        Client to ask with.
    since : float, default 0.0
        Heartbeats before this time, in seconds since the epoch, are those of an earlier stack.

    Returns
    -------
    dict of str to str
        ``healthy``, or what is wrong, for each of the five components.
    """
    health = {"mlflow": _answer(client, f"{mlflow_url}/health")[0]}
    status, body = _answer(client, f"{airflow_url}/api/v2/monitor/health")
    if status == "healthy" and body.get("metadatabase", {}).get("status") != "healthy":
        status = "metadata database unhealthy"
    if status == "healthy":
        # What tasks talk to. Airflow builds it at the first request, which takes seconds: asked
        # for here, they are not added to the first task.
        status = _answer(client, f"{airflow_url}/execution/health")[0]
    health["api-server"] = status
    for part, component in _AIRFLOW_PARTS.items():
        health[component] = _heartbeat(part, body.get(part) or {}, since)
    return health


def _answer(client: httpx.Client, url: str) -> tuple[str, dict[str, Any]]:
    try:
        response = client.get(url)
        response.raise_for_status()
        # The route answers 200 whatever it found: only the statuses in the body count.
        is_json = response.headers.get("content-type", "").startswith("application/json")
        return "healthy", response.json() if is_json else {}
    except httpx.HTTPStatusError as error:
        return f"answered {error.response.status_code}", {}
    except (httpx.HTTPError, ValueError):
        return "no answer", {}


def _heartbeat(part: str, body: dict[str, Any], since: float) -> str:
    beat = body.get(f"latest_{part}_heartbeat")
    if not beat or datetime.fromisoformat(beat).timestamp() < since:
        return "no heartbeat yet"
    return str(body.get("status"))
