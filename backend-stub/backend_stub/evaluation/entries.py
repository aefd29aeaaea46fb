"""The German sentences of the evaluation, and what is worth learning in each."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ItemType = Literal["vocabulary", "phrase", "pattern"]
Level = Literal["A1", "A2", "B1", "B2"]
Tag = Literal[
    "articles",
    "plurals",
    "separable-verbs",
    "umlauts",
    "eszett",
    "quotes",
    "compounds",
    "reflexive",
    "prepositions",
    "subordinate-clauses",
    "modal-verbs",
    "perfekt",
    "konjunktiv",
    "idioms",
    "numbers-dates",
]

_FILE = Path(__file__).with_name("sentences.json")
_Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedItem(_Strict):
    """One thing that a good answer names."""

    type: ItemType
    other_types: tuple[ItemType, ...] = ()
    """Types that a teacher would accept as well: `sich beeilen` is a word and a phrase."""
    text: _Text
    """Dictionary form: nouns with article in the singular, verbs in the infinitive."""
    plural: str | None = None
    """A noun's plural with its article; null when it has none in ordinary use."""
    translations: Annotated[tuple[_Text, ...], Field(min_length=1)]
    """English; a translation is right when it contains all words of one of them."""
    variants: tuple[_Text, ...] = ()
    """Other wordings of `text`. For a pattern: the words that it must contain."""
    forms: tuple[_Text, ...] = ()
    """The words of the sentence it comes from, in order, where they differ from `text`."""

    @property
    def is_noun(self) -> bool:
        """Whether the text is a noun: it has an article."""
        return self.type == "vocabulary" and self.text.startswith(("der ", "die ", "das "))

    @property
    def wordings(self) -> tuple[str, ...]:
        """The text and its variants."""
        return (self.text, *self.variants)


class Entry(_Strict):
    """One sentence of the set."""

    id: Annotated[str, Field(pattern=r"^[a-z]+-[1-9]$")]
    level: Level
    tags: Annotated[tuple[Tag, ...], Field(min_length=1)]
    """What the sentence tries; the first tag is what it was written for."""
    sentence: _Text
    expected: Annotated[tuple[ExpectedItem, ...], Field(min_length=2, max_length=12)]
    also: tuple[_Text, ...] = ()
    """Right as well, of whatever type: naming them costs no precision, leaving them no recall."""


@cache
def load() -> tuple[Entry, ...]:
    """Return the set in its order, which groups sentences by their first tag.

    Raises:
        ValidationError: the file does not have this shape.
    """
    return TypeAdapter(tuple[Entry, ...]).validate_json(_FILE.read_bytes())


def fingerprint() -> str:
    """Return the first 12 hex digits of the set's SHA-256: figures of two sets do not compare."""
    return hashlib.sha256(_FILE.read_bytes()).hexdigest()[:12]


def spread(entries: tuple[Entry, ...], number: int) -> tuple[Entry, ...]:
    """Return as many entries, evenly spread over the set, so that a short run meets most tags.

    Within its stretch each is one further than the last, so that it meets every level, too.
    """
    number = min(number, len(entries))
    stretch = len(entries) // number
    return tuple(entries[n * len(entries) // number + n % stretch] for n in range(number))
