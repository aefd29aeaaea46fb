"""Readers of settings: from the text of a variable to a value, or to what it should have been.

They replace pydantic, whose import takes a quarter of the processor time of a gateway's start.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[[str], Any]

READER = "read"
"""Under this name a field of a dataclass has its reader, in its metadata."""

MAX_PROCESSES = 32
"""Half of the journal folders that a volume holds, so that an update has the other half."""

_YES = frozenset({"1", "on", "t", "true", "y", "yes"})
_NO = frozenset({"0", "off", "f", "false", "n", "no"})

T = TypeVar("T")


class WrongValueError(ValueError):
    """A text cannot be used; the message says what could be."""


class SecretStr:
    """A text that no message and no log shows.

    Args:
        value: it.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """Return the text."""
        return self._value

    def __repr__(self) -> str:
        """Return what may be shown."""
        return "SecretStr('**********')"

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same secret."""
        return isinstance(other, SecretStr) and other._value == self._value

    def __hash__(self) -> int:
        """Return a hash that agrees with equality."""
        return hash(self._value)


def setting(read: Read, default: T) -> T:
    """Return a field of a dataclass for a setting.

    Args:
        read: makes its value of a variable's text; raises WrongValueError.
        default: its value when the variable is unset.
    """
    made: T = field(default=default, metadata={READER: read})
    return made


def whole(low: int, high: int | None = None) -> Read:
    """Return the reader of a whole number within bounds, both allowed."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise WrongValueError(f"set a whole number{_bounds(low, high)}")
        return value

    return read


def processes(text: str) -> int:
    """Return how many gateways a container runs: a number, or `auto` for what its cores allow."""
    if text == "auto":
        from gateway.processes.cores import processes_for, usable_cores  # noqa: PLC0415 -- rare

        return processes_for(usable_cores())
    try:
        found: int = whole(1, MAX_PROCESSES)(text)
    except WrongValueError as error:
        raise WrongValueError(f"{error}, or auto") from None
    return found


def real(low: float, high: float | None = None, *, above: bool = False) -> Read:
    """Return the reader of a number within bounds; with `above`, the lower one is not allowed."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        is_enough = value > low if above else value >= low  # false for what is not a number
        if not is_enough or (high is not None and value > high):
            raise WrongValueError(f"set a valid number{_bounds(low, high, above=above)}")
        return value

    return read


def choice(*values: str) -> Read:
    """Return the reader of one of a few words."""

    def read(text: str) -> str:
        if text not in values:
            *others, last = [f"'{value}'" for value in values]
            raise WrongValueError(f"set {', '.join(others)} or {last}")
        return text

    return read


def matching(pattern: str) -> Read:
    """Return the reader of a text that a pattern describes whole."""

    def read(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise WrongValueError(f"set a text of the form {pattern}")
        return text

    return read


def flag(text: str) -> bool:
    """Return a yes or no, in the words that LiteLLM's and pydantic's settings take."""
    word = text.lower()
    if word not in _YES and word not in _NO:
        raise WrongValueError("set true or false")
    return word in _YES


def names(text: str) -> tuple[str, ...]:
    """Return a comma-separated list; `none` is the empty one."""
    if text.strip().lower() == "none":
        return ()
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _bounds(low: float, high: float | None, *, above: bool = False) -> str:
    least = f"above {low}" if above else f"of at least {low}"
    if high is None:
        return f" {least}"
    return f" {least} and at most {high}" if above else f" from {low} to {high}"
