"""Callers' JSON schemas, checked so that none can keep the event loop busy.

A schema may hold a regular expression that takes ages on some text, or references that double with
each level. What would cost too much is taken as kept.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jsonschema
from jsonschema import validators
from referencing import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

NOTHING_FROM_THE_NET: Registry[Any] = Registry()
"""By default jsonschema would fetch a `$ref` that is a URL; a caller could make it fetch any."""

MOST_STEPS = 1_000_000
"""Steps of a regular expression's search, at most, by its form and the text's length."""

MOST_REFERENCES = 2_000
"""References followed in one check."""

QUANTIFIED_GROUP = re.compile(r"\\[1-9]|\(\?P=|\)[*+{]")
"""Backreferences, and groups that repeat: their cost may grow exponentially."""
REPEATED = re.compile(r"[*+]|\{\d*,\d*\}")
OPTIONAL = re.compile(r"[?|]")


class TooMuchError(Exception):
    """A check would take too long."""


def is_cheap(pattern: str, length: int) -> bool:
    """Return whether a regular expression is searched quickly in any text of this length.

    Without groups that repeat, backtracking is bounded by the text's length to the power of the
    number of repetitions (and of the places where a match may begin), times two for each choice.
    """
    if QUANTIFIED_GROUP.search(pattern):
        return False
    exponent = len(REPEATED.findall(pattern)) + (not pattern.startswith("^"))
    choices = len(OPTIONAL.findall(pattern))
    return choices < 16 and (length + 1) ** min(exponent, 8) * 2**choices <= MOST_STEPS  # noqa: PLR2004 -- 2 ** 16 is too much already


def validator_class_for(schema: Schema) -> Any:  # noqa: ANN401 -- jsonschema makes its classes
    """Return the validator of a schema's draft, bounded."""
    return _bounded(validators.validator_for(schema, default=jsonschema.Draft202012Validator))


@lru_cache(maxsize=16)
def _bounded(draft: Any) -> Any:  # noqa: ANN401 -- as above
    follow = draft.VALIDATORS.get("$ref")

    def pattern(
        validator: Any,  # noqa: ANN401 -- as above
        value: str,
        instance: object,
        schema: Schema,
    ) -> Iterator[jsonschema.ValidationError]:
        del validator, schema
        if not isinstance(instance, str) or not is_cheap(value, len(instance)):
            return
        if not re.search(value, instance):
            yield jsonschema.ValidationError(f"{instance!r} does not match {value!r}")

    def reference(
        validator: Any,  # noqa: ANN401 -- as above
        value: str,
        instance: object,
        schema: Schema,
    ) -> Iterator[jsonschema.ValidationError]:
        counter = validator.format_checker
        if isinstance(counter, ReferenceCounter):
            counter.count()
        yield from follow(validator, value, instance, schema)

    extend: Any = validators.extend  # it has no types
    return extend(draft, {"pattern": pattern, "$ref": reference})


class ReferenceCounter(jsonschema.FormatChecker):
    """Counts the references of one check. It travels where a validator carries its formats."""

    def __init__(self) -> None:
        super().__init__(formats=())
        self._left = MOST_REFERENCES

    def count(self) -> None:
        """Count one more.

        Raises:
            TooMuchError: that was one too many.
        """
        self._left -= 1
        if self._left < 0:
            raise TooMuchError


def holds(schema: object, names: frozenset[str]) -> bool:
    """Return whether a schema has one of these keywords anywhere."""
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
