"""How recorded data is written: short, and so that a change shows in the lines that it is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def write(path: Path, record: Mapping[str, object]) -> None:
    """Write a record as JSON: a line for each field, and for each entry of one that is a list."""
    fields = [f" {json.dumps(name)}: {_value(value)}" for name, value in record.items()]
    path.write_text("{\n" + ",\n".join(fields) + "\n}\n", encoding="utf-8")


def _value(value: object) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value, ensure_ascii=False)
    return "[\n  " + ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in value) + "\n ]"
