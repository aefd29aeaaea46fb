"""Whether an answer keeps to the JSON schema that its request names.

https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import orjson
from jsonschema.exceptions import best_match
from referencing.exceptions import Unresolvable

from gateway.routing.safe_schema import (
    NOTHING_FROM_THE_NET,
    Budget,
    Schema,
    TooMuchError,
    bounded_class_for,
    holds,
)

Message = dict[str, Any]
MAX_VALUE = 200
MAX_SCHEMA = 32 << 10
MAX_ANSWER = 1 << 20
"""In bytes; anything longer is not checked."""

SHORT = 2 << 10
"""Up to this many bytes, a schema and an answer together are checked on the event loop first."""
KEYWORDS_AT_ONCE = 300
KEYWORDS = 5_000
"""Keywords that a check may evaluate: on the event loop (some ms) and in the thread (about 1 s)."""

UNBOUNDED = frozenset({"patternProperties", "$dynamicRef", "$recursiveRef"})
"""Keywords whose cost has no bound here; schemas with one of them are not checked."""

MAX_KNOWN = 64
_KNOWN: dict[bytes, RequestedSchema | None] = {}
"""Known schemas by their JSON: reading one takes far longer than checking an answer, and callers
send the same ones repeatedly."""

_BESIDE = ThreadPoolExecutor(1, "schema")
"""A single thread, so that schemas never take more than half of the interpreter's time."""


class RequestedSchema:
    """A schema that an answer has to keep to.

    Args:
        schema: a valid schema.
        size: its size in bytes, as JSON.
    """

    def __init__(self, schema: Schema, size: int) -> None:
        self._schema = schema
        self._size = size
        self._class = bounded_class_for(schema)

    async def violation(self, answer: str) -> str | None:
        """Return how an answer breaks the schema, in words for a model; None if it does not."""
        if len(answer) > MAX_ANSWER:
            return None
        if self._size + len(answer) <= SHORT:
            try:
                return self._violation(answer, KEYWORDS_AT_ONCE)
            except TooMuchError:
                pass
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(_BESIDE, self._violation, answer, KEYWORDS)
        except TooMuchError:
            return None

    def _violation(self, answer: str, keywords: int) -> str | None:
        try:
            value = orjson.loads(answer)
        except ValueError as error:
            return f"it is not JSON: {error}"
        validator = self._class(
            self._schema, registry=NOTHING_FROM_THE_NET, format_checker=Budget(keywords)
        )
        try:
            worst = best_match(validator.iter_errors(value))
        except (Unresolvable, RecursionError):
            return None  # the schema refers to something that is not known here
        if worst is None:
            return None
        return f"at {worst.json_path}: {_shortened(worst.message)}"


async def requested_schema(response_format: object) -> RequestedSchema | None:
    """Return the schema in a request's response_format; None when there is none to check."""
    if not isinstance(response_format, dict) or response_format.get("type") != "json_schema":
        return None
    wrapper = response_format.get("json_schema")
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if not isinstance(schema, dict):
        return None
    try:
        text = orjson.dumps(schema)
    except TypeError:  # nested deeper than orjson allows
        return None
    if len(text) > MAX_SCHEMA:
        return None
    if text in _KNOWN:
        return _KNOWN[text]
    found = await asyncio.get_running_loop().run_in_executor(_BESIDE, _read, text)
    if len(_KNOWN) >= MAX_KNOWN:
        _KNOWN.clear()
    _KNOWN[text] = found
    return found


def _read(text: bytes) -> RequestedSchema | None:
    """Return a schema to check; None for an invalid one, which the provider is left to refuse."""
    schema = orjson.loads(text)
    if holds(schema, UNBOUNDED):
        return None
    draft = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        draft.check_schema(schema)
    except (jsonschema.SchemaError, RecursionError):
        return None
    return RequestedSchema(schema, len(text))


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
    return message if len(message) <= MAX_VALUE else f"{message[:MAX_VALUE]}…"
