"""A LiteLLM gateway in the process of the test: answers what it is told, remembers what it got."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

DEPLOYMENT = "ollama_chat/llama3.2"


def completion(
    content: str, *, prompt_tokens: int = 11, completion_tokens: int = 7, **headers: str
) -> httpx.Response:
    """Return a chat completion; headers are named with underscores."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "extraction-model",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
    named = {"x-litellm-model-name": DEPLOYMENT}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(200, json=body, headers=named)


def error(
    status: int, message: str, kind: str = "", headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Return an error as LiteLLM words it."""
    body = {"message": message, "type": kind, "param": None, "code": str(status)}
    return httpx.Response(status, json={"error": body}, headers=headers)


def chunk(text: str = "", finish_reason: str | None = None) -> dict[str, Any]:
    """Return a piece of a streamed completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "explanation-model",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}],
    }


def usage_chunk(**extra: float) -> dict[str, Any]:
    """Return the piece that ends a stream and holds its usage."""
    usage = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}
    return {**chunk(), "choices": [], "usage": {**usage, **extra}}


class Stream(httpx.AsyncByteStream):
    """Server-sent events: objects become data lines, exceptions are raised, HANG waits for ever."""

    HANG = object()

    def __init__(self, *pieces: object) -> None:
        self._pieces = pieces
        self.closed = threading.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the events."""
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if piece is self.HANG:
                await asyncio.Event().wait()
            data = piece if isinstance(piece, str) else json.dumps(piece)
            yield f"data: {data}\n\n".encode()

    async def aclose(self) -> None:
        """Note that nobody reads any more."""
        self.closed.set()

    @property
    def response(self) -> httpx.Response:
        """The response that carries this stream."""
        headers = {"content-type": "text/event-stream", "x-litellm-model-name": DEPLOYMENT}
        return httpx.Response(200, stream=self, headers=headers)


HANG = object()
"""An answer that never comes."""


@dataclass
class FakeGateway(httpx.AsyncBaseTransport):
    """Answers requests in order with responses, exceptions or HANG."""

    answers: deque[object] = field(default_factory=deque)
    requests: list[httpx.Request] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def will(self, *answers: object) -> None:
        """Queue answers."""
        self.answers.extend(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer with what is next in the queue."""
        self.requests.append(request)
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        if answer is HANG:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        assert isinstance(answer, httpx.Response)
        answer.request = request
        return answer

    def body(self, number: int = -1) -> dict[str, Any]:
        """Return the JSON of a request."""
        parsed: dict[str, Any] = json.loads(self.requests[number].content)
        return parsed

    @property
    def call_ids(self) -> Sequence[str]:
        """The ids under which the calls will be booked."""
        return [request.headers["x-litellm-call-id"] for request in self.requests]
