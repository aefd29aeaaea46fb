"""Makes a value that fits a JSON schema: the smallest one, and always the same.

Covers what LiteLLM passes on: JSON Schema as OpenAI, Anthropic and Ollama take it, and Gemini's
OpenAPI dialect, whose type names are upper case (https://ai.google.dev/api/caching#Schema).
"""

from math import ceil, floor, inf, isclose
from typing import Any

Schema = dict[str, Any]

_STRINGS = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "jemand@example.org",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_WORD = "Beispiel"
_DEPTH = 12


def value_for(schema: Schema) -> Any:
    """Return a value that fits; for the empty schema an object, as JSON mode promises."""
    return _value(schema or {"type": "object"}, schema, 0)


def wrong_value(value: object) -> object:
    """Return the value with one type wrong: an object's first member, or the value itself."""
    if isinstance(value, dict) and value:
        first, *_ = value
        return {**value, first: wrong_value(value[first])}
    return 0 if isinstance(value, str) else "keine Zahl"


def _value(schema: object, root: Schema, depth: int) -> Any:  # noqa: PLR0911 -- a table
    if not isinstance(schema, dict):
        return _WORD
    if "$ref" in schema:
        return None if depth > _DEPTH else _value(_target(schema["$ref"], root), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _value(_shallowest(choices, depth), root, depth + 1)
    if schema.get("allOf"):
        return _value(_merged(schema, root), root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Schema, root: Schema, depth: int) -> Any:  # noqa: PLR0911 -- a table
    match _type(schema):
        case "object":
            return _object(schema, root, depth)
        case "array":
            return _array(schema, root, depth)
        case "string":
            return _string(schema)
        case "integer":
            return int(_number(schema, 1))
        case "number":
            return _number(schema, 0.5)
        case "boolean":
            return True
        case _:
            return None


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind).lower()


def _target(reference: str, root: Schema) -> Any:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step.replace("~1", "/").replace("~0", "~"), {})
    return found


def _shallowest(choices: list[Schema], depth: int) -> Schema:
    """Return the first choice, or null where a schema that contains itself must come to an end."""
    nulls = [each for each in choices if each.get("type") == "null"]
    others = [each for each in choices if each.get("type") != "null"]
    return nulls[0] if nulls and (depth > _DEPTH // 2 or not others) else others[0]


def _merged(schema: Schema, root: Schema) -> Schema:
    whole = {name: value for name, value in schema.items() if name != "allOf"}
    for each in schema["allOf"]:
        part = _target(each["$ref"], root) if "$ref" in each else each
        for name, value in part.items():
            if name == "properties":
                whole[name] = {**whole.get(name, {}), **value}
            elif name == "required":
                whole[name] = [*whole.get(name, []), *value]
            else:
                whole[name] = value
    return whole


def _object(schema: Schema, root: Schema, depth: int) -> Schema:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    # Deep down only what must be: an optional member may lead back to the schema itself.
    names = [] if depth > _DEPTH // 2 else properties
    names = dict.fromkeys([*names, *required])
    return {name: _value(properties.get(name, {}), root, depth + 1) for name in names}


def _array(schema: Schema, root: Schema, depth: int) -> list[Any]:
    least = int(schema.get("minItems") or (0 if depth > _DEPTH // 2 else 1))
    most = int(schema["maxItems"]) if schema.get("maxItems") is not None else least
    heads = schema.get("prefixItems", [])
    count = max(min(least, most), len(heads))
    each = [*heads, *[schema.get("items", {})] * count][:count]
    return [_value(item, root, depth + 1) for item in each]


def _string(schema: Schema) -> str:
    text = _STRINGS.get(str(schema.get("format")), _WORD)
    least = int(schema.get("minLength") or 0)
    most = schema.get("maxLength")
    text = text.ljust(least, "e")
    return text if most is None else text[: int(most)]


def _number(schema: Schema, usual: float) -> float:
    """Return the usual number, or the next to a bound that all bounds allow."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    step = schema.get("multipleOf") or 1
    candidates = [usual, step]
    if low is not None:
        candidates += [ceil(low / step) * step, (low // step + 1) * step]
    if high is not None:
        candidates += [floor(high / step) * step, (ceil(high / step) - 1) * step]
    if low is not None and high is not None:
        candidates.append((low + high) / 2)
    whole = isinstance(usual, int)
    fitting = (n for n in candidates if _allowed(schema, n) and (n == int(n) or not whole))
    return next(fitting, usual)


def _allowed(schema: Schema, number: float) -> bool:
    steps = number / (schema.get("multipleOf") or number or 1)
    return (
        schema.get("minimum", -inf) <= number <= schema.get("maximum", inf)
        and schema.get("exclusiveMinimum", -inf) < number < schema.get("exclusiveMaximum", inf)
        and isclose(steps, round(steps))
    )
