"""Which gateways are alive: each reports it every few seconds, and reads which others are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
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
"""Between two beats while notifications arrive."""

POLL_SECONDS = 0.8
"""Between two beats while no notifications arrive."""

JOIN_SECONDS = 3.0
JOIN_POLL_SECONDS = 0.05
"""How long, and how often, a start checks whether the other gateways know about it."""


@dataclass(frozen=True)
class Place:
    """A gateway's place among those that are alive.

    Attributes:
        rank: 0 for the first of them.
        count: how many are alive.
    """

    rank: int = 0
    count: int = 1

    def part(self, limit: int) -> int:
        """Return this gateway's part of a limit; all parts together are the limit.

        If there are more gateways than the limit has units, each has one. So no gateway refuses all
        of a caller's requests.
        """
        if self.count == 1 or limit <= 0:
            return limit
        return max(1, limit // self.count + (self.rank < limit % self.count))


class Replicas:
    """The gateways of one database. While it is away, those seen last are taken to be alive.

    Args:
        database: the database, whose connections are used.
        id: the id of this gateway, new at each start.
        predecessor: the id of the gateway that had this one's journal folder before; "" for none.

    Attributes:
        is_heard: returns whether notifications arrive.
        place: the place of this gateway, as last read.
        moved: called when the place changes.
        publish: publishes what has changed at this gateway; called before each read, unless the
            gateway is alone.
        read: called with the cooldowns that were read, unless the gateway is alone.
        sharing: shares budgets with the other gateways.
    """

    def __init__(self, database: Database, id: str, predecessor: str) -> None:  # noqa: A002 -- a replica's `id`
        self._database = database
        self._ids = {"id": id, "predecessor": predecessor, "host": socket.gethostname()}
        self._has_tables = False
        self._has_joined = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.place = Place()
        self.is_heard: Callable[[], bool] = lambda: False
        self.moved: Callable[[Place], None] = lambda _: None
        self.publish: Callable[[], Awaitable[None]] | None = None
        self.read: Callable[[Sequence[Mapping[str, Any]]], None] = lambda _: None
        self.sharing: Sharing | None = None

    async def start(self) -> None:
        """Join the other gateways; while the database is away, keep trying.

        When this returns, all live gateways have reported to the ledger what they hold of budgets,
        or JOIN_SECONDS are over.
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
        """Leave, so that the others need not wait until they notice this gateway's silence."""
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
        """Beat at once, because there is something to read or to publish."""
        self._news.set()

    async def beat(self) -> None:
        """Report that this gateway is alive, publish what has changed, and read the others.

        Raises:
            DatabaseAwayError: the database does not answer.
        """
        if not self._has_tables:
            ((self._has_tables,),) = await self._database.fetch(tables.EXIST, {})
            if not self._has_tables:  # an older version's `migrate` ran, or none
                return
        if not self._has_joined:
            await self._database.fetch(tables.JOIN, self._ids)
            if self.sharing is not None:
                await self.sharing.join()
            self._has_joined = True
        if self.publish is not None and self.place.count > 1:
            await self.publish()
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
            self.wake()  # publish and read cooldowns, which did not matter to a lone gateway
        if self.place != before:
            self.moved(self.place)

    async def _run(self) -> None:
        while True:
            seconds = BEAT_SECONDS if self.is_heard() else POLL_SECONDS
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
            self._news.clear()
            try:
                await self.beat()
            except DatabaseAwayError:
                continue  # the task that connects again logs it
            except Exception:
                LOG.exception("the other gateways cannot be read; trying again")
