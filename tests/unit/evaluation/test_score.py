"""The figures: recall, precision, F1, per tag, and what holds for any answer."""

from __future__ import annotations

import random
import re

import pytest

from backend_stub.evaluation.entries import load
from backend_stub.evaluation.report import Bar
from backend_stub.evaluation.score import Tally, by_tag, score, total

from .examples import CHILD, FULL, STREET, entry, item


def test_figures() -> None:
    """Recall is of what was expected, precision of what was found, F1 between the two."""
    found = [item("die Straße"), item("voll"), item("das Auto"), item("lila")]

    tally = score(entry(STREET, CHILD, FULL), found)

    assert (tally.recall, tally.precision) == (2 / 4, 2 / 4)
    assert tally.f1 == 0.5
    assert Tally(expected=4, hits=1, found=1, right=1).f1 == pytest.approx(0.4)


def test_once() -> None:
    """An item that is named twice is right once."""
    tally = score(entry(STREET), [item("die Straße"), item("die Straße, -n")])

    assert (tally.hits, tally.right, tally.found) == (1, 1, 2)


def test_best_pairing() -> None:
    """What fits several expected items leaves the other item to the one that fits only it."""
    both = {**FULL, "variants": ["ganz voll"]}
    twin = {"type": "vocabulary", "text": "ganz voll", "translations": ["full"]}

    assert score(entry(both, twin), [item("ganz voll"), item("voll")]).hits == 2
    assert score(entry(twin, both), [item("voll"), item("ganz voll")]).hits == 2


def test_also() -> None:
    """What is right as well counts for precision, whatever its type, and not for recall."""
    found = [item("das Fest"), item("weil", "phrase"), item("weil")]

    tally = score(entry(STREET, also=("das Fest", "weil")), found)

    assert (tally.hits, tally.right, tally.found, tally.expected) == (0, 2, 3, 2)


def test_nothing() -> None:
    """Nothing found is a recall, a precision and an F1 of 0, and no division by it."""
    for tally in (score(entry(STREET), []), Tally()):
        assert (tally.recall, tally.precision, tally.f1, tally.translations) == (0, 0, 0, 0)


def test_tags() -> None:
    """A sentence counts for each of its tags, and for no other."""
    first, second = load()[0], load()[4]
    assert "articles" not in second.tags

    tags = by_tag([(first, Tally(sentences=1, hits=1)), (second, Tally(sentences=1, hits=2))])

    assert list(tags) == sorted({*first.tags, *second.tags})
    assert tags["articles"] == Tally(sentences=1, hits=1)
    assert tags["plurals"] == Tally(sentences=2, hits=3)


def test_any_answer() -> None:
    """For any answer: figures lie in 0 to 1, order is nothing, one more right item never hurts."""
    chance = random.Random(1)
    pool = [(kind.type, text) for e in load() for kind in e.expected for text in kind.wordings]
    for _ in range(300):
        one = chance.choice(load())
        own = [(want.type, text) for want in one.expected for text in (*want.wordings, *one.also)]
        picked = chance.choices(own + chance.choices(pool, k=5), k=chance.randint(0, 12))
        found = [item(text, kind, chance.choice(["-", "be"])) for kind, text in picked]
        tally = score(one, found)

        shuffled = chance.sample(found, len(found))
        assert score(one, shuffled) == tally
        assert tally.hits <= tally.right <= tally.found == len(found)
        assert tally.hits <= tally.expected == len(one.expected)
        assert 0 <= min(tally.recall, tally.precision) <= tally.f1
        assert tally.f1 <= max(tally.recall, tally.precision) <= 1
        more = score(one, [*found, item(one.expected[0].text, one.expected[0].type)])
        assert more.hits >= tally.hits


@pytest.mark.parametrize("article", ["", "der", "die", "das"])
def test_bar_needs_german(article: str) -> None:
    """Copying the sentence's words, with one article for all nouns, stays far below the bar."""
    tallies = []
    for one in load():
        copied = re.findall(r"[^\W\d_]+", one.sentence)
        guessed = [f"{article} {word}".strip() if word[0].isupper() else word for word in copied]
        tallies.append(score(one, [item(text) for text in dict.fromkeys(guessed)]))

    tally = total(tallies)
    assert tally.recall < 0.6 * Bar.recall
    assert tally.precision < 0.75 * Bar.precision
