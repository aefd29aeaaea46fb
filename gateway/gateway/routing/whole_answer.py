"""A streamed answer put together from its chunks, for spend logs that hold answers."""

from __future__ import annotations

from typing import Any

JOINED = ("content", "reasoning_content", "refusal")
"""Fields of a delta whose pieces are joined into one text."""


class WholeAnswer:
    """Joins chunks as they pass; https://platform.openai.com/docs/api-reference/chat."""

    def __init__(self) -> None:
        self._first: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None

    def add(self, chunk: dict[str, Any]) -> None:
        """Add a chunk."""
        self._first = self._first or chunk
        self._usage = chunk.get("usage") or self._usage
        for part in chunk.get("choices") or ():
            choice = self._choices.setdefault(
                part.get("index", 0), {"finish_reason": None, "message": {"role": "assistant"}}
            )
            choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
            if "text" in part:  # a completion, not a chat
                choice["text"] = choice.get("text", "") + (part["text"] or "")
            _merge(choice["message"], part.get("delta") or {})

    def answer(self) -> dict[str, Any]:
        """Return the answer in the form of a plain one."""
        kept: dict[str, Any] = {
            name: self._first[name] for name in ("id", "created", "model") if name in self._first
        }
        choices: list[dict[str, Any]] = []
        for index in sorted(self._choices):
            choice = {"index": index, **self._choices[index]}
            if "text" in choice:
                del choice["message"]
            choices.append(choice)
        return {**kept, "choices": choices, "usage": self._usage}


def _merge(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in JOINED:
        if delta.get(name):
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls") or ():
        calls: list[dict[str, Any]] = message.setdefault("tool_calls", [])
        place = call.get("index", len(calls))
        while len(calls) <= place and len(calls) < 128:  # noqa: PLR2004 -- a provider's number
            calls.append({"function": {"name": "", "arguments": ""}})
        found = calls[min(place, len(calls) - 1)]
        found.update({key: call[key] for key in ("id", "type") if call.get(key)})
        for key, text in (call.get("function") or {}).items():
            found["function"][key] = found["function"].get(key, "") + (text or "")
