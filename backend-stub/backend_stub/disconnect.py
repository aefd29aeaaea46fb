"""A caller who has gone must not go on paying: the call upstream ends with its connection."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from backend_stub.failures import ServiceError


async def unless_disconnected[T](request: Request, work: Awaitable[T]) -> T:
    """Return what the work returns; cancels it as soon as the client disconnects.

    Raises:
        ServiceError: 499, which nobody reads but the log.
    """
    task = asyncio.ensure_future(work)
    if not await _finished_before_disconnect(task, request.receive):
        raise ServiceError(499, "client_disconnected", "the client closed the connection")
    return task.result()


class EventStream(StreamingResponse):
    """Server-sent events; closes their source at once when the client disconnects.

    Starlette's own class watches for a disconnect only with servers of ASGI 2.3 and older, and
    leaves the source to the garbage collector; between two slow tokens neither is enough.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[str]) -> None:
        # The headers keep proxies from collecting events before they pass them on.
        super().__init__(events, headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the client has gone."""
        del scope
        async with aclosing(self._events):
            task = asyncio.ensure_future(self.stream_response(send))
            if await _finished_before_disconnect(task, receive):
                task.result()


async def _finished_before_disconnect(task: asyncio.Future[Any], receive: Receive) -> bool:
    """Return True when the task finished first; in any case nothing of it runs on."""
    watching = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((task, watching), return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        task.cancel()
        watching.cancel()
        await asyncio.gather(task, watching, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
