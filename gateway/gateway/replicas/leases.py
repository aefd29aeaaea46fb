"""Ask the ledger, in the background, for room in budgets that several gateways share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gateway.access.caller import Kind
from gateway.access.database import DatabaseAwayError
from gateway.limits.lease import Grant, Purpose
from gateway.replicas import lease_ledger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.access.database import Database
    from gateway.limits.account import Account
    from gateway.limits.lease import LeaseRequest
    from gateway.limits.limits import Limits

LOG = logging.getLogger(__name__)

RETRY_SECONDS = 0.1
"""Between two calls for a request that waits."""

SWEEP_SECONDS = 0.5
"""Room that no request has used for this long is given back."""

AMPLE_SWEEPS = 10
"""The number of sweeps after which room in an ample budget is given back.

Other gateways hardly miss it, and a call for each request of a rarely used key would cost more.
"""

AT_ONCE = 8
"""Accounts for which the ledger is asked at once; each account has only one call at a time."""

MEMBERS = (Kind.TEAM_MEMBER, Kind.ORGANIZATION_MEMBER)


class Leases:
    """This gateway's part of all shared budgets.

    Args:
        limits: the limits that have the accounts.
        call: asks the ledger; its second argument is the number of the call.
        is_cut_off: returns whether the ledger cannot be asked.
    """

    def __init__(
        self,
        limits: Limits,
        call: Callable[[LeaseRequest, int], Awaitable[Grant]],
        is_cut_off: Callable[[], bool],
    ) -> None:
        self._limits = limits
        self._call = call
        self._is_cut_off = is_cut_off
        self._numbers = count(1)
        self._wanted: dict[Account, None] = {}  # a set that keeps the order
        self._active: dict[Account, None] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Share budgets from now on; return when the ledger knows the requests under way here.

        Raises:
            DatabaseAwayError: the ledger does not answer.
        """
        for account in self._limits.share_budgets(self.want, self._is_cut_off):
            if account.open or account.costs or account.waiting:
                await self._sync(account, Purpose.GIVE_BACK)
                self.want(account)

    def end(self) -> None:
        """Stop sharing budgets."""
        for account in self._limits.share_budgets(None):
            self._limits.wake((account,))
        self._wanted.clear()
        self._active.clear()

    def start(self) -> None:
        """Begin to ask the ledger in the background."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="leases of budgets")

    async def close(self) -> None:
        """Stop asking the ledger."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def want(self, account: Account) -> None:
        """Have the ledger asked for more room for an account."""
        self._wanted[account] = None
        self._news.set()

    async def work(self) -> None:
        """Ask the ledger for every account that wants more room.

        Raises:
            DatabaseAwayError: the ledger does not answer.
        """
        while self._wanted:
            wanted = list(self._wanted)[:AT_ONCE]
            for account in wanted:
                del self._wanted[account]
            ends = await asyncio.gather(*map(self._ask_for, wanted), return_exceptions=True)
            for end in ends:
                if end is not None:
                    raise end

    async def sweep(self) -> None:
        """Give back unused room, and report which costs are in the database now.

        Raises:
            DatabaseAwayError: the ledger does not answer.
        """
        for account in tuple(self._active):
            lease = account.lease
            if lease is None:
                self._active.pop(account, None)
            elif lease.idle_sweeps < (AMPLE_SWEEPS if lease.is_ample else 1):
                lease.idle_sweeps += 1
            elif lease.room > 0 or lease.reported != account.reserved:
                await self._sync(account, Purpose.GIVE_BACK)
            elif not account.open and not account.waiting:
                self._active.pop(account, None)

    async def _ask_for(self, account: Account) -> None:
        if account.waiting:
            await self._admit(account)
        else:
            await self._sync(account, Purpose.REFILL)

    async def _admit(self, account: Account) -> None:
        """Ask for room for the first waiting request of an account.

        Its accounts are asked for in an order that is the same in every gateway, so that no two
        requests hold up each other.
        """
        waiter = next(iter(account.waiting))
        for each in sorted(waiter.accounts, key=_order):
            if each.lease is not None and each.lease.room < waiter.bound:
                await self._sync(each, Purpose.ADMIT, waiter.bound)
                if waiter.future.done() or (each.lease and each.lease.room < waiter.bound):
                    return

    async def _sync(self, account: Account, purpose: Purpose, need: float = math.inf) -> None:
        """Report to the ledger and ask it for room, one call of an account at a time.

        Nothing is asked if an earlier call has already brought as much room as is needed.
        """
        lease = account.lease
        if lease is None:
            return
        async with lease.lock:
            if lease.room >= need or lease is not account.lease:
                return
            ask = self._limits.ask(account, lease, purpose)
            self._active[account] = None
            lease.reported = math.nan
            grant = await self._call(ask, next(self._numbers))
            if lease is account.lease:
                self._limits.take(account, ask, grant)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        swept_at = loop.time()
        while True:
            waits = any(account.waiting for account in self._active)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._news.wait(), RETRY_SECONDS if waits else SWEEP_SECONDS)
            self._news.clear()
            self._wanted |= dict.fromkeys(each for each in self._active if each.waiting)
            try:
                await self.work()
                if loop.time() - swept_at >= SWEEP_SECONDS:
                    swept_at = loop.time()
                    await self.sweep()
            except DatabaseAwayError:
                self._limits.wake(tuple(self._active))  # checked against what this gateway knows
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                LOG.exception("leases of budgets failed; trying again")
                await asyncio.sleep(SWEEP_SECONDS)


def _order(account: Account) -> tuple[str, str]:
    return account.entity.kind.value, account.entity.id


def ledger(database: Database, replica: str) -> Callable[[LeaseRequest, int], Awaitable[Grant]]:
    """Return a function that asks the ledger in the database on behalf of one gateway."""

    async def call(ask: LeaseRequest, number: int) -> Grant:
        (row,) = await database.fetch(lease_ledger.LEASE, values(ask, replica, number))
        return granted(row)

    return call


def values(ask: LeaseRequest, replica: str, number: int) -> dict[str, object]:
    """Return the parameters of `lease_ledger.LEASE`."""
    one, other = ask.id, ""
    if ask.kind in MEMBERS:
        group, _, user = ask.id.partition("::")
        one, other = unquote(group), unquote(user)
    return {
        "replica": replica,
        "call": number,
        "kind": ask.kind.value,
        "id": ask.id,
        "one": one,
        "other": other,
        "budget": ask.budget,
        "may_pass": ask.may_pass,
        "holds": ask.holds,
        "costs": ask.costs,
        "upto": ask.upto,
        "first": ask.first,
        "wanted": ask.wanted,
    }


def granted(row: tuple[float | None, ...]) -> Grant:
    """Return the ledger's answer from its row; the answer to an outdated call grants nothing."""
    return Grant(*(value or 0.0 for value in row))
