"""Places in a journal, also as numbers that grow, and how far a folder was read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_OFFSET_BITS = 40
"""A file is smaller than a terabyte, and 2²³ files fit before a position overflows."""

_POSITION = "position"


@dataclass(frozen=True, order=True)
class Place:
    """A place between two lines.

    Attributes:
        number: the number of the file.
        offset: the offset in the file.
    """

    number: int
    offset: int

    @property
    def at(self) -> int:
        """The place as one number, which grows from record to record."""
        return self.number << _OFFSET_BITS | self.offset


def number_of(at: int) -> int:
    """Return the number of the file in which a place is, given as one number; -1 for none."""
    return at >> _OFFSET_BITS


def header(journal: str) -> bytes:
    """Return the line that each file of a journal begins with."""
    return json.dumps({"journal": journal}).encode()


def is_header(line: bytes) -> bool:
    """Return whether a line, after its checksum, is the header of a file."""
    return line.partition(b" ")[2].startswith(b'{"journal": ')


def stored_place(folder: Path) -> Place:
    """Return where the next reading of a folder begins: at its front if nothing is stored."""
    try:
        stored = json.loads((folder / _POSITION).read_text(encoding="ascii"))
        return Place(int(stored["number"]), int(stored["offset"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Place(0, 0)


def store_place(folder: Path, place: Place) -> None:
    """Store where the next reading begins. Losing this is harmless: nothing is applied twice."""
    path = folder / _POSITION
    temporary = folder / f"{_POSITION}.new.{os.getpid()}"
    temporary.write_text(
        json.dumps({"number": place.number, "offset": place.offset}), encoding="ascii"
    )
    temporary.replace(path)
