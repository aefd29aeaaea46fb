"""Notes that were read and that no record has completed yet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.journal.journal import Tail
    from gateway.journal.note import Note

LONGEST_OPEN = 600.0
"""Seconds after which nobody waits for a note's record any more. LiteLLM gives its accounting 20;
it may drop one unstarted, though, and does not say so."""


class OpenNotes:
    """One reader's."""

    def __init__(self) -> None:
        self._notes: dict[str, tuple[Tail, float, Note]] = {}
        self._given_up: set[str] = set()

    @property
    def first(self) -> Tail | None:
        """Where the first of them stands, None without one."""
        return min((place for place, _, _ in self._notes.values()), default=None)

    def add(self, place: Tail, note: Note) -> None:
        """Takes a note that stands there."""
        self._notes[note.id] = (place, time.monotonic(), note)

    def close(self, identity: str) -> None:
        """Forgets a note, if there is one, because its record is in the database."""
        self._notes.pop(identity, None)
        self._given_up.discard(identity)

    def give_up(self, identity: str) -> None:
        """Takes note that no record will come."""
        if identity in self._notes:
            self._given_up.add(identity)

    def due(self, *, everything: bool = False) -> list[Note]:
        """Returns those that no record will complete, or all of them, in their order."""
        oldest = time.monotonic() - LONGEST_OPEN
        return [
            note
            for identity, (_, since, note) in self._notes.items()
            if everything or identity in self._given_up or since < oldest
        ]
