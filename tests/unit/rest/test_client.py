"""What the client does when Airflow refuses, breaks or changes between two requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mlops_airflow.rest import AirflowApi, AirflowApiError, DagRun, LoginRefusedError, TaskInstance
from mlops_airflow.rest import http as rest_http
from mlops_airflow.rest.records import condition_holds, first_error, log_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[httpx.Request], httpx.Response]

RUN = {
    "dag_id": "flights.ingest",
    "dag_run_id": "replay__2013-02-01",
    "state": "success",
    "partition_key": "2013-02-01",
    "run_type": "manual",
    "queued_at": "2026-01-01T00:00:00Z",
    "start_date": "2026-01-01T00:00:01Z",
    "end_date": "2026-01-01T00:00:03.5Z",
}


class Server:
    """Answers the log-in itself and everything else from a function; keeps the requests."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[httpx.Request] = []
        self.logins = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            self.logins += 1
            if json.loads(request.content)["password"] != "right":
                return httpx.Response(401, json={"detail": "Invalid credentials"})
            return httpx.Response(201, json={"access_token": f"token-{self.logins}"})
        self.requests.append(request)
        return self.answer(request)


def client(
    answer: Answer,
    password: str = "right",  # noqa: S107
) -> tuple[AirflowApi, Server]:
    server = Server(answer)
    transport = httpx.MockTransport(server)
    return AirflowApi("http://airflow", "admin", password, transport=transport), server


def run() -> DagRun:
    with client(lambda request: httpx.Response(200, json=RUN))[0] as api:
        return api.trigger("flights.ingest", "2013-02-01", run_id="replay__2013-02-01")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_refusal_names_endpoint_status_and_body() -> None:
    api, _ = client(lambda request: httpx.Response(404, json={"detail": "no such Dag"}))
    with pytest.raises(AirflowApiError) as caught:
        api.unpause(["flights.ingest"])
    text = str(caught.value)
    assert "PATCH http://airflow/api/v2/dags/flights.ingest" in text
    assert "status 404" in text
    assert "no such Dag" in text


def test_wrong_password_is_told_once() -> None:
    api, server = client(lambda request: httpx.Response(200, json={}), password="wrong")
    with pytest.raises(LoginRefusedError, match=r"POST http://airflow/auth/token: status 401"):
        api.count_runs()
    assert (server.logins, server.requests) == (1, [])


def test_expired_token_is_renewed() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        fresh = request.headers["Authorization"] == "Bearer token-2"
        return httpx.Response(200 if fresh else 401, json={"total_entries": 7})

    api, server = client(answer)
    assert api.count_runs() == 7
    assert api.count_runs() == 7
    assert server.logins == 2


def test_server_errors_are_tried_again() -> None:
    answers = iter([httpx.Response(500), httpx.Response(503), None])

    def answer(request: httpx.Request) -> httpx.Response:
        return next(answers) or httpx.Response(200, json={"total_entries": 1})

    api, server = client(answer)
    assert api.count_runs() == 1
    assert len(server.requests) == 3


def test_silence_is_named_after_several_tries() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    api, server = client(answer)
    with pytest.raises(AirflowApiError, match=r"no answer: ConnectError: connection refused"):
        api.count_runs()
    assert len(server.requests) == rest_http.TRIES


def test_refusals_are_not_tried_again() -> None:
    api, server = client(lambda request: httpx.Response(422, json={"detail": "bad key"}))
    with pytest.raises(AirflowApiError):
        api.set_paused("flights.ingest", paused=True)
    assert len(server.requests) == 1
    assert json.loads(server.requests[0].content) == {"is_paused": True}


def test_what_is_no_api_is_named() -> None:
    api, server = client(lambda request: httpx.Response(200, text="<html>a shop</html>"))
    with pytest.raises(AirflowApiError, match="no JSON, so no API of Airflow: <html>a shop"):
        api.count_runs()
    assert len(server.requests) == 1


def test_trigger_finds_the_run_that_exists() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409 if request.method == "POST" else 200, json=RUN)

    api, server = client(answer)
    found = api.trigger("flights.ingest", "2013-02-01", run_id="replay__2013-02-01")
    assert (found.run_id, found.duration_s) == ("replay__2013-02-01", 2.5)
    assert server.requests[-1].url.path.endswith("/dagRuns/replay__2013-02-01")


def test_trigger_passes_other_refusals_on() -> None:
    api, _ = client(lambda request: httpx.Response(400, json={"detail": "import errors"}))
    with pytest.raises(AirflowApiError, match="import errors"):
        api.trigger("flights.ingest", "2013-02-01", run_id="replay__2013-02-01")


def test_lists_are_read_page_by_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        offset = json.loads(request.content)["page_offset"]
        rows = [RUN] * min(100, 250 - offset)
        return httpx.Response(200, json={"dag_runs": rows, "total_entries": 250})

    api, server = client(answer)
    assert len(api.runs("a", "b", states=("queued", "running"))) == 250
    assert len(server.requests) == 3
    asked = json.loads(server.requests[0].content)
    assert (asked["states"], asked["dag_ids"]) == (["queued", "running"], ["a", "b"])


def test_runs_of_a_day_are_not_those_of_its_hours() -> None:
    hour = RUN | {"partition_key": "2013-02-01T05"}
    answer = {"dag_runs": [RUN, hour], "total_entries": 2}
    api, _ = client(lambda request: httpx.Response(200, json=answer))
    assert [run.partition_key for run in api.runs_of("flights.ingest", "2013-02-01")] == [
        "2013-02-01"
    ]


def test_task_without_a_result_returns_none() -> None:
    api, _ = client(lambda request: httpx.Response(404, json={"detail": "no such entry"}))
    assert api.result(run(), "promote") is None
    api, _ = client(lambda request: httpx.Response(200, json={"value": {"version": "1"}}))
    assert api.result(run(), "promote") == {"version": "1"}


def test_first_error_of_a_log_is_found() -> None:
    error = {"exc_type": "ValueError", "exc_value": "no rows\nof that day"}
    assert first_error(["text", {"event": "fine", "level": "info"}]) is None
    assert first_error([{"event": "x", "error_detail": [error]}]) == "ValueError: no rows"
    assert first_error([{"event": "killed\nby", "level": "error"}]) == "killed"


def test_log_that_cannot_be_read_does_not_hide_the_failure() -> None:
    api, _ = client(lambda request: httpx.Response(404, json={"detail": "no log"}))
    task = TaskInstance("validate", "failed", 1, -1)
    assert "cannot be read" in api.log_tail(run(), task)[0]


def test_log_tail_keeps_the_last_lines() -> None:
    content = [{"event": f"line {number}"} for number in range(30)]
    api, _ = client(lambda request: httpx.Response(200, json={"content": content}))
    task = TaskInstance("validate", "failed", 1, -1)
    assert api.log_tail(run(), task, n_lines=2) == ["line 28", "line 29"]


def test_log_lines_show_the_traceback() -> None:
    frame = {"filename": "dag.py", "lineno": 3, "name": "execute"}
    error = {"exc_type": "ValueError", "exc_value": "no rows", "frames": [frame]}
    assert log_lines({"event": "failed", "error_detail": [error]}) == [
        "failed",
        "  dag.py:3 in execute",
        "ValueError: no rows",
    ]
    assert log_lines("one\ntwo") == ["one", "two"]


def partition_server(detail: httpx.Response) -> AirflowApi:
    row = {"dag_id": "flight_delays.score", "partition_key": "2013-02-01"}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/partitioned_dag_runs"):
            return httpx.Response(200, json={"partitioned_dag_runs": [row, row]})
        return detail

    return client(answer)[0]


def asset(name: str, **fields: Any) -> dict[str, Any]:
    row = {"asset_uri": f"x-lake://{name}", "received": True, "asset_inactive": False}
    return {**row, **fields}


@pytest.mark.parametrize(
    ("assets", "complete"),
    [
        ([asset("flights"), asset("weather")], True),
        ([asset("flights"), asset("weather", received=False)], False),
        ([asset("flights"), asset("weather", asset_inactive=True)], False),
    ],
)
def test_partition_is_complete_when_the_condition_holds(
    assets: list[dict[str, Any]], complete: bool
) -> None:
    expression = {"all": [{"asset": {"uri": row["asset_uri"]}} for row in assets]}
    detail = httpx.Response(200, json={"assets": assets, "asset_expression": expression})
    (pending,) = partition_server(detail).pending_partitions()
    assert pending.is_complete is complete


def test_partition_that_became_a_run_meanwhile_counts_as_complete() -> None:
    (pending,) = partition_server(httpx.Response(404, json={})).pending_partitions()
    assert pending.is_complete


def test_partition_errors_are_passed_on() -> None:
    with pytest.raises(AirflowApiError):
        partition_server(httpx.Response(403, json={})).pending_partitions()


def test_conditions_of_other_kinds_never_hold() -> None:
    assert not condition_holds(None, {"x-lake://a"})
    assert not condition_holds({"alias": {"name": "a"}}, {"x-lake://a"})


def test_run_without_an_end_has_no_duration() -> None:
    running = DagRun("d", "r", "running", None, "manual", None, None, None)
    assert running.duration_s is None
