"""A stream that the worker passes on."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from gateway.providers.reply import StreamReply
from gateway.request import Usage
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind
from gateway.worker.usage import usage_of
from gateway.worker.wire import CHUNK, DONE, END, FAILURE_EVENT, USAGE_EVENT, decode_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

LAST_WORDS = 3.0
"""Seconds that the worker has to say what a stream used which is ended early."""

BROKE = Failure(
    FailureKind.REQUEST,
    502,
    message="the model's answer was cut off: the gateway's worker stopped",
    error_type="server_error",
)


class WorkerStream(StreamReply):
    """Chunks from the worker.

    Args:
        response: the worker's.
        headers: the provider's.
        stop: asks the worker to end the stream.
        wants_usage: whether the caller asked for the usage's chunk.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        headers: Mapping[str, str],
        stop: Callable[[], Awaitable[None]],
        *,
        wants_usage: bool,
    ) -> None:
        self.headers = headers
        self._response = response
        self._stop = stop
        self._wants_usage = wants_usage
        self._events: deque[bytes] = deque()
        self._rest = b""
        self._usage = Usage()
        self._said = 0
        self._ended = False

    def __aiter__(self) -> WorkerStream:
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Return the next chunk.

        Raises:
            AttemptFailedError: the stream broke, was silent for too long, or ended without a
                finish_reason; or the worker died, which is a failure of kind REQUEST.
        """
        while not self._ended:
            event = await self._next_event()
            if event.startswith(CHUNK):
                chunk = self._chunk(event)
                if chunk is not None:
                    return chunk
            elif event.startswith(USAGE_EVENT):
                self._take_usage(event)
            elif event.startswith(FAILURE_EVENT):
                self._ended = True
                self._response.close()
                raise AttemptFailedError(decode_failure(event[len(FAILURE_EVENT) :]))
        raise StopAsyncIteration

    async def close(self) -> None:
        """End it, and learn what it used so far."""
        if not self._ended:
            with contextlib.suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._learn_usage(), LAST_WORDS)
        self._ended = True
        self._response.close()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        if self._usage.total or not self._said:
            return self._usage
        return Usage(completion=self._said, counted=True)  # no worker to count: a token a chunk

    async def _learn_usage(self) -> None:
        await self._stop()
        while not self._ended:
            event = await self._next_event()
            if event.startswith(USAGE_EVENT):
                self._take_usage(event)
                return

    async def _next_event(self) -> bytes:
        while not self._events:
            try:
                read = await self._response.content.readany()
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                self._ended = True
                self._response.close()
                raise AttemptFailedError(BROKE) from error
            if not read:
                self._ended = True
                self._response.close()
                raise AttemptFailedError(BROKE)
            *events, self._rest = (self._rest + read).split(END)
            self._events.extend(events)
        event = self._events.popleft()
        if event == DONE[: -len(END)]:
            self._ended = True
            self._response.release()
            return b""
        return event

    def _chunk(self, event: bytes) -> dict[str, Any] | None:
        """Return a chunk for the caller; None for one that it did not ask for."""
        chunk: dict[str, Any] = orjson.loads(event[len(CHUNK) :])
        self._said += 1
        usage = chunk.get("usage")
        if usage is None:
            return chunk
        self._usage = usage_of(usage)
        if self._wants_usage:
            return chunk
        del chunk["usage"]
        choices = chunk.get("choices") or ()
        said = any(choice.get("delta") or choice.get("finish_reason") for choice in choices)
        return chunk if said else None

    def _take_usage(self, event: bytes) -> None:
        found = orjson.loads(event[len(USAGE_EVENT) :])
        if found["usage"]:
            self._usage = usage_of(found["usage"], counted=found["counted"])
