"""Whether an answer keeps to the JSON schema that its request asked for.

https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

import jsonschema
import orjson
from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

from gateway.routing.safe_schema import (
    NOTHING_FROM_THE_NET,
    ReferenceCounter,
    Schema,
    TooMuchError,
    holds,
    validator_class_for,
)

Message = dict[str, Any]
LONGEST_VALUE = 200
LONGEST_SCHEMA = 64 << 10
LONGEST_ANSWER = 1 << 20
SHORT = 16 << 10
"""Characters of schema and answer together that are checked in a moment."""

UNBOUNDED = frozenset({"patternProperties", "$dynamicRef", "$recursiveRef"})
"""Keywords whose cost is not bounded here; a schema that has one is the provider's to keep to."""


class RequestedSchema:
    """A schema that an answer has to keep to.

    Args:
        schema: a valid one.
        size: in bytes, as JSON.
    """

    def __init__(self, schema: Schema, size: int) -> None:
        self._schema = schema
        self._size = size
        self._class = validator_class_for(schema)

    async def violation(self, answer: str) -> str | None:
        """Return how an answer breaks the schema, in words that a model understands, or None."""
        if len(answer) > LONGEST_ANSWER:
            return None
        if self._size + len(answer) <= SHORT:
            return self._violation(answer)
        return await asyncio.to_thread(self._violation, answer)

    def _violation(self, answer: str) -> str | None:
        try:
            value = orjson.loads(answer)
        except ValueError as error:
            return f"it is not JSON: {error}"
        validator = self._class(
            self._schema, registry=NOTHING_FROM_THE_NET, format_checker=ReferenceCounter()
        )
        try:
            worst = best_match(validator.iter_errors(value))
        except (Unresolvable, TooMuchError, RecursionError):
            return None  # what the schema asks for is not known here, or not in time
        if worst is None:
            return None
        return f"at {worst.json_path}: {_shortened(worst.message)}"


def requested_schema(response_format: object) -> RequestedSchema | None:
    """Return the schema in a request's response_format, or None when there is none to keep to."""
    if not isinstance(response_format, dict) or response_format.get("type") != "json_schema":
        return None
    wrapper = response_format.get("json_schema")
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if not isinstance(schema, dict):
        return None
    try:
        text = orjson.dumps(schema)
    except TypeError:  # deeper than orjson goes
        return None
    return _known(text) if len(text) <= LONGEST_SCHEMA else None


@lru_cache(maxsize=32)
def _known(text: bytes) -> RequestedSchema | None:
    """Return a schema; one that is none is the provider's to refuse.

    It is kept, because checking it takes longer than checking an answer, and callers ask for the
    same again and again.
    """
    schema = orjson.loads(text)
    if holds(schema, UNBOUNDED):
        return None
    try:
        found = RequestedSchema(schema, len(text))
        found._class.check_schema(schema)  # noqa: SLF001 -- its own class, made above
    except (jsonschema.SchemaError, RecursionError):
        return None
    return found


def repair_messages(messages: list[Message], answer: str, broken: str) -> list[Message]:
    """Return a conversation that sends a broken answer back to its model."""
    request = (
        f"Your answer does not match the JSON schema of this request: {broken}. "
        "Answer again, with the corrected JSON only."
    )
    return [
        *messages,
        {"role": "assistant", "content": answer},
        {"role": "user", "content": request},
    ]


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_VALUE else f"{message[:LONGEST_VALUE]}…"
