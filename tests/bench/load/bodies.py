"""Requests as an application makes them: no two alike, of several lengths."""

from __future__ import annotations

import json
import random
from typing import Any

MARKER = "@" * 12
"""Where the load puts a number that never comes again (tool/requests.go)."""

VARIETY = 50
WORDS = [
    "der",
    "die",
    "das",
    "Hund",
    "Katze",
    "schläft",
    "bellt",
    "läuft",
    "im",
    "Garten",
    "auf",
    "dem",
    "Sofa",
    "heute",
    "gestern",
    "morgen",
    "vielleicht",
    "Straße",
    "Fußgänger",
    "Übermut",
    "Mädchen",
    "schön",
    "größer",
    "ist",
    "war",
    "hat",
    "gegessen",
]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"look_up_{what}",
            "description": f"Looks up the {what} of a German word in the dictionary.",
            "parameters": {
                "type": "object",
                "properties": {
                    "word": {"type": "string", "description": "the word as it stands in the text"},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 20},
                },
                "required": ["word"],
            },
        },
    }
    for what in ("gender", "plural", "meaning")
]
SCHEMA = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "word": {"type": "string"},
                    "gender": {"type": "string", "enum": ["der", "die", "das", "none"]},
                    "plural": {"type": ["string", "null"]},
                },
                "required": ["word", "gender", "plural"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["items"],
    "additionalProperties": False,
}
KEEPS_SCHEMA = json.dumps(
    {"items": [{"word": w, "gender": "der", "plural": None} for w in ("Hund", "Garten", "Weg")]}
)
"""An answer that keeps the schema."""


def bodies(
    model: str, *, stream: bool = False, characters: int = 0, tools: bool = False
) -> list[str]:
    """Return bodies of chat completions.

    Args:
        model: the name that is asked for.
        stream: whether the answers are streams.
        characters: about how long each prompt is; 0 for a sentence.
        tools: whether three tools and a schema for the answer come along.
    """
    rest: dict[str, Any] = {"max_tokens": 100, "temperature": 0.2}
    if stream:
        rest["stream"] = True
    if tools:
        rest["tools"] = TOOLS
        rest["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "extraction", "strict": True, "schema": SCHEMA},
        }
    return [_body(model, _prompt(random.Random(n), characters), rest) for n in range(VARIETY)]


def _prompt(source: random.Random, characters: int) -> str:
    words = source.choices(WORDS, k=max(source.randint(5, 25), characters // 6))
    return f"{MARKER} {' '.join(words)}"


def _body(model: str, prompt: str, rest: dict[str, Any]) -> str:
    system = {"role": "system", "content": "Du erklärst deutsche Wörter kurz und genau."}
    messages = [system, {"role": "user", "content": prompt}]
    return json.dumps({"model": model, "messages": messages, **rest}, ensure_ascii=False)
