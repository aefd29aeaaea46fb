"""Which gateways live: each says so every few seconds, and reads who else does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.access.database import DatabaseAwayError
from gateway.replicas import tables

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.access.database import Database
    from gateway.replicas.sharing import Sharing

LOG = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
"""Between two beats where a notification tells of changes."""

LOOK_SECONDS = 0.8
"""The same where none passes."""

JOIN_SECONDS = 3.0
JOIN_POLL_SECONDS = 0.05
"""How long, and how often, a start looks whether the others know of it."""


@dataclass(frozen=True)
class Place:
    """A gateway's place among those that live.

    Attributes:
        rank: 0 for the first of them.
        count: how many live.
    """

    rank: int = 0
    count: int = 1

    def part(self, limit: int) -> int:
        """Return this gateway's part of a limit: all parts together are the limit.

        Where there are more gateways than the limit has units, each has one: a caller is never
        refused everything for the gateway that it happens to ask.
        """
        if self.count == 1 or limit <= 0:
            return limit
        return max(1, limit // self.count + (self.rank < limit % self.count))


class Replicas:
    """The gateways of one database. While that is away, those seen last are thought to live.

    Args:
        database: whose connections are used.
        id: of this gateway, new with each start.
        predecessor: of the gateway before it, whose journal's folder it has; "" for none.

    Attributes:
        is_heard: says whether notifications pass.
        place: this gateway's, as it was seen last.
        moved: is called when that changes.
        tell: tells the others what this gateway has to tell; called before each reading, unless it
            is alone.
        read: is called with the cooldowns that were read, unless it is alone.
        sharing: shares budgets with the others.
    """

    def __init__(self, database: Database, id: str, predecessor: str) -> None:  # noqa: A002 -- a replica's `id`
        self._database = database
        self._ids = {"id": id, "predecessor": predecessor}
        self._has_tables = False
        self._has_joined = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.place = Place()
        self.is_heard: Callable[[], bool] = lambda: False
        self.moved: Callable[[Place], None] = lambda _: None
        self.tell: Callable[[], Awaitable[None]] | None = None
        self.read: Callable[[Sequence[Mapping[str, Any]]], None] = lambda _: None
        self.sharing: Sharing | None = None

    async def start(self) -> None:
        """Join, and know who else is there; with the database away, go on trying.

        Who lives has, when this returns, told what it holds of budgets, or did not in time.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + JOIN_SECONDS
        with contextlib.suppress(DatabaseAwayError):
            await self.beat()
            while self.sharing and not self.sharing.is_complete and loop.time() < end:
                await asyncio.sleep(JOIN_POLL_SECONDS)
                await self.beat()
        self._task = asyncio.create_task(self._run(), name="gateways of this database")

    async def close(self) -> None:
        """Leave, so that the others need not wait until silence says so."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._has_joined:
            with contextlib.suppress(DatabaseAwayError):
                if self.sharing is not None:
                    await self.sharing.close()
                await self._database.fetch(tables.LEAVE, self._ids)

    def wake(self) -> None:
        """Beat at once: there is something to read or to tell."""
        self._news.set()

    async def beat(self) -> None:
        """Say that this gateway lives, tell what there is to tell, and read.

        Raises:
            DatabaseAwayError: the database does not answer.
        """
        if not self._has_tables:
            ((self._has_tables,),) = await self._database.fetch(tables.EXIST, {})
            if not self._has_tables:  # `migrate` of an older version, or none
                return
        if not self._has_joined:
            await self._database.fetch(tables.JOIN, self._ids)
            if self.sharing is not None:
                await self.sharing.join()
            self._has_joined = True
        if self.tell is not None and self.place.count > 1:
            await self.tell()
        ((others, cooldowns),) = await self._database.fetch(tables.BEAT, self._ids)
        self._take(others)
        if self.sharing is not None:
            await self.sharing.follow()
        if self.place.count > 1:
            self.read(cooldowns)

    def _take(self, others: Sequence[str]) -> None:
        before = self.place
        rank = sum(other < self._ids["id"] for other in others)
        self.place = Place(rank, 1 + len(others))
        if self.place.count != before.count:
            LOG.info("gateways of this database: %d", self.place.count)
            self.wake()  # who comes is told, and hears, what was nobody's concern so far
        if self.place != before:
            self.moved(self.place)

    async def _run(self) -> None:
        while True:
            seconds = BEAT_SECONDS if self.is_heard() else LOOK_SECONDS
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
            self._news.clear()
            try:
                await self.beat()
            except DatabaseAwayError:
                continue  # whoever connects again says so
            except Exception:
                LOG.exception("the other gateways cannot be read; trying again")
