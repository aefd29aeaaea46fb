"""Values made for a JSON schema, checked by a validator that knows nothing of how they are made."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from scripted_upstream.schema_value import value_for, wrong_value

Json = dict[str, Any]
NODE: Json = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "word": {"type": "string"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "all": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["word", "next"],
        },
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "minLength": 20},
        {"type": "string", "maxLength": 3},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 5},
        {"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4},
        {"type": "integer", "maximum": -3},
        {"type": "integer", "exclusiveMaximum": 0},
        {"type": "number", "minimum": 0.7, "maximum": 0.9},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.2},
        {"type": "boolean"},
        {"type": "null"},
        {"type": ["null", "integer"]},
        {"const": {"a": 1}},
        {"enum": ["die", "das"]},
        {"anyOf": [{"type": "null"}, {"type": "integer"}]},
        {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
            ]
        },
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
        {"type": "object", "required": ["a"], "properties": {"b": {"type": "integer"}}},
        {"properties": {"a": {"items": {"type": "boolean"}}}, "required": ["a"]},
        NODE,
    ],
)
def test_fits(schema: Json) -> None:
    """The value fits its schema, and is the same each time."""
    value = value_for(schema)

    jsonschema.validate(value, schema)
    assert value_for(schema) == value


def test_comes_to_an_end() -> None:
    """A schema that contains itself is filled a few levels deep, not to the last one."""
    depth = 0
    node = value_for(NODE)
    while node is not None:
        node, depth = node["next"], depth + 1

    assert depth <= 4


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}},
        {"type": "object", "properties": {"a": {"properties": {"b": {"type": "boolean"}}}}},
    ],
)
def test_wrong_value_does_not_fit(schema: Json) -> None:
    """One type is wrong, however deep the first member is."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong_value(value_for(schema)), schema)
