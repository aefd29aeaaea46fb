"""Checks of single values: each raises an error with the field's name, or returns None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.errors import InvalidRequestError

Check = Callable[[str, Any], None]
SHOWN = 40
"""The most characters of a value that an error shows."""


def invalid(param: str, value: object, wanted: str) -> InvalidRequestError:
    """Return the error for a field whose value cannot be used."""
    return InvalidRequestError(f"'{param}' is {shown(value)}; give {wanted}", param=param)


def shown(value: object) -> str:
    """Return a value as an error may show it: short, and never a whole prompt."""
    if value is None:
        return "null"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()[:SHOWN]
    if isinstance(value, str):
        return f"'{value[:SHOWN]}{'…' if len(value) > SHOWN else ''}'"
    return "an object" if isinstance(value, dict) else "a list"


def string(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a string."""
    if not isinstance(value, str):
        raise invalid(param, value, "a string")


def boolean(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require true or false."""
    if not isinstance(value, bool):
        raise invalid(param, value, "true or false")


def number(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(param, value, "a number")


def mapping(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require an object."""
    if not isinstance(value, dict):
        raise invalid(param, value, "an object")


def string_or_mapping(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a string or an object."""
    if not isinstance(value, (str, dict)):
        raise invalid(param, value, "a string or an object")


def integer(least: int, most: int) -> Check:
    """Return a check for a whole number within bounds."""

    def check(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            raise invalid(param, value, f"a whole number from {least} to {most}")

    return check


def strings(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a list of strings."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid(param, value, "a list of strings")


def string_or_strings(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a string or a list of strings."""
    if not isinstance(value, str):
        strings(param, value)


def mappings(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a list of objects."""
    if not isinstance(value, list):
        raise invalid(param, value, "a list of objects")
    for index, item in enumerate(value):
        mapping(f"{param}[{index}]", item)


def text_or_tokens(param: str, value: Any) -> None:  # noqa: ANN401 -- JSON
    """Require a text, a list of texts, a list of tokens, or a list of lists of tokens."""
    if isinstance(value, str):
        return
    if isinstance(value, list) and value:
        first = value[0]
        kind = str if isinstance(first, str) else int
        if all(isinstance(item, kind) and not isinstance(item, bool) for item in value):
            return
        if all(isinstance(item, list) and all(_is_token(t) for t in item) for item in value):
            return
    raise invalid(param, value, "a string, a list of strings, or tokens")


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
