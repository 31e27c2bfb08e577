"""Writing requests in turn, reading ones at any time."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mlops_airflow.ui import root_middlewares, single_writer
from mlops_airflow.ui.single_writer import SingleWriter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class App:
    """An application that notes how many requests are in it, and what they brought."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.bodies: list[bytes] = []

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        body = b""
        if scope["type"] == "http" and scope["method"] != "GET":
            while (message := await receive()).get("more_body"):
                body += message["body"]
            body += message["body"]
        await asyncio.sleep(0.01)
        self.bodies.append(body)
        self.inside -= 1
        if scope.get("fail"):
            raise ValueError


async def ask(app: SingleWriter, method: str = "POST", *parts: bytes, **scope: Any) -> None:
    left = [
        {"type": "http.request", "body": part, "more_body": n < len(parts)}
        for n, part in enumerate(parts or (b"",), start=1)
    ]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        """Take it."""

    await app({"type": "http", "method": method} | scope, receive, send)


async def together(*questions: Awaitable[None]) -> None:
    await asyncio.gather(*questions, return_exceptions=True)


@pytest.mark.parametrize("methods", [["POST"] * 4, ["POST", "PATCH", "PUT", "DELETE"]])
def test_writing_requests_take_turns(methods: list[str]) -> None:
    app = App()
    writer = SingleWriter(app)

    asyncio.run(together(*(ask(writer, method) for method in methods)))

    assert (app.most, len(app.bodies)) == (1, 4)


def test_reading_requests_do_not_wait() -> None:
    app = App()
    writer = SingleWriter(app)

    asyncio.run(together(ask(writer), *(ask(writer, "GET") for _ in range(3))))

    assert app.most == 4


def test_what_is_no_request_passes() -> None:
    app = App()

    asyncio.run(ask(SingleWriter(app), type="lifespan"))

    assert len(app.bodies) == 1


def test_body_arrives_whole_and_in_order() -> None:
    app = App()

    asyncio.run(ask(SingleWriter(app), "POST", b"one ", b"", b"two"))

    assert app.bodies == [b"one two"]


def test_failed_request_gives_its_turn_back() -> None:
    app = App()
    writer = SingleWriter(app)

    asyncio.run(together(ask(writer, fail=True), ask(writer, fail=True), ask(writer)))

    assert len(app.bodies) == 3


def test_client_that_is_slow_to_send_holds_nobody_up() -> None:
    app = App()
    writer = SingleWriter(app)

    async def slow() -> None:
        async def receive() -> dict[str, Any]:
            await asyncio.sleep(60)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            """Take it."""

        await writer({"type": "http", "method": "POST"}, receive, send)

    async def both() -> None:
        never = asyncio.create_task(slow())
        await asyncio.wait_for(ask(writer), 5)
        never.cancel()

    asyncio.run(both())

    assert len(app.bodies) == 1


def test_request_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_writer, "_PATIENCE_S", 0.01)
    stuck, app = asyncio.Event(), App()

    async def first(scope: dict[str, Any], *rest: Any) -> None:
        if scope.get("stuck"):
            await stuck.wait()
        await app(scope, *rest)

    async def both() -> None:
        writer = SingleWriter(first)
        endless = asyncio.create_task(ask(writer, stuck=True))
        await asyncio.sleep(0)
        await asyncio.wait_for(ask(writer), 5)
        stuck.set()
        await endless
        await asyncio.wait_for(ask(writer), 5)

    asyncio.run(both())

    assert len(app.bodies) == 3


@pytest.mark.parametrize(
    ("command", "database", "expected"),
    [
        ("api-server", "sqlite:////tmp/airflow.db?timeout=60", [SingleWriter]),
        ("api-server", "postgresql+psycopg2://user@host/airflow", []),
        ("scheduler", "sqlite:////tmp/airflow.db", []),
    ],
)
def test_only_an_api_server_with_sqlite_has_it(
    monkeypatch: pytest.MonkeyPatch, command: str, database: str, expected: list[type]
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database)
    monkeypatch.setattr(sys, "argv", ["airflow", command])

    assert [entry["middleware"] for entry in root_middlewares()] == expected
