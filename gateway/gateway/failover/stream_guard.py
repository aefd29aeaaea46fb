"""Streams that never end short in silence.

LiteLLM invents `finish_reason: stop` for a stream that its provider did not finish, so a cut
answer looks like a whole one; and it falls back before the first token for some errors only (not
for a timeout, not to a deployment of the same alias). So each attempt reads up to its first token
before it counts as answered, and what comes later is watched to its end.
https://github.com/BerriAI/litellm/issues/40404
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from gateway.failover.cost import with_cost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    Chunk = Any


class StreamCutError(Exception):
    """A stream ended without a finish_reason.

    Args:
        how: what happened, after "the model's answer was cut off: ".
    """

    status_code = 502
    type = "server_error"  # the last two are fields of OpenAI's error object
    param = None

    def __init__(self, how: str = "its stream ended without a finish_reason") -> None:
        self.message = f"the model's answer was cut off: {how}"
        super().__init__(self.message)


class RouterStream(Protocol):
    """What LiteLLM's router returns for a stream (FallbackStreamWrapper), as far as used here."""

    _async_generator: AsyncGenerator[Chunk, None]
    completion_stream: AsyncGenerator[Chunk, None] | None
    chunks: list[Chunk]


class GuardedStream:
    """A router's stream, opened up to its first token.

    Args:
        stream: keeps its type and its attributes, which LiteLLM's proxy reads; only its source of
            chunks is replaced.
        failed: called with the exception when it breaks after the first token.
        finished: called when it ends well.
    """

    def __init__(
        self,
        stream: RouterStream,
        failed: Callable[[Exception], None],
        finished: Callable[[], None],
    ) -> None:
        self.stream = stream
        self._source = stream._async_generator  # noqa: SLF001 -- see the module's docstring
        self._failed = failed
        self._finished = finished
        self._held: deque[Chunk] = deque()

    async def open(self, *, to_the_end: bool = False) -> None:
        """Reads up to the first token, or all of it, and holds that back for the caller.

        Raises:
            Exception: what the provider's stream raised, or StreamCutError.
        """
        try:
            async for chunk in self._source:
                await self._refuse_invented_end(chunk)
                self._held.append(chunk)
                if has_token(chunk) and not to_the_end:
                    break
            if not any(has_token(chunk) or finish_reason(chunk) for chunk in self._held):
                raise StreamCutError  # noqa: TRY301 -- closed like any other failure
        except BaseException:
            await self._source.aclose()
            raise
        rest = self._rest()
        self.stream._async_generator = rest  # noqa: SLF001 -- as above
        self.stream.completion_stream = rest

    def text(self) -> str | None:
        """Returns the text of the chunks held; None when they call a tool."""
        deltas = [choice.delta for chunk in self._held for choice in chunk.choices[:1]]
        if any(getattr(delta, "tool_calls", None) for delta in deltas):
            return None
        return "".join(getattr(delta, "content", None) or "" for delta in deltas)

    async def _rest(self) -> AsyncGenerator[Chunk, None]:
        try:
            while self._held:
                yield with_cost(self._held.popleft(), self.stream)
            async for chunk in self._source:
                await self._refuse_invented_end(chunk)
                yield with_cost(chunk, self.stream)
        except StreamCutError as error:
            self._failed(error)
            raise
        except Exception as error:
            self._failed(error)
            # The caller reads of this in the stream's last event: in words, not of a library's.
            raise StreamCutError("the provider's stream broke") from error
        else:
            self._finished()
        finally:
            await self._source.aclose()

    async def _refuse_invented_end(self, chunk: Chunk) -> None:
        """LiteLLM keeps the provider's own chunks, and leaves out an end that it made up."""
        if not finish_reason(chunk) or any(map(finish_reason, reversed(self.stream.chunks))):
            return
        async for _ in self._source:  # at its end LiteLLM writes down what the tokens so far cost
            pass
        raise StreamCutError


def finish_reason(chunk: Chunk) -> str | None:
    """Returns why a chunk says that the answer is over, None when it goes on."""
    return next((choice.finish_reason for choice in chunk.choices if choice.finish_reason), None)


def has_token(chunk: Chunk) -> bool:
    """Returns whether a chunk holds something of the answer, not only its role."""
    fields = ("content", "tool_calls", "function_call", "reasoning_content", "audio", "images")
    deltas = [choice.delta for choice in chunk.choices]
    return any(getattr(delta, name, None) for delta in deltas for name in fields)
