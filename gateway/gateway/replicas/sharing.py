"""When budgets are shared: from the moment in which a gateway knows about another one.

A gateway that is alone holds all of each budget and does not ask the ledger. A gateway that starts
while others run waits until they have reported to the ledger what they hold.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from gateway.access.database import DatabaseAwayError
from gateway.replicas import lease_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.access.database import Database
    from gateway.replicas.leases import Leases


ALONE_SECONDS = 10.0
"""How long budgets stay shared after the other gateways have gone.

A gateway that is alone relies only on the spend that it reads with its callers. After this time,
that spend includes everything that the others have spent.
"""


class Sharing:
    """Begins and stops sharing budgets.

    Args:
        database: the database with the ledger.
        leases: this gateway's part of the shared budgets.
        id: the id of this gateway.
        clock: a monotonic clock, in seconds.

    Attributes:
        is_complete: whether all other live gateways share their budgets; True if there are none.
    """

    def __init__(
        self,
        database: Database,
        leases: Leases,
        id: str,  # noqa: A002 -- a replica's `id`
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._leases = leases
        self._id = {"id": id}
        self._clock = clock
        self._shares = False
        self._alone_since: float | None = None
        self._dead: list[str] = []
        self.is_complete = True

    async def join(self) -> None:
        """Record in the database that there is one more gateway.

        Raises:
            DatabaseAwayError: the database does not answer; `follow` raises it, too.
        """
        await self._database.fetch(lease_ledger.SHARES, self._id)
        self._leases.start()

    def remove_replica(self, journal: str) -> None:
        """Record that a gateway is gone and its costs are in the database."""
        if journal:
            self._dead.append(journal)

    async def follow(self) -> None:
        """Begin to share if there are other gateways; stop if there have been none for a while."""
        while self._dead:
            await self._database.fetch(lease_ledger.REMOVE_REPLICA, {"dead": self._dead[-1]})
            self._dead.pop()
        ((has_others, self.is_complete),) = await self._database.fetch(
            lease_ledger.OTHERS, self._id
        )
        if has_others:
            self._alone_since = None
            if not self._shares:
                await self._begin()
        elif self._shares:
            now = self._clock()
            self._alone_since = now if self._alone_since is None else self._alone_since
            if now - self._alone_since >= ALONE_SECONDS:
                await self._end()

    async def _begin(self) -> None:
        await self._database.fetch(lease_ledger.GIVE_ALL_BACK, self._id)
        await self._leases.begin()
        await self._database.fetch(lease_ledger.SHARES, self._id)
        self._shares = True

    async def _end(self) -> None:
        ((shares,),) = await self._database.fetch(lease_ledger.SHARES, self._id)
        if not shares:
            self._leases.end()
            self._shares = False

    async def close(self) -> None:
        """Delete what this gateway holds, except costs that are still in its journal."""
        await self._leases.close()
        with contextlib.suppress(DatabaseAwayError):
            await self._database.fetch(lease_ledger.FORGET, self._id)
