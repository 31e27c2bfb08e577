"""Starting and ending, with a sleeping program in the place of the process runner."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from mlops_airflow.stack import stack as module
from mlops_airflow.stack.exceptions import StackNotReadyError, StackRunningError
from mlops_airflow.stack.processes import ProcessId, is_alive
from mlops_airflow.stack.record import ComponentRecord, StackRecord, locked, read_record
from mlops_airflow.stack.stack import Stack, running_stack, start_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_airflow.stack.credentials import Credentials
    from mlops_airflow.stack.settings import StackSettings

NAMES = ["mlflow", "api-server", "scheduler", "triggerer", "dag-processor"]
HEALTHY = dict.fromkeys(NAMES, "healthy")


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What the runner finds, look by look, the last one for ever."""
    answers = [HEALTHY]

    def components(stack: Stack) -> dict[str, ComponentRecord]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return {
            name: ComponentRecord(state="healthy" if how == "healthy" else "starting", detail=how)
            for name, how in answer.items()
        }

    monkeypatch.setattr(module, "_components", components)
    return answers


@pytest.fixture
def launched(
    monkeypatch: pytest.MonkeyPatch, credentials: Credentials
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Runners that were started, each with the record a real one writes."""
    started: list[subprocess.Popen[bytes]] = []

    def launch(settings: StackSettings, lock: int, *, attached: bool) -> subprocess.Popen[bytes]:
        stdin = subprocess.PIPE if attached else subprocess.DEVNULL
        process = subprocess.Popen(
            ["sleep", "60"], stdin=stdin, start_new_session=True, pass_fds=(lock,)
        )
        started.append(process)
        identity = ProcessId.of(process.pid)
        StackRecord(identity, time.time(), "http://a", "http://m").write(settings.record_file)
        return process

    monkeypatch.setattr(module, "_launch", launch)
    monkeypatch.setattr(module, "check_ports", lambda settings: None)
    monkeypatch.setattr(module, "prepare", lambda settings, report: credentials)
    monkeypatch.setattr(module, "_POLL_S", 0.01)
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_each_component_is_reported_once(
    settings: StackSettings,
    health: list[dict[str, str]],
    launched: list[subprocess.Popen[bytes]],
) -> None:
    health[:] = [HEALTHY | {"scheduler": "no heartbeat yet"}, HEALTHY]
    told: list[str] = []

    with running_stack(settings, report=told.append) as stack:
        assert stack.is_running()
        assert told[0] == f"Starting {', '.join(NAMES)}"
        assert [line.split()[0] for line in told[1:]] == [
            *("mlflow", "api-server", "triggerer", "dag-processor", "scheduler"),
        ]

    assert launched[0].poll() is not None
    assert not settings.record_file.exists()


def test_stack_holds_the_lock(
    settings: StackSettings,
    health: list[dict[str, str]],
    launched: list[subprocess.Popen[bytes]],
) -> None:
    with running_stack(settings), pytest.raises(StackRunningError), locked(settings):
        pass
    with locked(settings):
        pass


def test_runner_that_ends_is_explained(
    settings: StackSettings,
    health: list[dict[str, str]],
    launched: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health[:] = [dict.fromkeys(NAMES, "no answer")]

    def crash(_: str) -> None:
        settings.component_log("scheduler").write_text("ImportError: no such thing\n")
        record = read_record(settings.record_file)
        assert record is not None
        failure = ("scheduler", "scheduler ended with code 1 before it was healthy")
        replace(record, failure=failure).write(settings.record_file)
        launched[0].kill()
        launched[0].wait()

    with pytest.raises(StackNotReadyError, match=r"(?s)scheduler ended with code 1.*ImportError"):
        start_stack(settings, report=crash)


def test_component_that_stays_sick_is_named(
    settings: StackSettings,
    health: list[dict[str, str]],
    launched: list[subprocess.Popen[bytes]],
) -> None:
    health[:] = [HEALTHY | {"triggerer": "unhealthy"}]

    with pytest.raises(
        StackNotReadyError,
        match=r"triggerer was not healthy after 0 s \(unhealthy\).*READY_TIMEOUT",
    ):
        start_stack(replace(settings, ready_timeout_s=0.1))

    assert launched[0].poll() is not None


def test_what_an_earlier_stack_left_is_ended(
    made_home: StackSettings,
    health: list[dict[str, str]],
    launched: list[subprocess.Popen[bytes]],
) -> None:
    orphan = subprocess.Popen(["sleep", "60"], start_new_session=True)
    identity = ProcessId.of(orphan.pid)
    gone = ProcessId(orphan.pid, 1.0)
    left = ComponentRecord(identity)
    StackRecord(gone, 0.0, "http://a", "http://m", components={"scheduler": left}).write(
        made_home.record_file
    )
    told: list[str] = []

    with running_stack(made_home, report=told.append):
        assert told[0] == "Ended 1 processes left behind by an earlier stack"
        assert not is_alive(identity)
    orphan.wait()


def test_record_of_another_runner_does_not_count(
    settings: StackSettings, credentials: Credentials, made_home: StackSettings
) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    stack = Stack(settings, credentials, process)
    components = {"scheduler": ComponentRecord()}
    for pid, expected in ((process.pid, components), (process.pid + 1, {})):
        StackRecord(ProcessId(pid, 1.0), 0.0, "", "", components=components).write(
            settings.record_file
        )

        assert module._components(stack) == expected


def test_settings_come_from_the_environment(
    settings: StackSettings,
    health: list[dict[str, str]],
    launched: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)

    with running_stack() as stack:
        assert stack.settings == settings


def test_what_a_stack_offers(settings: StackSettings, credentials: Credentials) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    stack = Stack(settings, credentials, process)

    assert stack.airflow_url == "http://127.0.0.1:8080"
    assert stack.mlflow_url == "http://127.0.0.1:5000"
    assert stack.login == ("admin", "admin-password")
    assert stack.mlflow_login == ("mlops", "mlflow-password")
    assert stack.environment()["AIRFLOW_HOME"] == str(settings.airflow_home)
    assert not stack.is_running()
    assert stack.stop() == 0


def test_client_is_logged_in(
    settings: StackSettings, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []

    def post(url: str, *, json: dict[str, str], **_: object) -> httpx.Response:
        asked.append(json)
        request = httpx.Request("POST", url)
        return httpx.Response(201, json={"access_token": "t0ken"}, request=request)

    monkeypatch.setattr(httpx, "post", post)
    process = subprocess.Popen(["true"])
    process.wait()

    with Stack(settings, credentials, process).airflow_client() as client:
        assert client.headers["Authorization"] == "Bearer t0ken"
        assert client.base_url == "http://127.0.0.1:8080"
    assert asked == [{"username": "admin", "password": "admin-password"}]
