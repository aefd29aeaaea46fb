"""What the records of one request's answer have come to; the front holds the answer until then.

A context variable carries it: the tasks that LiteLLM starts for a request, its logging workers
included, inherit it.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any


class Answer:
    """The records of one request."""

    def __init__(self) -> None:
        self._underway = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._durable: list[asyncio.Future[None]] = []
        self._failure: Exception | None = None

    @property
    def records(self) -> int:
        """How many were written."""
        return len(self._durable)

    def wrote(self, durable: asyncio.Future[None]) -> None:
        """Takes note of a record, and of when it will be durable."""
        self._durable.append(durable)

    def failed(self, error: Exception) -> None:
        """Takes note that a record could not be written."""
        self._failure = error

    def accounting(self, work: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Returns work that will write records; from now on it is waited for."""
        self._underway += 1
        self._idle.clear()
        return self._until_done(work)

    async def settled(self) -> None:
        """Waits until everything is written and durable.

        Raises:
            OSError: a record could not be written.
            JournalFullError: as above, because there is no room.
        """
        await self._idle.wait()
        for durable in self._durable:
            await durable
        if self._failure is not None:
            raise self._failure

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
