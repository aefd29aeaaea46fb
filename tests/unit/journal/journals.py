"""Journals as gateways leave them behind, and readers of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from gateway.journal.journal import Journal, Tail
from gateway.journal.note import Note
from gateway.journal.reader import Reader
from gateway.journal.record import RECONCILED, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MEGABYTE = 1 << 20


class Line(Protocol):
    """What a journal takes."""

    def encoded(self) -> bytes:
        """Returns it as one line of JSON."""
        ...


class Said:
    """What was said, by level."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, message: str, level: str) -> None:
        """Takes note."""
        self.lines.append((level, message))

    def levels(self) -> list[str]:
        """Returns the levels only."""
        return [level for level, _ in self.lines]


def record(number: int, size: int = 0) -> Record:
    """Returns a record with a number, and so many bytes of text."""
    return Record(row={"request_id": f"{number}", "response": "x" * size}, id=f"{number}")


def note(number: int) -> Note:
    """Returns the note that a record with this number completes."""
    return Note(
        request_id=f"{number}",
        call={},
        response={},
        started="2026-01-02T03:04:05",
        ended="2026-01-02T03:04:06",
        cost=0.5,
        id=f"{number}",
    )


def completed(of: Note) -> Record:
    """Returns the record of a note that is all there is, marked so."""
    return Record(row={"request_id": of.request_id, RECONCILED: True}, id=of.id)


def written(folder: Path, said: Said, lines: Sequence[Line], limit: int = 64 * MEGABYTE) -> Journal:
    """Writes lines as a gateway that then dies, and returns its journal."""
    journal = Journal(folder, limit, said)
    append(journal, lines)
    return journal


def append(journal: Journal, lines: Sequence[Line]) -> None:
    """Writes lines, each when the one before is durable."""

    async def write() -> None:
        for line in lines:
            await journal.append(line.encoded())

    asyncio.run(write())


def reader_of(
    folder: Path,
    said: Said,
    tail: Callable[[], Tail] | None = None,
    removed: Callable[[], None] = lambda: None,
) -> Reader:
    """Returns a reader."""
    return Reader(folder, said, completed, tail, removed)


def read_records(reader: Reader, *, last: bool = False) -> list[Record]:
    """Reads to the end, and takes note of it."""
    found: list[Record] = []
    while (batch := reader.next_batch(last=last)) is not None:
        found.extend(batch.records)
        reader.done(batch)
    return found


def read(reader: Reader, *, last: bool = False) -> list[str]:
    """Reads to the end, takes note of it, and returns the ids."""
    return [entry.id for entry in read_records(reader, last=last)]
