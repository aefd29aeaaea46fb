"""What the wire formats need to read a request."""

from collections.abc import Mapping
from typing import Any

from scripted_upstream.exchange import BadRequestError, Json, Tool

_TEXT_FIELDS = ("text", "content", "parts", "thinking", "arguments", "input", "function")


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of an Authorization header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def texts_in(value: object) -> list[str]:
    """Return the strings under `text`, `content` and the like, however deep they lie."""
    match value:
        case str():
            return [value]
        case list():
            return [text for each in value for text in texts_in(each)]
        case dict():
            return [t for name in _TEXT_FIELDS if name in value for t in texts_in(value[name])]
        case _:
            return []


def wanted_tool(tools: tuple[Tool, ...], choice: str | None, *, after_result: bool) -> Tool | None:
    """Return the tool to call: the chosen one, else the first, unless a result was just given.

    Args:
        tools: those that the request offers.
        choice: a tool's name, `none`, `required`, or None for the model's own choice.
        after_result: whether the last message is a tool's result, which is answered with text.
    """
    named = next((each for each in tools if each.name == choice), None)
    if named is not None:
        return named
    if not tools or choice == "none" or (after_result and choice != "required"):
        return None
    return tools[0]


def stops(value: object) -> tuple[str, ...]:
    """Return the texts that are to end an answer: one, several or none."""
    given = value if isinstance(value, list) else [value]
    return tuple(each for each in given if isinstance(each, str) and each)


def need(body: Json, name: str, kind: type, refusal: str) -> Any:
    """Return a field of a body; raises BadRequestError if it is missing or of another kind."""
    value = body.get(name)
    if not isinstance(value, kind):
        raise BadRequestError(refusal)
    return value


def dig(value: object, *path: str) -> Any:
    """Return what lies under nested names, None where one is missing."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
