"""When budgets are shared: from the moment in which a gateway knows of another one.

One that is alone holds all of each budget and asks nobody. One that comes waits, at its start,
until those that live have told the ledger what is under way with them.
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
"""So long after the others have gone budgets are shared still: by then everything that the others
have spent was read with the callers, who are all that counts for a gateway that is alone."""


class Sharing:
    """Begins and ends to share.

    Args:
        database: where the ledger is.
        leases: this gateway's part.
        id: of this gateway.
        clock: seconds, monotonic.

    Attributes:
        is_complete: whether all gateways that live are known to share, or there is no other.
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
        """Write down that there is one more.

        Raises:
            DatabaseAwayError: the database does not answer; likewise below.
        """
        await self._database.fetch(lease_ledger.SHARES, self._id)
        self._leases.start()

    def bury(self, journal: str) -> None:
        """Take note that a gateway is gone and its costs are in the database."""
        if journal:
            self._dead.append(journal)

    async def follow(self) -> None:
        """Begin to share if there are others, end if there are none."""
        while self._dead:
            await self._database.fetch(lease_ledger.BURY, {"dead": self._dead[-1]})
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
        """Forget what this gateway holds; costs that are in its journal still are kept."""
        await self._leases.close()
        with contextlib.suppress(DatabaseAwayError):
            await self._database.fetch(lease_ledger.FORGET, self._id)
