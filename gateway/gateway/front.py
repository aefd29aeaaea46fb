"""What a request passes first: an ASGI application that answers /health and hands on the rest.

LiteLLM's own GET /health wants a key and makes a paid call to every deployment; with a query
(/health?model=…) it is still reached.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from gateway.health import Health

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]


async def _nothing() -> None:
    """Does nothing."""


class Front:
    """Wraps LiteLLM's application.

    Args:
        app: LiteLLM's.
        health: answers for /health.
        started: called when LiteLLM is up, before the first request is let in.
        stopping: awaited when the server is told to stop, before LiteLLM drains and flushes.
        stopped: awaited when LiteLLM has done so.
    """

    def __init__(
        self,
        app: App,
        health: Health,
        started: Callable[[], None],
        stopping: Callable[[], Awaitable[None]],
        stopped: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._app = app
        self._health = health
        self._started = started
        self._stopping = stopping
        self._stopped = stopped

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers, or hands on."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif is_health_request(scope):
            await self._answer_health(scope, send)
        else:
            await self._app(scope, receive, send)

    async def _lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._started()
            elif message["type"].startswith("lifespan.shutdown."):
                await self._stopped()
            await send(message)

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._stopping()
            return message

        await self._app(scope, hear, tell)

    async def _answer_health(self, scope: Message, send: Send) -> None:
        report = await self._health.report()
        body = json.dumps(report.body()).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        start = {"type": "http.response.start", "status": report.status_code, "headers": headers}
        await send(start)
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )


def is_health_request(scope: Message) -> bool:
    """Returns whether a request is the free health check, and not LiteLLM's with its parameters."""
    return (
        scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and scope["path"] == "/health"
        and not scope.get("query_string")
    )
