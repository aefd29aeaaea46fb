"""Streams of LiteLLM's, read so that none ends early without an error.

LiteLLM invents `finish_reason: stop` for a stream that its provider did not finish, so a cut answer
looks like a whole one: https://github.com/BerriAI/litellm/issues/40404. It keeps the provider's own
chunks in `chunks`, and leaves out an end that it made up. For Gemini that tells nothing, because
LiteLLM's parser writes `stop` into every chunk (vertex_and_google_ai_studio_gemini.py,
_check_finish_reason); there the lines of the response are watched for their `finishReason`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import litellm

from gateway.routing.failure import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.worker.wire import WorkerCall

CUT = Failure(
    FailureKind.UNREACHABLE,
    message="the model's answer was cut off: its stream ended without a finish_reason",
    error_type="server_error",
)


class StreamCutError(Exception):
    """A stream ended without a finish_reason."""


class Stream:
    """A stream of chunks, opened.

    Args:
        answer: LiteLLM's.
        ask: what was asked.

    Attributes:
        reported: the provider's usage, as LiteLLM put it into a chunk; None before that.
    """

    def __init__(self, answer: Any, ask: WorkerCall) -> None:  # noqa: ANN401 -- LiteLLM's
        self._answer = answer
        # Of text completions it is wrapped once more.
        self._chat = answer if hasattr(answer, "chunks") else answer.completion_stream
        self._ask = ask
        self._lines: _Lines | None = None
        self._ended = False
        self.reported: dict[str, Any] | None = None

    async def open(self) -> None:
        """Connect to the provider where LiteLLM does that with the first chunk only (Gemini)."""
        if self._chat.completion_stream is None:
            await self._chat.fetch_stream()
        source = self._chat.completion_stream
        if hasattr(source, "streaming_response"):
            self._lines = _Lines(source.streaming_response)
            source.streaming_response = self._lines

    async def next(self) -> dict[str, Any] | None:
        """Return the next chunk as LiteLLM's proxy sends it; None at the end.

        Raises:
            StreamCutError: it ended without a finish_reason.
            Exception: what LiteLLM raises.
        """
        try:
            chunk = await self._answer.__anext__()
        except StopAsyncIteration:
            if not self._ended:
                raise StreamCutError from None
            return None
        found: dict[str, Any] = chunk.model_dump(mode="json", exclude_none=True, exclude_unset=True)
        usage = found.get("usage")
        if usage:
            self.reported = usage
        if any(choice.get("finish_reason") for choice in found.get("choices") or ()):
            if not self._is_providers_end():
                raise StreamCutError
            self._ended = True
        return found

    async def close(self) -> None:
        """Close the provider's connection."""
        with contextlib.suppress(Exception):
            await self._chat.aclose()

    async def usage(self) -> tuple[dict[str, Any], bool]:
        """Return what was used so far, and whether it was counted because nobody reported it."""
        chunks = list(self._chat.chunks)
        was_reported = any(getattr(chunk, "usage", None) for chunk in chunks)
        if self.reported is not None and self._ended:
            return self.reported, not was_reported
        messages = self._ask.arguments.get("messages") or self._prompt()
        built = await asyncio.to_thread(
            litellm.stream_chunk_builder, chunks=chunks, messages=messages
        )
        used = getattr(built, "usage", None)
        counted: dict[str, Any] = used.model_dump(mode="json", exclude_none=True) if used else {}
        return counted, not was_reported

    def _prompt(self) -> list[dict[str, Any]]:
        return [{"role": "user", "content": str(self._ask.arguments.get("prompt") or "")}]

    def _is_providers_end(self) -> bool:
        if self._lines is not None and self._lines.are_geminis:
            return self._lines.finished
        return any(
            choice.finish_reason
            for chunk in reversed(self._chat.chunks)
            for choice in chunk.choices
        )


class _Lines:
    """The lines of a response, watched for Gemini's end; a model's own words escape quotes."""

    def __init__(self, source: AsyncIterator[str]) -> None:
        self._source = source.__aiter__()
        self._inner = source
        self.are_geminis = False
        self.finished = False

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._source.__anext__()
        if '"candidates"' in line:
            self.are_geminis = True
        if '"finishReason"' in line or '"blockReason"' in line:
            self.finished = True
        return line

    async def aclose(self) -> None:
        """Close the source."""
        close = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()
