"""What the scoring tests look for: a sentence and some of its items."""

from __future__ import annotations

from typing import Any

from backend_stub.evaluation.entries import Entry
from backend_stub.schemas import Item

SENTENCE = "Die Straßen sind voll, weil sich die Kinder auf das Fest freuen."
STREET = {
    "type": "vocabulary",
    "text": "die Straße",
    "plural": "die Straßen",
    "translations": ["street", "road", "a journey"],
}
CHILD = {"type": "vocabulary", "text": "das Kind", "plural": "die Kinder", "translations": ["kid"]}
FULL = {"type": "vocabulary", "text": "voll", "variants": ["voll sein"], "translations": ["full"]}
BECAUSE = {
    "type": "pattern",
    "text": "weil + Verb am Ende",
    "variants": ["weil"],
    "translations": ["because"],
}
LOOK_FORWARD = {
    "type": "pattern",
    "other_types": ["vocabulary"],
    "text": "sich freuen auf + Akkusativ",
    "variants": ["sich freuen auf"],
    "translations": ["look forward to"],
}


def entry(*expected: dict[str, Any], also: tuple[str, ...] = ()) -> Entry:
    """Return an entry that expects these, and a second item that nobody finds."""
    nobody = {"type": "phrase", "text": "das sucht niemand", "translations": ["nobody"]}
    return Entry.model_validate(
        {
            "id": "articles-1",
            "level": "A1",
            "tags": ["articles"],
            "sentence": SENTENCE,
            "expected": [*expected, nobody],
            "also": also,
        }
    )


def item(text: str, kind: str = "vocabulary", translation: str = "-") -> Item:
    """Return a found item."""
    return Item.model_validate({"type": kind, "text": text, "translation": translation})
