"""The lines of a .env file, each by its number, as far as checks read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.doctor.seen import EnvFile

ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(?P<name>[^=#:\s]+)\s*[=:](?P<value>.*)$")
COMMENT = re.compile(r"\s#.*$")
QUOTES = "\"'"


@dataclass(frozen=True)
class Line:
    """An assignment; `value` is without its quotes, `raw` as written."""

    number: int
    name: str
    raw: str
    value: str


def line_ends(file: EnvFile) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line whose end is not part of a quoted value."""
    return ((number, text) for number, text, _, inside in _walk(file) if not inside)


def assignments(file: EnvFile) -> list[Line]:
    """Return the assignments of a file, in its order; of a value of several lines the first."""
    found = []
    for number, text, inside, _ in _walk(file):
        match = None if inside else ASSIGNMENT.match(text.rstrip("\r"))
        if match:
            raw = match["value"]
            found.append(Line(number, match["name"], raw, _unquoted(raw.strip())))
    return found


def unclosed(file: EnvFile) -> int | None:
    """Return the line on which a quote is opened that nothing closes."""
    opened = None
    for number, _, before, after in _walk(file):
        opened = None if not after else opened if before else number
    return opened


def values(files: tuple[EnvFile, ...]) -> dict[str, str]:
    """Return what the files set; the last one wins, as with compose."""
    return {line.name: line.value for file in files for line in assignments(file)}


def _walk(file: EnvFile) -> Iterator[tuple[int, str, bool, bool]]:
    """Yield number and text of each line, and whether a quote is open at its start and its end."""
    quote = ""
    for number, text in enumerate(file.text.removeprefix("\ufeff").split("\n"), start=1):
        before, quote = quote, _quote_after(text, quote)
        yield number, text, bool(before), bool(quote)


def _quote_after(text: str, quote: str) -> str:
    """Return the quote that is open at the end of a line; empty when none is."""
    if quote:
        return "" if quote in text else quote
    match = ASSIGNMENT.match(text.rstrip("\r"))
    value = match["value"].strip() if match else ""
    return value[0] if value[:1] in ("'", '"') and value[0] not in value[1:] else ""


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote and quote in QUOTES:
        return value[1:].partition(quote)[0]
    return COMMENT.sub("", f" {value}").strip()
