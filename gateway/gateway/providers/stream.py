"""A stream from a provider: read to its end or closed, with its usage right in both cases.

A stream that ends without a finish_reason was cut, however politely its connection was closed:
https://github.com/BerriAI/litellm/issues/40404
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.providers.failures import failure_of_exception
from gateway.providers.http_client import FAILURES, provider_headers
from gateway.providers.lines import Lines, LineTooLongError
from gateway.providers.reply import StreamReply
from gateway.providers.usage import count_usage, estimated_usage
from gateway.request import Usage
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment
    from gateway.providers.reply import Timeouts
    from gateway.providers.response import Response
    from gateway.providers.usage import Count
    from gateway.request import Request

DRAIN = 1.0
"""Seconds for the end of a response whose answer is over, so that its connection can be kept."""

CUT = Failure(FailureKind.UNREACHABLE, message="its stream ended without a finish_reason")
UNREADABLE = Failure(FailureKind.FAILING, message="its stream cannot be read")

Chunk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamContext:
    """What a stream answers.

    Attributes:
        deployment: that answers.
        request: that it answers.
        timeouts: `answer` bounds the time until the first event, and between two.
        count: counts tokens when the provider does not say how many there were.
        began: on the event loop's clock.
    """

    deployment: Deployment
    request: Request
    timeouts: Timeouts
    count: Count | None
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class ProviderStream(StreamReply):
    """What the streams of all protocols have in common.

    Args:
        response: whose body is the stream.
        asked: what it answers.
    """

    def __init__(self, response: Response, asked: StreamContext) -> None:
        self.headers = provider_headers(response)
        self._response = response
        self._asked = asked
        self._lines = Lines()
        self._pending: deque[Chunk] = deque()
        self._texts: list[str] = []
        self._reported: Usage | None = None
        self._failure: Failure | None = None
        self._has_begun = False  # a chunk came
        self._has_finished = False  # with a finish_reason
        self._is_over = False  # the protocol's end came
        self._has_ended = False  # nothing more will be read
        self._is_settled = False  # its usage is final
        self._was_closed = False  # by who reads it
        self._loop = asyncio.get_running_loop()
        self._silence = asked.timeouts.answer
        self._deadline: float | None = asked.began + self._silence
        self._was_silent = False
        self._alarm = self._loop.call_at(self._deadline, self._on_alarm)

    def __aiter__(self) -> ProviderStream:
        """Return itself."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk; see StreamReply."""
        pending = self._pending
        if not pending:
            if self._deadline is None:
                self._deadline = self._loop.time() + self._silence
            while not pending:
                if self._has_ended:
                    if self._failure is not None:
                        raise AttemptFailedError(self._failure)
                    raise StopAsyncIteration
                await self._read()
            self._deadline = None
        return pending.popleft()

    async def close(self) -> None:
        """End it, and count what was produced if the provider did not say."""
        if not self._has_ended:
            self._was_closed = True
            await self._end()
        elif not self._is_settled:  # its end was cancelled
            await self._settle()
        self._pending.clear()

    @property
    def usage(self) -> Usage:
        """What was used so far; an estimate while it goes on and nothing is reported."""
        if self._reported is not None:
            return self._reported
        if not self._has_begun:
            return Usage()
        return estimated_usage(self._asked.request, "".join(self._texts))

    @abstractmethod
    def _take(self, lines: list[bytes]) -> None:
        """Turn lines into chunks in `_pending`, and note what they say of the end and the usage.

        May raise KeyError, TypeError, AttributeError or ValueError for what cannot be read.
        """

    @abstractmethod
    def _usage_chunk(self, usage: Usage) -> Chunk | None:
        """Return the chunk that tells the usage, None when the caller did not ask for it."""

    def _has_clean_end(self) -> bool:
        """Return whether the answer is whole, at the end of the response's body."""
        return self._has_finished

    async def _read(self) -> None:
        if self._is_over:
            await self._end()
            return
        try:
            data = await self._response.readany()
        except FAILURES as error:
            self._failure = (
                Failure(FailureKind.UNRESPONSIVE)
                if self._was_silent
                else failure_of_exception(error)
            )
            if self._has_finished:  # all of the answer came; only its end is missing
                self._failure = None
            await self._end()
            return
        try:
            self._take(self._lines.feed(data) if data else self._lines.end())
        except (KeyError, TypeError, AttributeError, ValueError, LineTooLongError):
            self._failure = UNREADABLE
        if self._failure is not None or not data:
            await self._end()

    async def _end(self) -> None:
        """Let the connection go, and settle the usage."""
        self._has_ended = True
        try:
            if self._is_over and self._failure is None and not self._was_closed:
                await self._drain()
        finally:
            self._alarm.cancel()
            self._response.close()
        if self._failure is None and not self._was_closed and not self._has_clean_end():
            self._failure = CUT
        await self._settle()

    async def _settle(self) -> None:
        if self._reported is None and self._has_begun:
            # First an estimate, so that a cancelled count leaves something to be billed.
            text = "".join(self._texts)
            self._reported = estimated_usage(self._asked.request, text)
            self._reported = await count_usage(
                self._asked.count, self._asked.deployment, self._asked.request, text
            )
        self._is_settled = True
        if self._failure is None and self._reported is not None and not self._was_closed:
            chunk = self._usage_chunk(self._reported)
            if chunk is not None:
                self._pending.append(chunk)

    async def _drain(self) -> None:
        self._deadline = self._loop.time() + DRAIN
        self._alarm.cancel()
        self._alarm = self._loop.call_at(self._deadline, self._on_alarm)
        try:
            while not self._response.at_eof and not self._was_silent:
                await self._response.readany()
        except FAILURES:
            pass  # the answer is whole already

    def _on_alarm(self) -> None:
        """Break off when nothing came for too long; a slow caller is not the provider's silence."""
        now = self._loop.time()
        due = now + self._silence if self._deadline is None else self._deadline
        if now < due:
            self._alarm = self._loop.call_at(due, self._on_alarm)
            return
        self._was_silent = True
        self._response.close()
