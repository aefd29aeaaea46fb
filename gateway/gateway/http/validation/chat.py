"""The conversation and the tools of a chat.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from typing import Any

from gateway.errors import InvalidRequestError
from gateway.http.validation.fields import invalid, mapping, mappings, string

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
DEEPEST = 64
"""Levels of nesting that a body may have; Python's own code fails at about a thousand."""


def messages(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a conversation of one message or more."""
    if not isinstance(value, list) or not value:
        raise invalid(param, value, "a list of messages, at least one")
    for index, message in enumerate(value):
        if type(message) is not dict:
            raise invalid(f"{param}[{index}]", message, "an object with role and content")
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise invalid(f"{param}[{index}].role", role, f"one of {', '.join(sorted(ROLES))}")
        content = message.get("content")
        if isinstance(content, list):
            _parts(f"{param}[{index}].content", content)
        elif not isinstance(content, str):
            _no_content(f"{param}[{index}]", message, content)
        if len(message) > 2:  # noqa: PLR2004 -- role and content need no further check
            _rest(f"{param}[{index}]", message)


def _no_content(param: str, message: dict[str, Any], content: object) -> None:
    if content is not None:
        raise invalid(f"{param}.content", content, "a string, or a list of parts")
    if message["role"] == "assistant" or message.get("tool_calls") or message.get("function_call"):
        return
    raise invalid(f"{param}.content", content, "a string, or a list of parts")


def _parts(param: str, parts: list[Any]) -> None:
    for index, part in enumerate(parts):
        at = f"{param}[{index}]"
        mapping(at, part)
        kind = part.get("type")
        string(f"{at}.type", kind)
        if kind in _TEXT_PARTS:
            name = "refusal" if kind == "refusal" else "text"
            string(f"{at}.{name}", part.get(name))
        elif kind == "image_url":
            image = part.get("image_url")
            if isinstance(image, dict):
                string(f"{at}.image_url.url", image.get("url"))
            else:
                string(f"{at}.image_url", image)
        elif kind in ("input_audio", "file"):
            mapping(f"{at}.{kind}", part.get(kind))


def _rest(param: str, message: dict[str, Any]) -> None:
    for name in ("name", "tool_call_id", "refusal", "reasoning_content"):
        if message.get(name) is not None:
            string(f"{param}.{name}", message[name])
    calls = message.get("tool_calls")
    if calls is None:
        return
    mappings(f"{param}.tool_calls", calls)
    for index, call in enumerate(calls):
        at = f"{param}.tool_calls[{index}]"
        if call.get("type", "function") != "function":
            continue
        mapping(f"{at}.function", call.get("function"))
        string(f"{at}.function.name", call["function"].get("name"))
        if call["function"].get("arguments") is not None:
            string(f"{at}.function.arguments", call["function"]["arguments"])


def tools(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a list of tools."""
    mappings(param, value)
    for index, tool in enumerate(value):
        at = f"{param}[{index}]"
        string(f"{at}.type", tool.get("type"))
        if tool["type"] == "function":
            mapping(f"{at}.function", tool.get("function"))
            string(f"{at}.function.name", tool["function"].get("name"))
            if tool["function"].get("parameters") is not None:
                mapping(f"{at}.function.parameters", tool["function"]["parameters"])


def response_format(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a response format; one of type `json_schema` must have an object of that name."""
    mapping(param, value)
    string(f"{param}.type", value.get("type"))
    if value["type"] == "json_schema":
        mapping(f"{param}.json_schema", value.get("json_schema"))
        if value["json_schema"].get("schema") is not None:
            mapping(f"{param}.json_schema.schema", value["json_schema"]["schema"])


def not_too_deep(body: Any) -> None:  # noqa: ANN401 -- JSON
    """Refuse a body that is nested so deeply that code which walks through it would fail."""
    level = [body]
    for _ in range(DEEPEST):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise InvalidRequestError(
        f"the body is nested deeper than {DEEPEST} levels; send a flatter one",
        param="request_body",
    )
