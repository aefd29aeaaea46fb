"""The sentences' German, as far as a program can check it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from backend_stub.evaluation import normalise
from backend_stub.evaluation.entries import Entry, ExpectedItem, load

ENTRIES = load()
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.id)


def in_order(parts: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    """Tell whether the parts stand in the whole, in their order, with or without gaps."""
    rest = iter(whole)
    return all(part in rest for part in parts)


@every_entry
def test_quotation_marks(entry: Entry) -> None:
    """Quotation marks are German, in pairs, single ones within double ones, and tagged as such."""
    marks = "".join(re.findall('[„“‚‘”’"»«›‹]', entry.sentence))  # noqa: RUF001 -- those are tested

    assert re.fullmatch("(„(‚‘)*“)*", marks)  # noqa: RUF001 -- German marks
    assert ("quotes" in entry.tags) == bool(marks)


@every_entry
def test_sentence(entry: Entry) -> None:
    """A sentence begins with a capital, ends with a mark, and has no blank before one."""
    assert re.match("„?[A-ZÄÖÜ]", entry.sentence)
    assert re.search(r"[.!?]“?$", entry.sentence)
    assert not re.search(r"\s[.,!?;:]", entry.sentence)


@every_entry
def test_items_come_from_the_sentence(entry: Entry) -> None:
    """An expected item, or its forms in order, occurs in its sentence."""
    sentence = normalise.words(entry.sentence)
    for item in entry.expected:
        bare = normalise.words(item.text)
        bare = bare[1:] if item.is_noun else bare
        forms = tuple(word.lower() for word in item.forms)
        assert in_order(forms or bare, sentence), item.text
        assert forms != bare, f"{item.text} needs no forms"


@every_entry
def test_dictionary_form(entry: Entry) -> None:
    """Nouns have article, capital and plural; verbs are infinitives; no one word is a phrase."""
    for item in entry.expected:
        given = "plural" in item.model_fields_set
        if item.type != "vocabulary":
            assert not given, item.text
            assert len(item.text.split()) > 1, item.text
        elif item.is_noun:
            assert re.fullmatch("(der|die|das) [A-ZÄÖÜ][a-zäöüß]+", item.text)
            assert given, item.text
            assert item.plural is None or re.fullmatch("die [A-ZÄÖÜ][a-zäöüß]+", item.plural)
        else:
            assert not given, item.text
            assert re.fullmatch("(sich )?[a-zäöüß]+", item.text), item.text


def plural_class(item: ExpectedItem) -> str:
    """Return how a noun makes its plural, as `¨-er`; `other` for Museum, Museen."""
    singular, plural = item.text[4:], (item.plural or "")[4:]
    if plural.startswith(singular):
        return "-" + plural.removeprefix(singular)
    level = str.maketrans("äöüÄÖÜ", "aouAOU")
    singular, plural = singular.translate(level), plural.translate(level)
    return "¨-" + plural.removeprefix(singular) if plural.startswith(singular) else "other"


def test_plural_classes() -> None:
    """The set has nouns of every way to make a plural, each at least twice."""
    nouns = [item for entry in ENTRIES for item in entry.expected if item.plural]
    counts = Counter(map(plural_class, nouns))
    regular = {"-", "¨-", "-e", "¨-e", "-er", "¨-er", "-n", "-en", "-nen", "-s"}

    assert regular <= set(counts) <= {*regular, "-se", "other"}
    assert all(counts[each] >= 2 for each in regular)
    others = {item.plural for item in nouns if plural_class(item) == "other"}
    assert others == {"die Museen", "die Themen", "die Rhythmen"}


def test_genders() -> None:
    """Each article has at least a fifth of the nouns; a noun has one gender throughout the set."""
    nouns = {item.text for entry in ENTRIES for item in entry.expected if item.is_noun}
    counts = Counter(noun[:3] for noun in nouns)
    genders = Counter(noun[4:] for noun in nouns)

    assert all(counts[article] >= len(nouns) / 5 for article in normalise.ARTICLES)
    assert [noun for noun, count in genders.items() if count > 1] == ["See"]


@every_entry
def test_tags_are_true(entry: Entry) -> None:
    """What a tag promises is there: umlaut, ß, split verb, reflexive pronoun, number."""
    items = " ".join(
        " ".join((*item.wordings, *item.forms, item.plural or "")) for item in entry.expected
    )
    promises: dict[str, bool] = {
        "umlauts": bool(re.search("[äöü]", items)),
        "eszett": "ß" in items,
        "reflexive": "sich " in items,
        "modal-verbs": bool(re.search("können|müssen|dürfen|sollen|wollen|Modalverb", items)),
        "perfekt": bool(re.search("(ge|ver|ent|über).*(t|en)[ .,“]", entry.sentence)),
        "prepositions": bool(re.search(r"\+ (Akkusativ|Dativ|Genitiv)", items)),
        "subordinate-clauses": bool(
            re.search(r"\b([Ww]eil|dass|wenn|[Nn]achdem|[Oo]bwohl|wo|deren)\b", entry.sentence)
        ),
        "konjunktiv": bool(re.search("[Hh]ätte|[Ww]äre|[Ww]ürde|[Kk]önnte", entry.sentence)),
        "numbers-dates": bool(re.search(r"\d|acht|halb neun", entry.sentence)),
    }
    for tag in entry.tags:
        assert promises.get(tag, True), tag


@every_entry
def test_separable_verbs(entry: Entry) -> None:
    """A sentence tagged so has a verb whose prefix stands elsewhere, or takes ge or zu inside."""
    prefixes = "ab|an|auf|aus|durch|um|vor|wider|zu"
    verbs = [
        item
        for item in entry.expected
        if re.match(f"(sich )?({prefixes})[a-zäöüß]+e?l?n( |$)", item.text)
        and not item.text.startswith(("um ", "an "))
    ]

    if "separable-verbs" in entry.tags:
        assert verbs


@every_entry
def test_compounds(entry: Entry) -> None:
    """A sentence tagged so has a compound noun of at least nine letters."""
    if "compounds" in entry.tags:
        assert any(item.is_noun and len(item.text) >= 13 for item in entry.expected)
