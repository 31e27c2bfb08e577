"""Which Airflow a command means, and what it says where it is not let in."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import httpx
import pytest

from mlops_airflow.rest.client import AirflowApi
from mlops_airflow.rest.login import AirflowLogin, AirflowUnreachableError, find_login
from mlops_airflow.stack.credentials import load_credentials
from mlops_airflow.stack.settings import StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIABLE = "AIRFLOW_CONN_AIRFLOW_API"
URL = "http://airflow.example:8080"
HEALTHY = {"scheduler": {"status": "healthy"}}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[StackSettings]:
    """Settings of a stack that was never started; the environment is put back."""
    with patch.dict(os.environ):
        os.environ.pop(VARIABLE, None)
        yield StackSettings(tmp_path / "home", tmp_path / "dags")


def connection(**fields: Any) -> None:
    os.environ[VARIABLE] = json.dumps({"conn_type": "http"} | fields)


def test_embedded_stack_is_meant_where_nothing_is_said(settings: StackSettings) -> None:
    settings.home.mkdir()
    password = load_credentials(settings.secrets_file).admin_password
    found = find_login(settings)
    assert (found.url, found.username, found.password) == (
        settings.airflow_url,
        "admin",
        password,
    )
    assert password not in repr(found)


def test_without_a_stack_it_is_said_how_to_have_one(settings: StackSettings) -> None:
    with pytest.raises(AirflowUnreachableError, match=r"no stack in .*mlops up.*--airflow-url"):
        find_login(settings)


def test_connection_names_address_and_login(settings: StackSettings) -> None:
    connection(host="airflow.example", port=8080, login="ana", password="secret")
    assert find_login(settings).url == URL
    connection(host=URL, login="ana", password="secret")
    assert find_login(settings).url == URL
    assert find_login(settings, "https://other").url == "https://other"
    assert find_login(settings, "https://other").source == "the connection 'airflow_api'"


def test_connection_without_login_or_host_is_named(settings: StackSettings) -> None:
    connection(host="airflow.example")
    with pytest.raises(AirflowUnreachableError, match="has no login and password"):
        find_login(settings)
    connection(login="ana", password="secret")
    with pytest.raises(AirflowUnreachableError, match="has no host"):
        find_login(settings)


def test_address_without_login_says_where_one_belongs(settings: StackSettings) -> None:
    with pytest.raises(AirflowUnreachableError, match=rf"who logs in to {URL}.*{VARIABLE}="):
        find_login(settings, URL)


def test_file_has_the_login_and_nobody_else_may_read_it(
    settings: StackSettings, tmp_path: Path
) -> None:
    file = tmp_path / "login.json"
    file.write_text(json.dumps({"username": "ana", "password": "secret"}))
    file.chmod(0o644)
    with pytest.raises(AirflowUnreachableError, match="others may read it: chmod 600"):
        find_login(settings, URL, file)
    file.chmod(0o600)
    found = find_login(settings, URL, file)
    assert (found.username, found.password, found.source) == ("ana", "secret", str(file))
    with pytest.raises(AirflowUnreachableError, match="Name the Airflow with --airflow-url"):
        find_login(settings, None, file)


@pytest.mark.parametrize("text", ["{", "[]", '{"username": "ana"}'])
def test_file_that_holds_no_login_is_named(
    settings: StackSettings, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "login.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(AirflowUnreachableError, match=r"login\.json holds no login: write"):
        find_login(settings, URL, file)
    with pytest.raises(AirflowUnreachableError, match=r"nothing\.json cannot be read"):
        find_login(settings, URL, tmp_path / "nothing.json")


def connected(monkeypatch: pytest.MonkeyPatch, answer: Any) -> AirflowApi:
    def api(url: str, username: str, password: str) -> AirflowApi:
        return AirflowApi(url, username, password, transport=httpx.MockTransport(answer))

    monkeypatch.setattr("mlops_airflow.rest.login.AirflowApi", api)
    return AirflowLogin(URL, "ana", "secret", "the file").connect()


def answers(**statuses: int) -> Any:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(statuses.get("token", 201), json={"access_token": "t"})
        if request.url.path == "/api/v2/monitor/health":
            return httpx.Response(statuses.get("health", 200), json=HEALTHY)
        return httpx.Response(statuses.get("runs", 200), json={"total_entries": 0, "dag_runs": []})

    return answer


def test_airflow_that_lets_us_in_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connected(monkeypatch, answers()).base_url == URL


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ({"token": 401}, f"Airflow at {URL} refuses the login of 'ana' from the file"),
        ({"runs": 403}, "lets 'ana' .from the file. not read its runs"),
        ({"health": 503}, f"no Airflow answers at {URL} .*mlops up"),
        ({"health": 404}, f"what answers at {URL} is no Airflow 3"),
    ],
)
def test_what_does_not_let_us_in_is_named(
    monkeypatch: pytest.MonkeyPatch, statuses: dict[str, int], told: str
) -> None:
    with pytest.raises(AirflowUnreachableError, match=told):
        connected(monkeypatch, answers(**statuses))


def test_silence_and_strangers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(AirflowUnreachableError, match=r"no Airflow answers at .*refused"):
        connected(monkeypatch, silent)

    def stranger(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access_token": "t", "name": "a shop"})

    with pytest.raises(AirflowUnreachableError, match="is no Airflow 3"):
        connected(monkeypatch, stranger)
