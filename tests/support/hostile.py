"""Requests that no provider could take, of every kind that a caller makes, or an attacker."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

WORD = "Hallo"
NONSENSE: tuple[Any, ...] = (
    1,
    -1,
    1.5,
    "text",
    True,
    [],
    [1],
    ["a", 1],
    {},
    {"a": 1},
    [[]],
    [None],
)
"""Values of every JSON type; each field takes some of them."""

FIELDS: dict[str, tuple[type, ...]] = {
    "messages": (),
    "temperature": (int, float),
    "top_p": (int, float),
    "n": (int,),
    "max_tokens": (int,),
    "max_completion_tokens": (int,),
    "stream": (bool,),
    "stream_options": (dict,),
    "stop": (str,),
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "logit_bias": (dict,),
    "seed": (int,),
    "user": (str,),
    "logprobs": (bool,),
    "top_logprobs": (int,),
    "tools": (),
    "tool_choice": (str, dict),
    "parallel_tool_calls": (bool,),
    "response_format": (),
    "modalities": (),
    "extra_body": (dict,),
    "service_tier": (str,),
    "metadata": (dict,),
    "fallbacks": (),
    "timeout": (int, float),
    "num_retries": (int,),
    "disable_fallbacks": (bool,),
}
"""Fields of a chat, with the JSON types that are right for each as far as one look tells."""

FORBIDDEN = (
    "api_base",
    "base_url",
    "api_key",
    "headers",
    "extra_headers",
    "user_config",
    "model_list",
)


def valid(model: str) -> dict[str, Any]:
    """Return a request that is in order."""
    return {"model": model, "messages": [{"role": "user", "content": WORD}], "max_tokens": 5}


def malformed(model: str) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bodies of requests that have to be answered with a 4xx."""
    for name, body in _whole_bodies():
        yield name, body
    for name, change in _changes():
        changed = valid(model)
        change(changed)
        yield name, json.dumps(changed).encode()


def _whole_bodies() -> Iterator[tuple[str, bytes]]:
    for name, body in {
        "empty": b"",
        "no JSON": b"hello",
        "half an object": b'{"model": "m", "messages": [',
        "a list": b"[]",
        "a string": b'"text"',
        "null": b"null",
        "a number": b"17",
        "zero bytes": b"\0\0\0",
        "no UTF-8": b'{"model": "\xff\xfe"}',
        "NaN": b'{"model": "m", "temperature": NaN}',
        "a half character": b'{"model": "\\ud800", "messages": [{"role": "user", "content": "x"}]}',
        "deep": b'{"model": "m", "messages": ' + b"[" * 900 + b"]" * 900 + b"}",
        "very deep": b"[" * 100_000,
    }.items():
        yield f"body: {name}", body


def _changes() -> Iterator[tuple[str, Any]]:
    for field, right in FIELDS.items():
        for index, value in enumerate(NONSENSE):
            if type(value) in right or _happens_to_fit(field, value):
                continue
            yield f"{field}: nonsense {index}", _setting(field, value)
    for field in FORBIDDEN:
        yield f"{field}: a caller's own", _setting(field, "http://localhost:9")
        yield f"metadata.{field}", _setting("metadata", {field: "http://localhost:9"})
    for name, value in _conversations().items():
        yield f"messages: {name}", _setting("messages", value)
    for name, model in {
        "a number": 1,
        "empty": "",
        "a list": ["m"],
        "5 MB": "m" * 5_000_000,
    }.items():
        yield f"model: {name}", _setting("model", model)
    yield "model: missing", lambda body: body.pop("model")
    yield "messages: missing", lambda body: body.pop("messages")
    for field, value in {
        "n": 10**6,
        "max_tokens": 0,
        "max_completion_tokens": -5,
        "top_logprobs": 10**6,
        "seed": 2**70,
        "timeout": 0,
        "num_retries": 10**6,
        "user": "u" * 100_000,
    }.items():
        yield f"{field}: out of bounds", _setting(field, value)


def _happens_to_fit(field: str, value: object) -> bool:
    """What is right for a field although it looks like nonsense."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return (field in {"tools", "modalities", "fallbacks", "stop"} and value == []) or (
        field in {"temperature", "top_p", "presence_penalty", "frequency_penalty"} and whole
    )


def _conversations() -> dict[str, Any]:
    user = {"role": "user"}
    return {
        "no role": [{"content": WORD}],
        "a role that is none": [{"role": "king", "content": WORD}],
        "a role that is not a string": [{"role": 1, "content": WORD}],
        "no content": [user],
        "content that is null": [{**user, "content": None}],
        "content that is a number": [{**user, "content": 7}],
        "content that is an object": [{**user, "content": {"text": WORD}}],
        "a part that is a string": [{**user, "content": [WORD]}],
        "a part without a type": [{**user, "content": [{"text": WORD}]}],
        "a text that is a number": [{**user, "content": [{"type": "text", "text": 1}]}],
        "an image without a URL": [{**user, "content": [{"type": "image_url", "image_url": {}}]}],
        "an image that is a number": [{**user, "content": [{"type": "image_url", "image_url": 1}]}],
        "a name that is a list": [{**user, "content": WORD, "name": []}],
        "tool calls that are a string": [
            {"role": "assistant", "content": None, "tool_calls": "call"}
        ],
        "a tool call without a function": [
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
        ],
        "a tool call with arguments that are an object": [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}
                ],
            }
        ],
        "a message that is null": [None],
        "a message that is a list": [[user]],
    }


def _setting(field: str, value: object) -> Any:
    def change(body: dict[str, Any]) -> None:
        body[field] = copy.deepcopy(value)

    return change
