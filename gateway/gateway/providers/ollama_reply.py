"""What comes back from Ollama, in OpenAI's form."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from gateway.providers.failures import failure_of_error, unreadable
from gateway.providers.finish_reasons import finish_reason
from gateway.providers.openai_reply import split_thinking
from gateway.providers.openai_request import wants_usage
from gateway.providers.stream import ProviderStream
from gateway.request import Operation, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

REPEATS = 30
"""After this many equal tokens Ollama ends an answer without a last line (llm/server.go:1657)."""

Chunk = dict[str, Any]


def chat_of(document: Mapping[str, Any], model: str, operation: Operation) -> dict[str, Any]:
    """Return a whole answer as a chat.completion or text_completion, without its usage.

    Raises:
        AttemptFailedError: it is not an answer.
    """
    theirs = document.get("message")
    if not isinstance(theirs, dict):
        raise unreadable()
    message: dict[str, Any] = {"role": "assistant", "content": theirs.get("content") or ""}
    if theirs.get("thinking"):
        message["reasoning_content"] = theirs["thinking"]
    elif message["content"].startswith("<"):
        split_thinking(message)
    calls = theirs.get("tool_calls")
    if calls:
        message["tool_calls"] = [tool_call(call) for call in calls]
    choice = {"index": 0, "finish_reason": _reason(document, has_calls=bool(calls))}
    if operation is Operation.COMPLETION:
        text = {"text": message["content"], "logprobs": None}
        return _head("cmpl", "text_completion", model) | {"choices": [choice | text]}
    choice["message"] = message
    if document.get("logprobs"):
        choice["logprobs"] = {"content": document["logprobs"]}
    return _head("chatcmpl", "chat.completion", model) | {"choices": [choice]}


def embeddings_of(document: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return embeddings as a list, without its usage.

    Raises:
        AttemptFailedError: there are none.
    """
    vectors = document.get("embeddings")
    if not isinstance(vectors, list):
        raise unreadable()
    data = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": data, "model": model}


def usage_in(document: Mapping[str, Any], *, needs_answer: bool = True) -> Usage | None:
    """Return Ollama's counts; None when it left one out, as it does with 0."""
    prompt, answer = document.get("prompt_eval_count"), document.get("eval_count")
    if not isinstance(prompt, int) or (needs_answer and not isinstance(answer, int)):
        return None
    answer = answer if isinstance(answer, int) else 0
    raw = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    return Usage(prompt, answer, raw=raw)


def tool_call(call: Mapping[str, Any], index: int | None = None) -> dict[str, Any]:
    """Return a tool call in OpenAI's form."""
    function = call["function"]
    ours: dict[str, Any] = {} if index is None else {"index": index}
    ours["id"] = call.get("id") or f"call_{uuid4()}"
    ours["type"] = "function"
    arguments = function.get("arguments")
    ours["function"] = {
        "name": function["name"],
        "arguments": json.dumps({} if arguments is None else arguments),
    }
    return ours


class OllamaStream(ProviderStream):
    """A stream of JSON lines, of which the last one has `done`."""

    _head: Chunk | None = None
    _calls = 0
    _last = ""
    _repeats = 0

    def _take(self, lines: list[bytes]) -> None:
        for line in lines:
            if not line.strip():
                continue
            document = orjson.loads(line)
            error = document.get("error")
            if error:
                status = document.get("status")
                self._failure = failure_of_error(
                    status if isinstance(status, int) else 500, document
                )
                return
            self._take_document(document)
            if self._is_over:
                return

    def _take_document(self, document: dict[str, Any]) -> None:
        message = document["message"]
        delta: dict[str, Any] = {}
        text = message.get("content")
        if text:
            delta["content"] = text
            self._texts.append(text)
            stripped = text.strip()
            self._repeats = self._repeats + 1 if stripped == self._last else 0
            self._last = stripped
        if message.get("thinking"):
            delta["reasoning_content"] = message["thinking"]
            self._texts.append(message["thinking"])
        calls = message.get("tool_calls")
        if calls:
            delta["tool_calls"] = [
                tool_call(call, self._calls + index) for index, call in enumerate(calls)
            ]
            self._calls += len(calls)
            self._texts += [call["function"]["arguments"] for call in delta["tool_calls"]]
        logprobs = document.get("logprobs")
        if delta or logprobs:
            self._add(delta, {"content": logprobs} if logprobs else None)
        if document.get("done") is True:
            self._finish(_reason(document, has_calls=self._calls > 0))
            self._reported = usage_in(document)
            self._is_over = True

    def _add(
        self, delta: dict[str, Any], logprobs: object = None, reason: str | None = None
    ) -> None:
        is_text = self._asked.request.operation is Operation.COMPLETION
        if self._head is None:
            model = self._asked.deployment.model
            self._head = (
                _head("cmpl", "text_completion", model)
                if is_text
                else _head("chatcmpl", "chat.completion.chunk", model)
            )
            if not is_text:
                delta = {"role": "assistant", **delta}
        self._has_begun = True
        choice: dict[str, Any] = {"index": 0}
        if is_text:
            choice["text"] = delta.get("content", "")
        else:
            choice["delta"] = delta
        if logprobs is not None:
            choice["logprobs"] = logprobs
        choice["finish_reason"] = reason
        self._pending.append({**self._head, "choices": [choice]})

    def _finish(self, reason: str) -> None:
        self._has_finished = True
        self._add({}, reason=reason)

    def _has_clean_end(self) -> bool:
        """Return whether the answer is whole; Ollama cuts a repetitive one short."""
        if not self._has_finished and self._repeats >= REPEATS:
            self._finish("length")
        return self._has_finished

    def _usage_chunk(self, usage: Usage) -> Chunk | None:
        if not wants_usage(self._asked.request.body) or self._head is None:
            return None
        return {**self._head, "choices": [], "usage": dict(usage.raw)}


def _reason(document: Mapping[str, Any], *, has_calls: bool) -> str:
    if has_calls:
        return "tool_calls"
    if document.get("done") is False:  # see REPEATS
        return "length"
    return finish_reason(document.get("done_reason") or "stop")


def _head(prefix: str, kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{uuid4()}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }
