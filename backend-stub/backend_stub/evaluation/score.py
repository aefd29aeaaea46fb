"""Compare what a model found in a sentence with what it should have found. Pure: no I/O.

An item is a hit when its type and its wording are those of an expected item; `normalise` says which
wordings are the same, and a noun needs its article. Each expected item is hit once. What the entry
lists under `also` is right too, but nothing is lost without it. All else was found wrongly.
- recall: hits of the expected items
- precision: hits and `also` of everything that was found; a lower bound, for no list of what may
  be learned from a sentence is complete
- F1: their harmonic mean
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from backend_stub.evaluation import normalise
from backend_stub.evaluation.entries import Entry, ExpectedItem
from backend_stub.schemas import Item

_SHORT = 3
"""Spaces round and in two words: a pattern as short as `es gibt` may stand in the sentence so."""


@dataclass(frozen=True)
class Tally:
    """Counts over one sentence or many; adding two adds up every count."""

    sentences: int = 0
    expected: int = 0
    hits: int = 0
    found: int = 0
    right: int = 0
    """Found items that are hits or in `also`."""
    translations_right: int = 0
    """Hits whose English is one of the expected."""
    wrong_type: int = 0
    wrong_article: int = 0
    wrong_spelling: int = 0
    """Near misses among what was found wrongly: type; article wrong or left out; umlaut or ß."""

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def recall(self) -> float:
        """0 to 1; 0 when nothing was expected."""
        return _ratio(self.hits, self.expected)

    @property
    def precision(self) -> float:
        """0 to 1; 0 when nothing was found: silence is not precise."""
        return _ratio(self.right, self.found)

    @property
    def f1(self) -> float:
        """0 to 1."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def translations(self) -> float:
        """Share of the hits whose English is right."""
        return _ratio(self.translations_right, self.hits)


def score(entry: Entry, found: Sequence[Item]) -> Tally:
    """Return the counts of one sentence; the order of what was found makes no difference."""
    found = sorted(found, key=lambda item: (item.text, item.type, item.translation))
    hits = _assign([[_is_hit(item, want, entry) for want in entry.expected] for item in found])
    rest = [item for index, item in enumerate(found) if index not in hits]
    also = _assign([[_same(item.text, text) for text in entry.also] for item in rest])
    wrong = [item for index, item in enumerate(rest) if index not in also]
    missed = [want for index, want in enumerate(entry.expected) if index not in hits.values()]
    near = [_near_miss(item, missed) for item in wrong]
    pairs = [(found[index], entry.expected[want]) for index, want in hits.items()]
    return Tally(
        sentences=1,
        expected=len(entry.expected),
        hits=len(hits),
        found=len(found),
        right=len(hits) + len(also),
        translations_right=sum(_translated(item, want) for item, want in pairs),
        wrong_type=near.count("type"),
        wrong_article=near.count("article"),
        wrong_spelling=near.count("spelling"),
    )


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum: figures over all items alike, not the mean of the sentences' figures."""
    return sum(tallies, Tally())


def by_tag(scored: Iterable[tuple[Entry, Tally]]) -> dict[str, Tally]:
    """Return the sum for each tag, in alphabetical order; a sentence counts for all its tags."""
    sums: dict[str, Tally] = {}
    for entry, tally in scored:
        for tag in entry.tags:
            sums[tag] = sums.get(tag, Tally()) + tally
    return dict(sorted(sums.items()))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _is_hit(item: Item, want: ExpectedItem, entry: Entry) -> bool:
    return _type_fits(item, want) and _wording_fits(item, want, entry.sentence)


def _type_fits(item: Item, want: ExpectedItem) -> bool:
    """Tell whether the types agree; where phrases end and patterns begin is a matter of taste."""
    loose = {"phrase", "pattern"}
    return item.type in (want.type, *want.other_types) or {item.type, want.type} <= loose


def _wording_fits(item: Item, want: ExpectedItem, sentence: str = "") -> bool:
    if want.is_noun:
        return _noun_fits(item.text, want)
    if any(_same(item.text, wording) for wording in want.wordings):
        return True
    if want.type == item.type == "pattern":
        return not _quoted(item.text, sentence) and any(
            normalise.pattern_words(wording) <= normalise.pattern_words(item.text)
            for wording in want.wordings
        )
    return False


def _same(found: str, wanted: str) -> bool:
    bag = normalise.bag(wanted)
    return bag in (normalise.bag(found), normalise.bag(normalise.head(found)))


def _noun_fits(found: str, want: ExpectedItem) -> bool:
    """Tell whether it is this noun: with its article, and no other plural if it names one."""
    plural = normalise.named_plural(found)
    if plural is not None and (plural,) != normalise.without_article(
        normalise.bag(want.plural or "")
    ):
        return False
    head = normalise.bag(normalise.head(found))
    return head in [normalise.bag(wording) for wording in want.wordings]


def _quoted(pattern: str, sentence: str) -> bool:
    """Tell whether a "pattern" is only a piece of the sentence: that teaches no pattern."""
    piece, whole = (f" {' '.join(normalise.words(text))} " for text in (pattern, sentence))
    return piece in whole and piece.count(" ") > _SHORT


def _translated(item: Item, want: ExpectedItem) -> bool:
    found = normalise.english(item.translation)
    return any(normalise.english(english) <= found for english in want.translations)


def _near_miss(item: Item, missed: Sequence[ExpectedItem]) -> str | None:
    """Return what alone separates a wrong item from one that was missed, if that is all."""
    head = normalise.bag(normalise.head(item.text))
    for want in missed:
        bags = [normalise.bag(wording) for wording in want.wordings]
        if _wording_fits(item, want):
            return "type"
        if want.is_noun and normalise.without_article(head) in map(normalise.without_article, bags):
            return "article" if head not in bags else None
        if normalise.folded(head) in map(normalise.folded, bags):
            return "spelling"
    return None


def _assign(fits: Sequence[Sequence[bool]]) -> dict[int, int]:
    """Return a largest pairing of rows with columns that fit (augmenting paths, after Kuhn)."""
    row_of: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column, fit in enumerate(fits[row]):
            if fit and column not in tried:
                tried.add(column)
                if column not in row_of or place(row_of[column], tried):
                    row_of[column] = row
                    return True
        return False

    for row in range(len(fits)):
        place(row, set())
    return {row: column for column, row in row_of.items()}
