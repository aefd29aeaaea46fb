"""What the records and notes of one request's answer have come to; its end is held until then.

A context variable carries it: the tasks that LiteLLM starts for a request, its logging workers
included, inherit it.
"""

from __future__ import annotations

import asyncio
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from gateway.journal.note import Note


class Answer:
    """The records of one request."""

    def __init__(self) -> None:
        self._underway = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._durable: list[asyncio.Future[None]] = []
        self._failure: Exception | None = None
        self._notes: dict[str, Note] = {}
        self._watched: set[str] = set()
        self._noted: weakref.WeakSet[Coroutine[Any, Any, Any]] = weakref.WeakSet()

    @property
    def is_accounted(self) -> bool:
        """Whether all that was begun has come to a record or a note, durable or not."""
        return not self._underway

    @property
    def is_settled(self) -> bool:
        """Whether that is durable, too."""
        return (
            self.is_accounted
            and self._failure is None
            and all(durable.done() and durable.exception() is None for durable in self._durable)
        )

    def wrote(self, durable: asyncio.Future[None], note: Note | None = None) -> None:
        """Takes in a record, or a note that waits for one, and when it will be durable."""
        self._durable.append(durable)
        if note is not None:
            self._notes[note.id] = note

    def failed(self, error: Exception) -> None:
        """Takes note that a record could not be written."""
        self._failure = error

    def accounting(self, work: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Returns work that will write records; from now on it is waited for."""
        self._underway += 1
        self._idle.clear()
        return self._until_done(work)

    def noted(
        self, work: Coroutine[Any, Any, Any], note: Note, give_up: Callable[[Note], None]
    ) -> Coroutine[Any, Any, Any]:
        """Returns work that will write a note's record; it is not waited for.

        Args:
            work: LiteLLM's accounting.
            note: of the call.
            give_up: is told when the work ended without a record.
        """
        self._watched.add(note.id)
        watched = self._until_recorded(work, note, give_up)
        self._noted.add(watched)
        return watched

    def is_noted(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Returns whether it came from `noted`."""
        return work in self._noted

    def unwatched(self, identity: str | None) -> Note | None:
        """Returns the note with this id if the work that writes its record is not `noted` yet."""
        return None if identity in self._watched else self._notes.get(identity or "")

    def take_note(self, identity: str | None) -> Note | None:
        """Returns the note with this id, once: its record is written now."""
        return self._notes.pop(identity, None) if identity is not None else None

    async def accounted(self) -> None:
        """Waits until everything that was begun has come to a record or a note."""
        await self._idle.wait()

    async def settled(self) -> None:
        """Waits until that is durable.

        Raises:
            OSError: a record could not be written.
            JournalFullError: as above, because there is no room.
        """
        for durable in self._durable:
            await durable
        if self._failure is not None:
            raise self._failure

    async def _until_recorded(
        self, work: Coroutine[Any, Any, Any], note: Note, give_up: Callable[[Note], None]
    ) -> Any:  # noqa: ANN401 -- handed on
        try:
            return await work
        finally:
            if self.take_note(note.id) is not None:
                give_up(note)

    async def _until_done(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 -- handed on
        try:
            return await work
        finally:
            self._underway -= 1
            if not self._underway:
                self._idle.set()


_CURRENT: ContextVar[Answer | None] = ContextVar("gateway_answer", default=None)


def begin_answer() -> Answer:
    """Starts the answer to the request that this task handles."""
    answer = Answer()
    _CURRENT.set(answer)
    return answer


def current_answer() -> Answer | None:
    """Returns the answer of the request that this task handles, None outside of one."""
    return _CURRENT.get()
