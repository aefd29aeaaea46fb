"""Whether an answer keeps to the JSON schema that its request asked for.

https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

Schema = dict[str, Any]
Message = dict[str, Any]
LONGEST_VALUE = 200

NOTHING_FROM_THE_NET: Registry[Any] = Registry()
"""By default jsonschema would fetch a `$ref` that is a URL; a caller could make it fetch any."""


def requested_schema(response_format: object) -> Schema | None:
    """Returns the schema in a request's response_format, or None when there is none to keep to."""
    if not isinstance(response_format, dict) or response_format.get("type") != "json_schema":
        return None
    wrapper = response_format.get("json_schema")
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    return schema if isinstance(schema, dict) and _is_schema(schema) else None


def violation(schema: Schema, answer: str | None) -> str | None:
    """Returns how an answer breaks the schema, in words that a model understands, or None."""
    try:
        value = json.loads(answer or "")
    except ValueError as error:
        return f"it is not JSON: {error}"
    validator = validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        worst = best_match(validator(schema, registry=NOTHING_FROM_THE_NET).iter_errors(value))
    except Unresolvable:
        return None  # a reference to elsewhere: what it asks for is not known here
    if worst is None:
        return None
    return f"at {worst.json_path}: {_shortened(worst.message)}"


def repair_messages(messages: list[Message], answer: str | None, broken: str) -> list[Message]:
    """Returns a conversation that sends a broken answer back to its model."""
    request = (
        f"Your answer does not match the JSON schema of this request: {broken}. "
        "Answer again, with the corrected JSON only."
    )
    return [
        *messages,
        {"role": "assistant", "content": answer or ""},
        {"role": "user", "content": request},
    ]


def _is_schema(schema: Schema) -> bool:
    """A schema that is none is the provider's to refuse."""
    try:
        validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(schema)
    except jsonschema.SchemaError:
        return False
    return True


def _shortened(message: str) -> str:
    return message if len(message) <= LONGEST_VALUE else f"{message[:LONGEST_VALUE]}…"
