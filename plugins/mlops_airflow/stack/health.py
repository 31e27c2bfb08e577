"""Whether the components of a stack are healthy, asked at their own endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DATABASE_AWAY", "HEALTHY", "UNKNOWN", "component_health"]

HEALTHY = "healthy"
#: Whoever knows about the component does not answer: nothing is known, good or bad.
UNKNOWN = "cannot be asked"
#: The api-server answers, but its database does not: a new api-server would not help.
DATABASE_AWAY = "metadata database unhealthy"

#: Components by the name Airflow's health endpoint gives them.
_AIRFLOW_PARTS = {
    "scheduler": "scheduler",
    "triggerer": "triggerer",
    "dag_processor": "dag-processor",
}


def component_health(
    airflow_url: str, mlflow_url: str, client: httpx.Client, started_at: Mapping[str, float]
) -> dict[str, str]:
    """Ask every component how it is.

    Parameters
    ----------
    airflow_url, mlflow_url : str
        Base addresses of the two servers.
    client : httpx.Client
        Client to ask with.
    started_at : Mapping of str to float
        When each component was started, in seconds since the epoch: earlier heartbeats are those
        of its predecessor.

    Returns
    -------
    dict of str to str
        `HEALTHY`, `UNKNOWN`, or what is wrong, for each of the five components.
    """
    health = {"mlflow": _answer(client, f"{mlflow_url}/health")[0]}
    status, body = _answer(client, f"{airflow_url}/api/v2/monitor/health")
    if status == HEALTHY and body.get("metadatabase", {}).get("status") != HEALTHY:
        status = DATABASE_AWAY
    knows = status == HEALTHY
    if knows:
        # What tasks talk to. Airflow builds it at the first request, which takes seconds: asked
        # for here, they are not added to the first task.
        status = _answer(client, f"{airflow_url}/execution/health")[0]
    health["api-server"] = status
    for part, name in _AIRFLOW_PARTS.items():
        beat = _heartbeat(part, body.get(part) or {}, started_at.get(name, 0.0))
        health[name] = beat if knows else UNKNOWN
    return health


def _answer(client: httpx.Client, url: str) -> tuple[str, dict[str, Any]]:
    try:
        response = client.get(url)
        response.raise_for_status()
        # The route answers 200 whatever it found: only the statuses in the body count.
        is_json = response.headers.get("content-type", "").startswith("application/json")
        body = response.json() if is_json else {}
        return HEALTHY, body if isinstance(body, dict) else {}
    except httpx.HTTPStatusError as error:
        return f"answered {error.response.status_code}", {}
    except (httpx.HTTPError, ValueError):
        return "no answer", {}


def _heartbeat(part: str, body: dict[str, Any], since: float) -> str:
    beat = body.get(f"latest_{part}_heartbeat")
    if not beat or datetime.fromisoformat(beat).timestamp() < since:
        return "no heartbeat yet"
    status = str(body.get("status"))
    return status if status == HEALTHY else f"no heartbeat since {beat}"
