"""An answer: whole, or a stream that has begun."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.routing.failure import AttemptFailedError, Failure, FailureKind
from gateway.routing.whole_answer import WholeAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.providers.reply import PlainReply, StreamReply
    from gateway.request import Attempt
    from gateway.routing.attempts import Attempts, Call

LOG = logging.getLogger(__name__)
CLOCK = time.monotonic
Chunk = dict[str, Any]
UNREADABLE = Failure(FailureKind.REQUEST, 500, message="the answer could not be read")

TOKEN_FIELDS = (
    "content",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "refusal",
    "audio",
    "images",
)
"""Fields of a delta that are part of an answer; its role alone is not."""


@dataclass(slots=True)
class Answer:
    """The answer to a request.

    Attributes:
        attempt: the attempt that was answered.
        reply: the provider's reply for a plain answer; None for a stream.
        stream: the stream for a streamed answer; None for a plain one.
    """

    attempt: Attempt
    reply: PlainReply | None
    stream: AnswerStream | None


class AnswerStream:
    """A stream that has begun: the chunks held back first, then the rest.

    Iterate to its end, or close it. Once it has ended, broken or been closed, the attempt has its
    bill, its failure and its end, and the deployment's state is up to date. A chunk with usage also
    has the answer's cost: `usage.cost`, in USD, as OpenRouter does.

    Args:
        attempts: records how the stream ended.
        call: the attempt that this stream answers.
        source: the provider's stream.

    Attributes:
        headers: the provider's, in lower case.
    """

    __slots__ = (
        "_attempts",
        "_call",
        "_ended",
        "_has_token",
        "_held",
        "_source",
        "_whole",
        "headers",
    )

    def __init__(self, attempts: Attempts, call: Call, source: StreamReply) -> None:
        self.headers: Mapping[str, str] = source.headers
        self._attempts = attempts
        self._call = call
        self._source = source
        self._held: deque[Chunk] = deque()
        self._has_token = False
        self._ended = False
        self._whole = WholeAnswer() if attempts.keeps_answers else None

    async def open(self, *, to_the_end: bool) -> None:
        """Read up to the first token, or to the end, and hold these chunks back for the caller.

        Raises:
            AttemptFailedError: the stream broke before that.
        """
        try:
            while to_the_end or not self._has_token:
                self._held.append(await self._next())
        except StopAsyncIteration:
            pass

    def text(self) -> str | None:
        """Return the text of the chunks held back; None when they call a tool or refuse."""
        pieces: list[str] = []
        for chunk in self._held:
            for choice in (chunk.get("choices") or ())[:1]:
                delta = choice.get("delta") or {}
                if delta.get("tool_calls") or delta.get("refusal"):
                    return None
                pieces.append(delta.get("content") or "")
        return "".join(pieces)

    def __aiter__(self) -> AnswerStream:
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk.

        Raises:
            AttemptFailedError: the stream broke.
        """
        if self._held:
            return self._held.popleft()
        return await self._next()

    async def close(self) -> None:
        """End the stream, because the caller wants no more, and bill what was produced."""
        self._held.clear()
        if self._ended:
            return
        self._ended = True
        try:
            await self._source.close()
        finally:
            self._bill_what_was_produced()
            self._attempts.abandon(self._call)

    async def _next(self) -> Chunk:
        if self._ended:
            raise StopAsyncIteration
        try:
            chunk = await self._source.__anext__()
        except StopAsyncIteration:
            self._ended = True
            self._store()
            self._attempts.record_success(self._call, self._source.usage)
            raise
        except AttemptFailedError as error:
            raise AttemptFailedError(self._break(error.failure)) from error
        except asyncio.CancelledError:  # the caller left
            await self.close()
            raise
        except Exception as error:
            LOG.exception("a stream of %s broke", self._call.tracked)
            raise AttemptFailedError(self._break(UNREADABLE)) from error
        if not self._has_token and has_token(chunk):
            self._has_token = True
            attempt = self._call.attempt
            attempt.first_token = CLOCK()
            attempt.response_id = str(chunk.get("id") or "")
        if self._whole is not None:
            self._whole.add(chunk)
        return self._with_cost(chunk) if chunk.get("usage") else chunk

    def _with_cost(self, chunk: Chunk) -> Chunk:
        """Return a chunk with the cost in its usage.

        The chunk is copied, because its usage may be an object of the provider's reply.
        """
        bill = self._attempts.set_bill(self._call, self._source.usage)
        if not bill.priced:
            return chunk
        return {**chunk, "usage": {**chunk["usage"], "cost": bill.cost}}

    def _break(self, failure: Failure) -> Failure:
        self._ended = True
        self._bill_what_was_produced()
        return self._attempts.record_failure(self._call, failure)

    def _bill_what_was_produced(self) -> None:
        """Set the bill of an incomplete stream; before its first token there is none."""
        self._store()
        if self._has_token:
            self._attempts.set_bill(self._call, self._source.usage)
        else:
            self._call.attempt.bill = None

    def _store(self) -> None:
        if self._whole is not None:
            self._call.attempt.stored_answer = self._whole.answer()


def has_token(chunk: Chunk) -> bool:
    """Return whether a chunk holds part of the answer."""
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta")
        if delta:
            for name in TOKEN_FIELDS:
                if delta.get(name):
                    return True
        if choice.get("text"):
            return True
    return False
