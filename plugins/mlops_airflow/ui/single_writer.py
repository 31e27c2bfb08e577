"""Let one writing request at a time into an api-server whose database is SQLite.

SQLite has one writer. A request of Airflow's API that has written commits when the event loop comes
round to it. But Airflow also writes its audit log on the event loop: with another request's write
not committed yet, the loop waits for a lock that only the loop can set free, until SQLite's timeout
fails the request, and nobody in the whole stack can write meanwhile. Requests in turn never meet.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]

__all__ = ["SingleWriter"]

_READING = frozenset(("GET", "HEAD", "OPTIONS"))
#: Longest wait for the requests before, in seconds: one that never ends must not stop the others.
_PATIENCE_S = 30.0


class SingleWriter:
    """Hold back each writing request until the ones before have ended; an ASGI middleware.

    Parameters
    ----------
    app : callable
        The ASGI application behind.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request.

        Parameters
        ----------
        scope : dict
            What is asked for.
        receive, send : callable
            The two directions of the connection.
        """
        if scope["type"] != "http" or scope["method"] in _READING:
            await self._app(scope, receive, send)
            return
        # Nobody waits for a client that is slow to send.
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())

        async def replay() -> Message:
            return messages.pop(0) if messages else await receive()

        has_turn = await self._wait()
        try:
            await self._app(scope, replay, send)
        finally:
            if has_turn:
                self._turn.release()

    async def _wait(self) -> bool:
        try:
            await asyncio.wait_for(self._turn.acquire(), _PATIENCE_S)
        except TimeoutError:
            return False
        return True
