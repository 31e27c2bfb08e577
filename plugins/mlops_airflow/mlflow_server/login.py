"""Ask for a login before any request reaches the app behind it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["AsgiApp", "LoginRequired"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
AsgiApp = Callable[[_Message, _Receive, _Send], Awaitable[None]]

#: What a health check may ask without a login.
_OPEN = {("GET", "/health"), ("HEAD", "/health")}


class LoginRequired:
    """Let requests through that name this server as host, come from no other page, and log in.

    Parameters
    ----------
    app : AsgiApp
        The app behind.
    user, password : str
        The login, by HTTP's basic scheme.
    hosts : iterable of str
        Exact ``host:port`` values of the ``Host`` header: another name that leads here is that of
        a page that wants to speak to this server through somebody's browser.
    """

    def __init__(self, app: AsgiApp, user: str, password: str, hosts: Iterable[str]) -> None:
        self._app = app
        self._login = _digest(f"{user}:{password}".encode())
        self._hosts = frozenset(host.strip().lower() for host in hosts)

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Answer a refused request, hand on the others."""
        refusal = None if scope["type"] == "lifespan" else self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _answer(send, *refusal)

    def _refusal(self, scope: _Message) -> tuple[int, str] | None:
        host, origin = _header(scope, b"host").lower(), _header(scope, b"origin")
        if host not in self._hosts:
            return 403, f"MLflow is asked for under another name. It is {sorted(self._hosts)[0]}"
        # Browsers send it with every request that changes something; other clients send none.
        if origin and origin.lower() not in {f"http://{host}", f"https://{host}"}:
            return 403, "This request comes from a page of another server"
        if (scope.get("method"), scope["path"]) in _OPEN:
            return None
        if not hmac.compare_digest(_digest(_login(scope)), self._login):
            return 401, "MLflow asks for a login: the one of Airflow's connection mlflow_default"
        return None


def _header(scope: _Message, name: bytes) -> str:
    values = [value for key, value in scope["headers"] if key.lower() == name]
    # Two values are a trick: which of them the app behind would believe is anybody's guess.
    return values[0].decode("latin-1") if len(values) == 1 else "," * len(values)


def _login(scope: _Message) -> bytes:
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(value: bytes) -> bytes:
    # Of one length whatever was sent, so that the comparison says nothing about it.
    return hashlib.sha256(value).digest()


async def _answer(send: _Send, status: int, text: str) -> None:
    body = f"{text}.\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="MLflow", charset="UTF-8"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
