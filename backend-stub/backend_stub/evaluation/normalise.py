"""What makes two German wordings the same, and what does not.

Ignored: Unicode composition (NFC), upper and lower case, punctuation and quotation marks, the
order of words (`auf etw. warten` is `warten auf`), placeholders (`jdm.`, `etwas`, `+ Akkusativ`)
except in patterns, and what follows a noun's dictionary form: `der Hund, -e`.

Not ignored: umlauts and ß. `schoen`, `schon` and `Strasse` are spelling mistakes that a learner
would take over, and spelling is part of what the set tries; `folded` exists to name such mistakes.
"""

import re
import unicodedata

ARTICLES = frozenset({"der", "die", "das"})

_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_PLACEHOLDERS = frozenset(
    {
        *("jemand", "jemanden", "jemandem", "jemandes", "etwas"),
        *("jd", "jdn", "jdm", "jds", "jmd", "jmdn", "jmdm", "jmds", "etw"),
        *("akkusativ", "dativ", "genitiv", "infinitiv"),
        *("akk", "dat", "gen", "inf"),
    }
)
_SHORT = {"akk": "akkusativ", "dat": "dativ", "gen": "genitiv", "inf": "infinitiv"}
_FOLDS = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ä", "a"), ("ö", "o"), ("ü", "u"), ("ß", "ss"))
_ENGLISH_NOISE = frozenset({"to", "the", "a", "an"})

type Bag = tuple[str, ...]
"""Words in sorted order: equal for wordings that are the same."""


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text in order, in lower case and NFC; `lower` keeps the ß."""
    text = unicodedata.normalize("NFC", text).lower().replace(_APOSTROPHE, "'")
    return tuple(_WORD.findall(text))


def bag(text: str) -> Bag:
    """Return what identifies a word or phrase; placeholders count only if there is nothing else.

    `sich (auf etw.) freuen` and `sich freuen auf + Akk.` are the same.
    """
    every = words(text)
    kept = [word for word in every if word not in _PLACEHOLDERS]
    return tuple(sorted(kept or every))


def pattern_words(text: str) -> frozenset[str]:
    """Return the words of a pattern, with the names of cases written out."""
    return frozenset(_SHORT.get(word, word) for word in words(text))


def head(text: str) -> str:
    """Return a dictionary entry's first part: `der Hund` of `der Hund, -e` or `der Hund (die …)`.

    A text that begins with a bracket is left as it is: `(sich) beeilen`.
    """
    first = re.split(r"[,;(]", text, maxsplit=1)[0].strip()
    return first or text


def named_plural(text: str) -> str | None:
    """Return the noun in the plural that a dictionary entry names with its article, if it does."""
    text = unicodedata.normalize("NFC", text).lower()
    found = re.search(r"[,;(].*?\bdie\s+([^\W\d_]+)", text)
    return found.group(1) if found else None


def without_article(found: Bag) -> Bag:
    """Return the words less der, die and das."""
    return tuple(word for word in found if word not in ARTICLES)


def folded(found: Bag) -> Bag:
    """Return the words with umlauts and ß levelled, however they are written."""
    result = []
    for word in found:
        for written, level in _FOLDS:
            word = word.replace(written, level)  # noqa: PLW2901 -- a pipeline over one word
        result.append(word)
    return tuple(sorted(result))


def english(text: str) -> frozenset[str]:
    """Return the words of a translation less articles and `to`."""
    every = frozenset(words(text))
    return every - _ENGLISH_NOISE or every
