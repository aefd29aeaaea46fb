"""Checks against callers' JSON schemas, bounded so that no schema can keep the gateway busy.

A schema may hold a regular expression that takes ages on some text, references that double with
each level, or thousands of alternatives for each item of a list. An answer whose check costs too
much counts as keeping to the schema.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jsonschema
from jsonschema import validators
from referencing import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Check = Callable[[Any, Any, Any, Any], Iterable[jsonschema.ValidationError] | None]

Schema = dict[str, Any]

NOTHING_FROM_THE_NET: Registry[Any] = Registry()
"""By default jsonschema fetches a `$ref` that is a URL, so a caller could have any URL fetched."""

MAX_STEPS = 1_000_000
"""The most steps that a regular expression's search may take, by its form and the text's length."""
MAX_CHOICES = 16
"""From this many alternatives and optional parts on, an expression is not checked.

Each of them may double the steps.
"""

UNBOUNDED_PATTERN = re.compile(r"\\[1-9]|\(\?P=|\)[*+{]")
"""Backreferences, and groups that repeat: their cost may grow exponentially."""
REPEATED = re.compile(r"[*+]|\{\d*,\d*\}")
OPTIONAL = re.compile(r"[?|]")


class TooMuchError(Exception):
    """A check would take too long."""


class Budget(jsonschema.FormatChecker):
    """The number of keywords that one check may evaluate.

    It is passed to a validator in the place of its format checker.

    Args:
        keywords: the number.
    """

    def __init__(self, keywords: int) -> None:
        super().__init__(formats=())
        self._left = keywords

    def spend(self) -> None:
        """Count one more keyword.

        Raises:
            TooMuchError: that was one too many.
        """
        self._left -= 1
        if self._left < 0:
            raise TooMuchError


def is_cheap(pattern: str, length: int) -> bool:
    """Return whether a search for a regular expression is quick in any text of this length.

    Without groups that repeat, backtracking is bounded by the text's length to the power of the
    number of repetitions (and of the places where a match may begin), times two for each choice.
    """
    if UNBOUNDED_PATTERN.search(pattern):
        return False
    exponent = len(REPEATED.findall(pattern)) + (not pattern.startswith("^"))
    choices = len(OPTIONAL.findall(pattern))
    if choices >= MAX_CHOICES:
        return False
    return bool((length + 1) ** min(exponent, 8) * 2**choices <= MAX_STEPS)


def bounded_class_for(schema: Schema) -> Any:  # noqa: ANN401 -- jsonschema makes its classes
    """Return the validator class for a schema's draft, limited by a `Budget`."""
    return _bounded(validators.validator_for(schema, default=jsonschema.Draft202012Validator))


def holds(schema: object, names: frozenset[str]) -> bool:
    """Return whether one of these keywords occurs anywhere in a schema."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if not names.isdisjoint(value):
                return True
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False


@lru_cache(maxsize=16)
def _bounded(draft: Any) -> Any:  # noqa: ANN401 -- as above
    checks = {name: _counted(check) for name, check in draft.VALIDATORS.items()}
    extend: Any = validators.extend  # it has no types
    return extend(draft, {**checks, "pattern": _counted(_pattern)})


def _counted(check: Check) -> Check:
    def counted(
        validator: Any,  # noqa: ANN401 -- as above
        value: Any,  # noqa: ANN401 -- as above
        instance: Any,  # noqa: ANN401 -- as above
        schema: Any,  # noqa: ANN401 -- as above
    ) -> Iterator[jsonschema.ValidationError]:
        if isinstance(validator.format_checker, Budget):
            validator.format_checker.spend()
        yield from check(validator, value, instance, schema) or ()

    return counted


def _pattern(
    validator: object, value: str, instance: object, schema: object
) -> Iterator[jsonschema.ValidationError]:
    del validator, schema
    if not isinstance(instance, str) or not is_cheap(value, len(instance)):
        return
    if not re.search(value, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {value!r}")
