"""What comes back from a server that speaks OpenAI's protocol, in the form that LiteLLM gives it.

Fields that nobody here knows are passed on. Compared with LiteLLM 1.106.2's
litellm_core_utils/llm_response_utils/convert_dict_to_response.py.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from gateway.providers.failures import failure_in_answer, failure_of_error, unreadable
from gateway.providers.finish_reasons import OPENAI, finish_reason
from gateway.providers.lines import event_data
from gateway.providers.openai_request import wants_usage
from gateway.providers.stream import ProviderStream
from gateway.providers.usage import usage_of
from gateway.request import Operation
from gateway.routing.failure import AttemptFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.request import Usage

THINKING = re.compile(
    r"<(?:think|thinking|budget:thinking)>(.*?)</(?:think|thinking|budget:thinking)>(.*)", re.DOTALL
)
PREFIXES = {Operation.CHAT: "chatcmpl", Operation.COMPLETION: "cmpl"}

Chunk = dict[str, Any]


def read_object(content: bytes) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises:
        AttemptFailedError: it is none, or it holds an error.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise unreadable() from None
    if type(document) is not dict:
        raise unreadable()
    if "error" in document:
        failure = failure_in_answer(document)
        if failure is not None:
            raise AttemptFailedError(failure)
    return document


def normalise_plain(document: dict[str, Any], operation: Operation, model: str) -> None:
    """Give a chat's or completion's answer the form that callers of LiteLLM know.

    Raises:
        AttemptFailedError: it has no choices.
    """
    if not document.get("id"):
        document["id"] = f"{PREFIXES[operation]}-{uuid4()}"
    if not isinstance(document.get("created"), int):
        document["created"] = int(time.time())
    document.setdefault("model", model)
    try:
        for index, choice in enumerate(document["choices"]):
            if operation is Operation.CHAT:
                _normalise_message(choice["message"])
                reason = finish_reason(choice.get("finish_reason") or "stop")
                if reason == "stop" and choice["message"].get("tool_calls"):
                    reason = "tool_calls"
                choice["finish_reason"] = reason
            choice.setdefault("index", index)
    except (KeyError, TypeError, AttributeError):
        raise unreadable() from None


def _normalise_message(message: dict[str, Any]) -> None:
    if message.get("role") is None:
        message["role"] = "assistant"
    content = message.setdefault("content", None)
    if "reasoning_content" in message:
        return
    if "reasoning" in message:
        message["reasoning_content"] = message.pop("reasoning")
    elif isinstance(content, str) and content.startswith("<"):
        split_thinking(message)


def split_thinking(message: dict[str, Any]) -> None:
    """Move the text between think tags at the start of a content to `reasoning_content`."""
    found = THINKING.match(message["content"])
    if found is not None:
        message["reasoning_content"], message["content"] = found.groups()


class OpenAIStream(ProviderStream):
    """A stream of server-sent events that hold chunks."""

    _head: Chunk | None = None

    def _take(self, lines: list[bytes]) -> None:
        for data in event_data(lines):
            if data == b"[DONE]":
                self._is_over = True
                return
            chunk = orjson.loads(data)
            self._has_begun = True
            if "error" in chunk:
                self._failure = failure_in_answer(chunk)
                if self._failure is not None:
                    return
            usage = chunk.pop("usage", None)
            if usage:
                self._reported = usage_of(usage)
            choices = chunk.get("choices")
            if choices:
                for choice in choices:
                    self._take_choice(choice)
                self._head = chunk
            elif usage or chunk.get("object") == "error":
                if chunk.get("object") == "error":  # vLLM's older form
                    self._failure = failure_of_error(_status_in(chunk), chunk)
                    return
                continue
            self._pending.append(chunk)

    def _take_choice(self, choice: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if reason:
            self._has_finished = True
            if reason not in OPENAI:
                choice["finish_reason"] = finish_reason(reason)
        delta = choice.get("delta")
        if delta is None:
            text = choice.get("text")
            if text:
                self._texts.append(text)
            return
        if "reasoning" in delta:
            reasoning = delta.pop("reasoning")
            if reasoning is not None or "reasoning_content" not in delta:
                delta["reasoning_content"] = reasoning
        text = delta.get("content")
        if text:
            self._texts.append(text)
        elif delta:
            self._take_other(delta)

    def _take_other(self, delta: dict[str, Any]) -> None:
        """Keep the text of what is not content, to count its tokens."""
        text = delta.get("reasoning_content")
        if text:
            self._texts.append(text)
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            self._texts.append(f"{function.get('name') or ''}{function.get('arguments') or ''}")

    def _usage_chunk(self, usage: Usage) -> Chunk | None:
        if not wants_usage(self._asked.request.body) or self._head is None:
            return None
        return {**self._head, "choices": [], "usage": dict(usage.raw)}


def _status_in(chunk: Mapping[str, Any]) -> int:
    code = chunk.get("code")
    return code if isinstance(code, int) else 500
