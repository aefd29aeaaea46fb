"""The German sentences: complete, even, tidy, and consistent with the scoring and the prompt."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import get_args

import pytest

from backend_stub import evaluation, prompts
from backend_stub.evaluation import normalise
from backend_stub.evaluation.entries import Entry, Level, Tag, load, spread
from backend_stub.evaluation.score import score
from backend_stub.schemas import MAX_ITEM_TEXT, MAX_TRANSLATION, Item

ENTRIES = load()
README = (Path(evaluation.__path__[0]) / "README.md").read_text(encoding="utf-8")
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)


def texts(entry: Entry) -> list[str]:
    """Return every text of an entry that is German."""
    items = chain.from_iterable(
        (*item.wordings, *item.forms, item.plural or "") for item in entry.expected
    )
    return [entry.sentence, *items, *entry.also]


def test_size() -> None:
    """The set has 60 sentences, each with an id and a text of its own."""
    assert len(ENTRIES) == 60
    assert len({entry.id for entry in ENTRIES}) == 60
    assert len({entry.sentence for entry in ENTRIES}) == 60


def test_even() -> None:
    """Each topic has four sentences of its own, and each level about a quarter of the set."""
    assert Counter(entry.tags[0] for entry in ENTRIES) == dict.fromkeys(get_args(Tag), 4)
    levels = Counter(entry.level for entry in ENTRIES)
    assert set(levels) == set(get_args(Level))
    assert all(14 <= count <= 16 for count in levels.values())


@pytest.mark.parametrize("tag", get_args(Tag))
def test_tag_is_covered(tag: Tag) -> None:
    """Each tag has at least three sentences of at least three levels."""
    levels = [entry.level for entry in ENTRIES if tag in entry.tags]

    assert len(levels) >= 3
    assert len(set(levels)) >= 3


def test_tags_in_readme() -> None:
    """The README's table names each tag with the number of its sentences."""
    counts = Counter(chain.from_iterable(entry.tags for entry in ENTRIES))
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", README, re.MULTILINE)

    assert {tag: int(count) for tag, count in rows} == counts


@every_entry
def test_spelling(entry: Entry) -> None:
    """Texts are NFC, without blanks at the ends or in pairs, and none is given twice."""
    for text in texts(entry):
        assert text == unicodedata.normalize("NFC", text)
        assert text == " ".join(text.split())
    assert len(entry.tags) == len(set(entry.tags))
    for item in entry.expected:
        assert len(item.wordings) == len(set(item.wordings))
        assert len(item.translations) == len(set(item.translations))


@every_entry
def test_perfect_answer(entry: Entry) -> None:
    """An answer that names just what is expected is valid, hits all, and has the right English."""
    found = [
        Item(type=item.type, text=item.text, translation=item.translations[0])
        for item in entry.expected
    ]
    tally = score(entry, found)

    assert (tally.recall, tally.precision, tally.translations) == (1, 1, 1)
    assert all(len(item.text) <= MAX_ITEM_TEXT for item in entry.expected)
    assert all(
        len(each) <= MAX_TRANSLATION for item in entry.expected for each in item.translations
    )


@every_entry
def test_every_wording_hits(entry: Entry) -> None:
    """Each variant, with each type that is accepted, is a hit of its item."""
    for item in entry.expected:
        for wording in item.wordings:
            for kind in (item.type, *item.other_types):
                found = Item(type=kind, text=wording, translation=item.translations[0])
                assert score(entry, [found]).hits == 1, (kind, wording)


@every_entry
def test_also(entry: Entry) -> None:
    """What is right as well is listed once, and is not vocabulary that is expected anyway."""
    also = [normalise.words(text) for text in entry.also]
    expected = [
        normalise.words(wording)
        for item in entry.expected
        if item.type == "vocabulary"
        for wording in item.wordings
    ]

    assert len(also) == len(set(also))
    assert not set(also) & set(expected)


def test_not_the_prompts_examples() -> None:
    """Nothing is expected that the prompt itself gives as an example: echoing is no merit."""
    prompt = [str(message["content"]) for message in prompts.extraction("")]
    quoted = re.findall('"([^"]+)"', " ".join(prompt))
    examples = {normalise.bag(text) for text in quoted if "weil" not in text}

    assert normalise.bag("der Hund") in examples
    assert not [
        item.text
        for entry in ENTRIES
        for item in entry.expected
        if any(normalise.bag(wording) in examples for wording in item.wordings)
    ]


@pytest.mark.parametrize("number", [1, 7, 15, 59, 60, 100])
def test_spread(number: int) -> None:
    """A short run takes different sentences from all over the set, at most all."""
    chosen = spread(ENTRIES, number)

    assert len(chosen) == len(set(chosen)) == min(number, 60)
    assert len({entry.tags[0] for entry in chosen}) == min(number, 15)
    assert len({entry.level for entry in chosen}) == min(number, 4)
