"""The login before MLflow's app; tests/system/test_mlflow_server.py attacks the real server."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from mlops_airflow.mlflow_server import PASSWORD_VARIABLE, USER_VARIABLE, create_app
from mlops_airflow.mlflow_server.login import LoginRequired

HOST = b"127.0.0.1:5000"


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


LOGIN = basic("mlops", "pass:wörd")


class Behind:
    """The app behind the login: notes what reaches it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached.append(scope["type"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})


def ask(
    *headers: tuple[bytes, bytes], kind: str = "http", method: str = "GET", path: str = "/version"
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what is sent back, and what reached the app behind."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    behind = Behind()
    app = LoginRequired(behind, "mlops", "pass:wörd", [" 127.0.0.1:5000", "mlflow:5000"])
    scope = {"type": kind, "method": method, "path": path, "headers": headers}
    asyncio.run(app(scope, receive, send))
    return sent, behind.reached


def status(*headers: tuple[bytes, bytes], **how: str) -> int:
    sent, reached = ask(*headers, **how)
    assert bool(reached) == (sent[0]["status"] == 200)
    return int(sent[0]["status"])


@pytest.mark.parametrize("scheme", [b"Basic", b"basic", b"BASIC"])
def test_the_login_opens(scheme: bytes) -> None:
    login = LOGIN.replace(b"Basic", scheme)
    assert status((b"host", HOST), (b"authorization", login)) == 200


def test_health_is_open_to_questions_only() -> None:
    assert status((b"host", HOST), path="/health") == 200
    assert status((b"host", HOST), path="/health", method="HEAD") == 200
    assert status((b"host", HOST), path="/health", method="POST") == 401
    assert status((b"host", b"other:5000"), path="/health") == 403


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Basic")],
        [(b"authorization", b"Basic \xff")],
        [(b"authorization", b"Bearer pass:w\xc3\xb6rd")],
        [(b"authorization", LOGIN.replace(b"Basic", b"Digest"))],
        [(b"authorization", basic("mlops", "pass"))],
        [(b"authorization", basic("mlops", "pass:wörd "))],
        [(b"authorization", basic("mlop", "s:pass:wörd"))],
        [(b"authorization", LOGIN), (b"authorization", LOGIN)],
        [(b"x-authorization", LOGIN)],
        [(b"proxy-authorization", LOGIN)],
    ],
)
def test_everything_else_is_asked_for_it(headers: list[tuple[bytes, bytes]]) -> None:
    sent, reached = ask((b"host", HOST), *headers)
    assert (sent[0]["status"], reached) == (401, [])
    assert dict(sent[0]["headers"])[b"www-authenticate"].startswith(b"Basic")
    assert b"mlflow_default" in sent[1]["body"]


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([b"127.0.0.1:5000"], 200),
        ([b"MLflow:5000"], 200),
        ([], 403),
        ([b""], 403),
        ([b"127.0.0.1"], 403),
        ([b"127.0.0.1:5001"], 403),
        ([b"127.0.0.1:5000,mlflow:5000"], 403),
        ([b"127.0.0.1:5000", b"127.0.0.1:5000"], 403),
        ([b"localhost:5000"], 403),
        ([b"x127.0.0.1:5000"], 403),
        ([b"127.0.0.1:5000.evil.example"], 403),
    ],
)
def test_the_host_is_one_of_its_own(hosts: list[bytes], expected: int) -> None:
    named = [(b"host", host) for host in hosts]
    assert status(*named, (b"authorization", LOGIN)) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (b"http://127.0.0.1:5000", 200),
        (b"https://127.0.0.1:5000", 200),  # TLS ended by a proxy
        (b"http://mlflow:5000", 403),  # another of its names, but not the one asked for
        (b"http://127.0.0.1:8080", 403),
        (b"http://127.0.0.1", 403),
        (b"null", 403),
        (b"http://evil.example", 403),
        (b"ftp://127.0.0.1:5000", 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_page_is_one_of_its_own(origin: bytes, expected: int, method: str) -> None:
    headers = [(b"host", HOST), (b"origin", origin), (b"authorization", LOGIN)]
    assert status(*headers, method=method) == expected


def test_websockets_need_it_too() -> None:
    sent, reached = ask((b"host", HOST), kind="websocket")
    assert (sent, reached) == ([{"type": "websocket.close", "code": 1008}], [])
    assert ask((b"host", HOST), (b"authorization", LOGIN), kind="websocket")[1] == ["websocket"]


def test_the_start_of_the_app_is_no_request() -> None:
    assert ask(kind="lifespan")[1] == ["lifespan"]


@pytest.mark.parametrize(
    "missing", [USER_VARIABLE, PASSWORD_VARIABLE, "MLFLOW_SERVER_ALLOWED_HOSTS"]
)
def test_a_server_without_a_login_does_not_start(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (USER_VARIABLE, PASSWORD_VARIABLE, "MLFLOW_SERVER_ALLOWED_HOSTS"):
        monkeypatch.setenv(name, "" if name == missing else "x")
    with pytest.raises(RuntimeError, match=f"{missing} is not set"):
        create_app()
