"""Admit a request, let it wait, or refuse it."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from gateway.limits import refusals
from gateway.limits.account import PRECISION, Account
from gateway.limits.reservation import Reservation
from gateway.limits.waiter import Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.access.caller import Caller, Entity, Kind, Position
    from gateway.limits.lease import Ask, Grant, Lease, Purpose
    from gateway.limits.window import Window

LOG = logging.getLogger(__name__)

FOLD_SECONDS = 30.0
"""A cost that is in the database for so long is in every snapshot that is still on its way."""

MOST_IDLE_ACCOUNTS = 10_000
"""End users can be named by anybody: beyond this, accounts without limits are forgotten."""


def _never() -> bool:
    return False


def _whole(limit: int) -> int:
    return limit


class Limits:
    """The budgets and limits of everybody.

    A budget is reserved by an upper bound of what the request may cost. A request
    - that fits beside what is spent and what is reserved is admitted;
    - that does not fit is admitted all the same when nobody else is under way and the budget is not
      spent: so a budget is passed by less than one request, and its last cents can be used;
    - whose budget is spent is refused;
    - that only the requests under way keep out waits for them, `wait_seconds` at most.
    All of a request's entities are judged together, and it holds nothing while it waits, so no two
    can wait for each other. Who waits is looked at in the order of coming, after every change and
    before any newcomer; one that fits is not held up by one before it that does not.

    Requests and tokens a minute and parallel requests refuse at once, as in LiteLLM. A request
    that costs nothing (`bound` 0) is not held to budgets, as in LiteLLM.

    Args:
        clock: seconds, monotonic.
        wait_seconds: the longest wait for requests under way. Where a request does not say how
            long its answer may be, a small budget is used up by a few answers after another.
        refuse_what_might_not_fit: whether, now, no budget may be passed by anything:
            DATABASE_DOWN_POLICY=refuse while the database is away.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait_seconds: float = 30.0,
        refuse_what_might_not_fit: Callable[[], bool] = _never,
    ) -> None:
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._is_strict = refuse_what_might_not_fit
        self._accounts: dict[tuple[Kind, str], Account] = {}
        self._by_snapshot: dict[int, Account] = {}  # by id() of the account's current entity
        self._numbers = count()
        self._journal = ""  # this gateway's: that of the first cost
        self._applied = -1
        self._foldable = -1
        self._applied_at: deque[tuple[float, int]] = deque()
        self._forget_beyond = MOST_IDLE_ACCOUNTS
        self._part: Callable[[int], int] = _whole
        self._want: Callable[[Account], None] | None = None
        self._is_cut_off = _never

    async def reserve(self, caller: Caller, bound: float, tokens: int) -> Reservation:
        """Admit a request, now or as soon as others have made room.

        Args:
            caller: who asks.
            bound: US dollars that it costs at most.
            tokens: that it uses at most.

        Raises:
            BudgetExceededError: a budget is spent.
            RateLimitError: a limit is reached, or there was no room within `wait_seconds`.
        """
        accounts = self._accounts_of(caller)
        if caller.is_admin or self._judge(accounts, bound, tokens) is None:
            return self._take(accounts, bound, tokens)
        return await self._wait(accounts, bound, tokens)

    def charge(self, caller: Caller, cost: float, tokens: int, position: Position | None) -> None:
        """Add a cost that nothing was reserved for; arguments as of `Reservation.settle`."""
        self.book(self._accounts_of(caller), cost, tokens, position)

    def applied(self, position: Position) -> None:
        """Note that the journal is in the database up to a position.

        It moves no sum: a snapshot says itself how far it goes. It tells which costs no snapshot
        to come can lack, so that they need not be kept.
        """
        if self._journal and position.journal != self._journal:
            return
        self._applied = max(self._applied, position.at)
        now, noted = self._clock(), self._applied_at
        if not noted or now - noted[-1][0] >= 1.0:
            noted.append((now, self._applied))
        while noted and now - noted[0][0] >= FOLD_SECONDS:
            self._foldable = noted.popleft()[1]

    def share(self, part: Callable[[int], int]) -> None:
        """Hold everybody, from now on, to this gateway's part of each limit.

        Args:
            part: returns the part of requests or tokens a minute, or of parallel requests.
        """
        self._part = part
        for account in self._accounts.values():
            account.share_limits(part)

    def share_budgets(
        self, want: Callable[[Account], None] | None, is_cut_off: Callable[[], bool] = _never
    ) -> list[Account]:
        """Hold budgets with other gateways, from now on, or alone.

        Args:
            want: has more asked for an account that has too little room, and `wake` called
                afterwards; None for budgets of one's own.
            is_cut_off: whether nothing can be asked for; a budget is then judged by what is known.

        Returns:
            Every account with a budget.
        """
        self._want, self._is_cut_off = want, is_cut_off
        for account in self._accounts.values():
            account.share_budget(leases=want is not None)
        return [account for account in self._accounts.values() if account.top < math.inf]

    def ask(self, account: Account, lease: Lease, purpose: Purpose) -> Ask:
        """Return what to ask for an account."""
        return lease.ask(account, self._applied, purpose, may_pass=not self._is_strict())

    def take(self, account: Account, ask: Ask, grant: Grant) -> None:
        """Take in the answer, and look at who waits."""
        if account.lease is not None:
            account.lease.take(ask, grant, account.spent_from, self._clock())
        self.wake((account,))

    def spend_of(self, kind: Kind, id: str) -> float | None:  # noqa: A002 -- an entity's `id`
        """Return the settled US dollars of an entity; None when no request of it was seen."""
        account = self._accounts.get((kind, id))
        return None if account is None else account.settled

    def close(
        self, accounts: Sequence[Account], bound: float, held: Sequence[tuple[Window, int]]
    ) -> None:
        """Take a reservation out of the accounts; for `Reservation` alone, as the two below."""
        for account in accounts:
            account.open -= 1
            if account.lease is not None:
                account.lease.room += bound
            # Nothing open is exactly nothing reserved, whatever rounding left over.
            account.reserved = account.reserved - bound if account.open else 0.0
        for window, amount in held:
            window.held -= amount

    def book(
        self,
        accounts: Sequence[Account],
        cost: float,
        tokens: int,
        position: Position | None,
        *,
        bound: float | None = None,
    ) -> None:
        """Add what was used to the accounts, and wake who waits."""
        entry = None
        if position is not None and cost:
            self._journal = self._journal or position.journal
            if position.journal == self._journal:
                entry = (position.at, cost)
        for account in accounts:
            if account.lease is not None:
                account.lease.room -= cost
            if entry is not None:
                seen = account.entity.position
                if entry[0] <= seen.at and seen.journal == self._journal:
                    continue  # the snapshot was read after this was applied
                account.costs.append(entry)
                if account.costs[0][0] <= self._foldable:
                    account.fold(self._foldable)
            account.settled += cost
        if tokens:
            self._count_tokens(accounts, tokens)
        if bound is not None and cost > bound * (1 + PRECISION) and accounts:
            name = accounts[0].entity.name
            LOG.warning("a bill of %.6f USD of %s is beyond its bound, %.6f", cost, name, bound)
        self.wake(accounts)

    def wake(self, accounts: Sequence[Account]) -> None:
        """Admit who waits for one of these accounts and now fits; refuse whose budget is spent."""
        waiters: list[Waiter] = []
        for account in accounts:
            if account.waiting and not _is_full(account):
                waiters.extend(account.waiting)
        if waiters:
            for waiter in sorted(dict.fromkeys(waiters), key=lambda each: each.number):
                self._answer(waiter)

    def _accounts_of(self, caller: Caller) -> list[Account]:
        found = []
        known = self._by_snapshot
        for entity in caller.entities:
            account = known.get(id(entity))
            if account is None or account.entity is not entity:
                account = self._account_of(entity)
            found.append(account)
        return found

    def _account_of(self, entity: Entity) -> Account:
        """Return the account of a snapshot that is not in use, which it may come to be."""
        key = (entity.kind, entity.id)
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= self._forget_beyond:
                self._forget_idle()
            leases = self._want is not None
            account = self._accounts[key] = Account(entity, self._part, leases=leases)
        elif account.is_news(entity):
            self._by_snapshot.pop(id(account.entity), None)
            account.adopt(entity, self._journal, self._applied)
            self.wake((account,))
        else:
            return account
        self._by_snapshot[id(entity)] = account
        return account

    def _judge(self, accounts: Sequence[Account], bound: float, tokens: int) -> Account | None:
        """Return the account whose open requests are in the way; None when the request fits.

        Raises:
            BudgetExceededError, RateLimitError: it is refused.
        """
        in_the_way = None
        for account in accounts:
            if account.is_unlimited:
                continue
            if bound > 0 and self._is_in_the_way(account, bound):
                in_the_way = account
            if account.window is not None or account.max_parallel is not None:
                self._check_rates(account, tokens)
        return in_the_way

    def _is_in_the_way(self, account: Account, bound: float) -> bool:
        """Return whether a budget keeps a request out for now.

        Raises:
            BudgetExceededError: it is spent, or nothing may pass it.
        """
        if account.settled >= account.spent_from:
            raise refusals.budget_exceeded(account)
        lease = account.lease
        if lease is None or self._is_cut_off():
            if account.settled + account.reserved + bound <= account.top:
                return False
            waits = account.open > 0
        else:
            if bound <= lease.room:
                return False
            if lease.is_spent(self._clock()):
                raise refusals.budget_exceeded(account)
            waits = True
        if self._is_strict():
            if account.settled + bound > account.top:
                raise refusals.might_not_fit(account, bound)
            return True
        return waits

    def _check_rates(self, account: Account, tokens: int) -> None:
        window, parallel = account.window, account.max_parallel
        if window is not None:
            now = self._clock()
            window.roll(now)
            if window.rpm is not None and window.refuses_request():
                raise refusals.over_limit(
                    account,
                    window.rpm,
                    window.requests,
                    refusals.REQUESTS,
                    window.seconds_left(now),
                )
            if window.tpm is not None and window.refuses_tokens(tokens):
                used = window.tokens + window.held
                raise refusals.over_limit(
                    account, window.tpm, used, refusals.TOKENS, window.seconds_left(now)
                )
        if parallel is not None and account.open >= parallel:
            raise refusals.over_limit(
                account, parallel, account.open, refusals.PARALLEL, refusals.RETRY_SECONDS
            )

    def _count_tokens(self, accounts: Sequence[Account], tokens: int) -> None:
        for account in accounts:
            if account.window is not None:
                account.window.roll(self._clock())
                account.window.tokens += tokens

    def _take(self, accounts: Sequence[Account], bound: float, tokens: int) -> Reservation:
        held: list[tuple[Window, int]] | tuple[()] = ()
        for account in accounts:
            account.open += 1
            account.reserved += bound
            if account.lease is not None:
                self._take_room(account, account.lease, bound)
            window = account.window
            if window is not None:
                window.roll(self._clock())
                held = [*held, (window, window.take(tokens))]
        return Reservation(self, accounts, bound, held)

    def _take_room(self, account: Account, lease: Lease, bound: float) -> None:
        lease.room -= bound
        lease.last_bound = bound or lease.last_bound
        lease.idle_sweeps = 0
        if lease.room < lease.refill_below and self._want is not None:
            lease.refill_below = 0.0  # once is enough
            self._want(account)

    async def _wait(self, accounts: Sequence[Account], bound: float, tokens: int) -> Reservation:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reservation] = loop.create_future()
        waiter = Waiter(accounts, bound, tokens, next(self._numbers), future)
        timer = loop.call_later(self._wait_seconds, self._give_up, waiter)
        if self._want is not None:
            for account in accounts:
                if account.lease is not None and account.lease.room < bound:
                    self._want(account)
        try:
            return await future
        except asyncio.CancelledError:
            # It may have been admitted in the same turn of the loop in which it was cancelled.
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().release()
            raise
        finally:
            timer.cancel()
            waiter.leave()

    def _answer(self, waiter: Waiter) -> Account | None:
        """Admit or refuse a waiter if its time has come; else return what is in its way."""
        if waiter.future.done():
            return None
        try:
            in_the_way = self._judge(waiter.accounts, waiter.bound, waiter.tokens)
        except GatewayError as refusal:
            waiter.leave()
            waiter.future.set_exception(refusal)
            return None
        if in_the_way is None:
            waiter.leave()
            waiter.future.set_result(self._take(waiter.accounts, waiter.bound, waiter.tokens))
        return in_the_way

    def _give_up(self, waiter: Waiter) -> None:
        in_the_way = self._answer(waiter)
        if in_the_way is not None:
            waiter.leave()
            refusal = refusals.held_by_others(in_the_way, self._wait_seconds)
            waiter.future.set_exception(refusal)

    def _forget_idle(self) -> None:
        now = self._clock()
        for key, account in list(self._accounts.items()):
            if account.is_forgettable(now, self._applied):
                del self._accounts[key]
                self._by_snapshot.pop(id(account.entity), None)
        self._forget_beyond = max(MOST_IDLE_ACCOUNTS, 2 * len(self._accounts))


def _is_full(account: Account) -> bool:
    """Return whether nobody can be admitted or refused, so that looking at them is no use."""
    return (
        account.lease is None
        and account.open > 0
        and account.settled < account.spent_from
        and account.settled + account.reserved >= account.top
    )
