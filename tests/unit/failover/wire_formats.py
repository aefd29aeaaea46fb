"""How OpenAI and Ollama write an answer, whole or as a stream."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from unit.failover.upstream import Reply

Body = dict[str, Any]
DONE = "data: [DONE]\n\n"
NUMBERS = itertools.count(1)


class OpenAIWire:
    """POST /v1/chat/completions."""

    stream_type = "text/event-stream"

    def __init__(self, name: str) -> None:
        self._name = name
        self._id = ""

    def whole(self, reply: Reply) -> Body:
        """Returns the whole answer."""
        message = {"role": "assistant", "content": reply.content}
        return {
            "id": f"chatcmpl-{next(NUMBERS)}",
            "object": "chat.completion",
            "created": 1,
            "model": self._name,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": _usage(reply),
        }

    async def stream(self, reply: Reply, body: Body) -> AsyncIterator[str]:
        """Yields the answer's chunks, or those before it breaks."""
        self._id = f"chatcmpl-{next(NUMBERS)}"
        yield self._chunk({"role": "assistant", "content": ""})
        for number, word in enumerate(_words(reply)):
            if number == reply.cut_after:
                return
            if number == reply.broken:
                yield 'data: {"id": "chatcm\n\n'
            yield self._chunk({"content": word})
        if reply.cut_after is not None:
            return
        yield self._chunk({}, finish_reason="stop")
        if (body.get("stream_options") or {}).get("include_usage"):
            yield self._chunk(None, usage=_usage(reply))
        yield DONE

    def _chunk(
        self,
        delta: Body | None,
        finish_reason: str | None = None,
        usage: Body | None = None,
    ) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        chunk = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": 1,
            "model": self._name,
            "choices": [] if delta is None else [choice],
        }
        if usage is not None:
            chunk["usage"] = usage
        return f"data: {json.dumps(chunk)}\n\n"


class OllamaWire:
    """POST /api/chat."""

    stream_type = "application/x-ndjson"

    def __init__(self, name: str) -> None:
        self._name = name

    def whole(self, reply: Reply) -> Body:
        """Returns the whole answer."""
        return self._part(reply.content, done=True, reply=reply)

    async def stream(self, reply: Reply, body: Body) -> AsyncIterator[str]:
        """Yields the answer's chunks, or those before it breaks."""
        del body
        for number, word in enumerate(_words(reply)):
            if number == reply.cut_after:
                return
            if number == reply.broken:
                yield '{"model": "lla\n'
            yield json.dumps(self._part(word)) + "\n"
        if reply.cut_after is None:
            yield json.dumps(self._part("", done=True, reply=reply)) + "\n"

    def _part(self, content: str, *, done: bool = False, reply: Reply | None = None) -> Body:
        part: Body = {
            "model": self._name,
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": content},
            "done": done,
        }
        if reply is not None:
            usage = _usage(reply)
            part |= {
                "done_reason": "stop",
                "prompt_eval_count": usage["prompt_tokens"],
                "eval_count": usage["completion_tokens"],
            }
        return part


def _words(reply: Reply) -> list[str]:
    return [word + " " for word in reply.content.split(" ")]


def _usage(reply: Reply) -> Body:
    completion = len(reply.content.split(" "))
    return {"prompt_tokens": 10, "completion_tokens": completion, "total_tokens": 10 + completion}
