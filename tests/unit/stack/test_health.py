from __future__ import annotations

from typing import Any

import httpx
import pytest

from mlops_airflow.stack.health import component_health

BEAT = "2026-01-02T03:04:05+00:00"
SINCE = 1767323045.0  # the same moment
HEALTHY = dict.fromkeys(
    ["mlflow", "api-server", "scheduler", "triggerer", "dag-processor"], "healthy"
)


def airflow_answer(**parts: dict[str, Any] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"metadatabase": {"status": "healthy"}}
    for part in ("scheduler", "triggerer", "dag_processor"):
        answer[part] = {"status": "healthy", f"latest_{part}_heartbeat": BEAT}
    return answer | parts


def ask(
    airflow: object, mlflow: object = "OK", execution: object = "OK", *, since: float = 0.0
) -> dict[str, str]:
    contents = {
        "/health": mlflow,
        "/api/v2/monitor/health": airflow,
        "/execution/health": execution,
    }

    def answer(request: httpx.Request) -> httpx.Response:
        content = contents[request.url.path]
        if isinstance(content, Exception):
            raise content
        if isinstance(content, int):
            return httpx.Response(content)
        if isinstance(content, str):
            return httpx.Response(200, text=content)
        return httpx.Response(200, json=content)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return component_health(
            "http://h:8080", "http://h:5000", client, dict.fromkeys(HEALTHY, since)
        )


def test_all_healthy() -> None:
    assert ask(airflow_answer()) == HEALTHY
    assert ask(airflow_answer(), since=SINCE) == HEALTHY


def test_heartbeats_of_an_earlier_stack_do_not_count() -> None:
    health = ask(airflow_answer(), since=SINCE + 1)

    assert health == HEALTHY | dict.fromkeys(
        ["scheduler", "triggerer", "dag-processor"], "no heartbeat yet"
    )


@pytest.mark.parametrize("part", [None, {"status": None}])
def test_component_that_never_started(part: dict[str, Any] | None) -> None:
    assert ask(airflow_answer(triggerer=part))["triggerer"] == "no heartbeat yet"


def test_api_server_must_serve_tasks_too() -> None:
    health = ask(airflow_answer(), execution=httpx.ReadTimeout("still building"))

    assert health == HEALTHY | {"api-server": "no answer"}


def test_status_of_a_component_is_passed_on() -> None:
    late = {"status": "unhealthy", "latest_scheduler_heartbeat": BEAT}

    assert ask(airflow_answer(scheduler=late))["scheduler"] == f"no heartbeat since {BEAT}"


def test_broken_metadata_database() -> None:
    health = ask(airflow_answer(metadatabase={"status": "unhealthy"}))

    assert health["api-server"] == "metadata database unhealthy"
    assert {health[n] for n in ("scheduler", "triggerer", "dag-processor")} == {"cannot be asked"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (httpx.ConnectError("refused"), "no answer"),
        (httpx.ReadTimeout("slow"), "no answer"),
        (503, "answered 503"),
    ],
)
def test_no_useful_answer(content: object, expected: str) -> None:
    health = ask(content, content)

    assert health["mlflow"] == health["api-server"] == expected
    assert health["scheduler"] == "cannot be asked"


def test_restarted_one_must_beat_anew_while_the_others_go_on() -> None:
    contents = {"/health": "OK", "/execution/health": "OK"}

    def answer(request: httpx.Request) -> httpx.Response:
        if text := contents.get(request.url.path):
            return httpx.Response(200, text=text)
        return httpx.Response(200, json=airflow_answer())

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        health = component_health("http://h:1", "http://h:2", client, {"scheduler": SINCE + 1})

    assert health == HEALTHY | {"scheduler": "no heartbeat yet"}


@pytest.mark.parametrize("text", ["[]", "3", "null", "{"])
def test_answer_of_another_kind(text: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=text, headers={"content-type": "application/json"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        health = component_health("http://h:1", "http://h:2", client, {})

    assert health["api-server"] in {"metadata database unhealthy", "no answer"}
