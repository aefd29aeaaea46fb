"""Which wordings are the same, and which are near misses."""

from __future__ import annotations

import unicodedata

import pytest

from backend_stub.evaluation import normalise
from backend_stub.evaluation.score import score

from .examples import BECAUSE, FULL, LOOK_FORWARD, SENTENCE, STREET, entry, item


@pytest.mark.parametrize(
    "text",
    [
        "die Straße",
        "Die Straße",
        "DIE STRAßE",
        "die straße",
        " die  Straße. ",
        "„die Straße“",
        unicodedata.normalize("NFD", "die Straße"),
        "die Straße, -n",
        "die Straße (-n)",
        "die Straße, die Straßen",
        "die Straße (Pl. die Straßen)",
        "die Straße; Plural: die Straßen",
    ],
)
def test_noun(text: str) -> None:
    """A noun is found whatever its case, quotes, composition, and with its plural."""
    assert score(entry(STREET), [item(text)]).hits == 1


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Straße", "wrong_article"),
        ("der Straße", "wrong_article"),
        ("das Straße", "wrong_article"),
        ("die Strasse", "wrong_spelling"),
        ("die Straßen", None),
        ("die Straße, die Sträße", None),
        ("die Straßenbahn", None),
        ("die", None),
    ],
)
def test_no_noun(text: str, near: str | None) -> None:
    """A noun without its article, misspelt, in the plural or with a wrong plural is not found."""
    tally = score(entry(STREET), [item(text)])

    assert (tally.hits, tally.right, tally.found) == (0, 0, 1)
    nears = ("wrong_type", "wrong_article", "wrong_spelling")
    assert [name for name in nears if getattr(tally, name)] == ([near] if near else [])


@pytest.mark.parametrize(
    ("right", "text"),
    [
        ("schön", "schoen"),
        ("schön", "schon"),
        ("schön", "Schon"),
        ("grün", "gruen"),
        ("grün", "grun"),
        ("spät", "spaet"),
        ("heiß", "heiss"),
    ],
)
def test_umlaut(right: str, text: str) -> None:
    """A missing umlaut or ß is a spelling mistake, also when it is written as ae, oe, ue, ss."""
    nice = {"type": "vocabulary", "text": right, "translations": ["nice"]}

    tally = score(entry(nice), [item(text)])

    assert (tally.hits, tally.wrong_spelling) == (0, 1)


def test_composed_umlaut() -> None:
    """A letter with a combining diaeresis is an umlaut."""
    nice = {"type": "vocabulary", "text": "schön", "translations": ["nice"]}

    assert score(entry(nice), [item("scho\N{COMBINING DIAERESIS}n")]).hits == 1


@pytest.mark.parametrize(
    ("kind", "text", "hits"),
    [
        ("pattern", "sich freuen auf + Akkusativ", 1),
        ("pattern", "sich freuen auf + Akk.", 1),
        ("pattern", "sich auf etwas freuen", 1),
        ("phrase", "sich auf etw. freuen", 1),
        ("vocabulary", "sich freuen (auf + Akk.)", 1),
        ("vocabulary", "freuen auf", 0),
        ("vocabulary", "sich freuen", 0),
        ("pattern", "weil", 0),
    ],
)
def test_reflexive_with_preposition(kind: str, text: str, hits: int) -> None:
    """Order and placeholders make no difference; the pronoun and the preposition do."""
    assert score(entry(LOOK_FORWARD), [item(text, kind)]).hits == hits


@pytest.mark.parametrize(
    ("kind", "text", "hits"),
    [
        ("pattern", "weil + Verb am Ende", 1),
        ("pattern", "weil + Nebensatz", 1),
        ("pattern", "Nebensatz mit „weil“", 1),
        ("phrase", "weil", 1),
        ("phrase", "weil + Nebensatz", 0),
        ("vocabulary", "weil", 0),
        ("pattern", "weil sich die Kinder auf das Fest freuen", 0),
        ("pattern", SENTENCE, 0),
        ("pattern", "Nebensatz", 0),
    ],
)
def test_pattern(kind: str, text: str, hits: int) -> None:
    """A pattern is found by its key words, not by a quotation of the sentence."""
    assert score(entry(BECAUSE), [item(text, kind)]).hits == hits


def test_wrong_type() -> None:
    """A right wording of a wrong type is not a hit, and said to be near."""
    tally = score(entry(FULL), [item("voll", "pattern")])

    assert (tally.hits, tally.right, tally.wrong_type) == (0, 0, 1)


@pytest.mark.parametrize(
    ("translation", "right"),
    [
        ("street", 1),
        ("the Street", 1),
        ("a street; a way", 1),
        ("to road", 1),
        ("journey", 1),
        ("the way", 0),
        ("streets", 0),
    ],
)
def test_translation(translation: str, right: int) -> None:
    """English is right when it has the words of one of the expected; articles do not matter."""
    tally = score(entry(STREET), [item("die Straße", translation=translation)])

    assert (tally.hits, tally.translations_right) == (1, right)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wie geht's?", ("wie", "geht's")),
        ("wie geht\N{RIGHT SINGLE QUOTATION MARK}s", ("wie", "geht's")),
        ("um … zu + Infinitiv", ("um", "zu", "infinitiv")),
        ("der E-Mail-Text", ("der", "e-mail-text")),
        ("Maße, Masse", ("maße", "masse")),
        ("…", ()),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    """Words keep apostrophes and hyphens inside them, and their ß."""
    assert normalise.words(text) == expected
