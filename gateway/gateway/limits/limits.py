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
    from gateway.limits.lease import Grant, Lease, LeaseRequest, Purpose
    from gateway.limits.window import Window

LOG = logging.getLogger(__name__)

FOLD_SECONDS = 30.0
"""A cost that has been in the database this long is in every snapshot that may still arrive."""

MAX_IDLE_ACCOUNTS = 10_000
"""From this many accounts on, idle ones without limits are forgotten.

Any caller can make up end users, so their number has no bound.
"""


def _never() -> bool:
    return False


def _whole(limit: int) -> int:
    return limit


class Limits:
    """The budgets and limits of all callers.

    Each request reserves an upper bound of its cost in every budget that it is charged to.
    - A request that fits beside what is spent and reserved is admitted.
    - A request that does not fit is admitted anyway if no other request is under way and the
      budget is not spent. So a budget is exceeded by less than one request, and its last cents can
      be used.
    - A request whose budget is spent is refused.
    - A request that is kept out only by requests under way waits for them, `wait_seconds` at most.
    All of a request's entities are checked together, and a waiting request holds nothing, so no two
    requests can wait for each other. After every change, waiting requests are checked in the order
    in which they came, and before any new one. A request that fits is not held up by an earlier one
    that does not.

    Limits of requests and tokens a minute and of parallel requests refuse at once, as in LiteLLM.
    A request that costs nothing (`bound` 0) is not held to budgets, as in LiteLLM.

    Args:
        clock: a monotonic clock, in seconds.
        wait_seconds: the longest wait for requests under way. Requests that do not limit their
            answers have large bounds. They use up a small budget a few at a time, and so have to
            wait for each other.
        refuse_what_might_not_fit: returns whether, at the moment, no request may exceed a budget:
            with DATABASE_DOWN_POLICY=refuse while the database is away.
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
        self._journal = ""  # the id of this gateway's journal, taken from the first cost
        self._applied = -1
        self._foldable = -1
        self._applied_at: deque[tuple[float, int]] = deque()
        self._forget_beyond = MAX_IDLE_ACCOUNTS
        self._part: Callable[[int], int] = _whole
        self._want: Callable[[Account], None] | None = None
        self._is_cut_off = _never

    async def reserve(self, caller: Caller, bound: float, tokens: int) -> Reservation:
        """Admit a request, now or as soon as others have made room.

        Args:
            caller: the caller.
            bound: the most that the request can cost, in US dollars.
            tokens: the most tokens that it can use.

        Raises:
            BudgetExceededError: a budget is spent.
            RateLimitError: a limit is reached, or there was no room within `wait_seconds`.
        """
        accounts = self._accounts_of(caller)
        if caller.is_admin or self._judge(accounts, bound, tokens) is None:
            return self._take(accounts, bound, tokens)
        return await self._wait(accounts, bound, tokens)

    def charge(self, caller: Caller, cost: float, tokens: int, position: Position | None) -> None:
        """Add a cost without a reservation; the arguments are those of `Reservation.settle`."""
        self.book(self._accounts_of(caller), cost, tokens, position)

    def applied(self, position: Position) -> None:
        """Record that the journal is in the database up to a position.

        This changes no sum, because each snapshot says itself how much of the journal it includes.
        It shows which costs every later snapshot includes, so that they can be forgotten.
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
        """Apply, from now on, only this gateway's part of each limit.

        Args:
            part: returns this gateway's part of a limit of requests or tokens a minute, or of
                parallel requests.
        """
        self._part = part
        for account in self._accounts.values():
            account.share_limits(part)

    def share_budgets(
        self, want: Callable[[Account], None] | None, is_cut_off: Callable[[], bool] = _never
    ) -> list[Account]:
        """Share budgets with other gateways from now on, or stop sharing them.

        Args:
            want: called with an account that has too little room. It has the ledger asked for more,
                and `wake` called afterwards. None to stop sharing.
            is_cut_off: returns whether the ledger cannot be asked. Budgets are then checked against
                what this gateway knows.

        Returns:
            Every account with a budget.
        """
        self._want, self._is_cut_off = want, is_cut_off
        for account in self._accounts.values():
            account.share_budget(leases=want is not None)
        return [account for account in self._accounts.values() if account.top < math.inf]

    def ask(self, account: Account, lease: Lease, purpose: Purpose) -> LeaseRequest:
        """Return what to report to the ledger, and ask it for, about an account."""
        return lease.ask(account, self._applied, purpose, may_pass=not self._is_strict())

    def take(self, account: Account, ask: LeaseRequest, grant: Grant) -> None:
        """Apply the ledger's answer, and check the waiting requests."""
        if account.lease is not None:
            account.lease.take(ask, grant, account.spent_from, self._clock())
        self.wake((account,))

    def spend_of(self, kind: Kind, id: str) -> float | None:  # noqa: A002 -- an entity's `id`
        """Return the settled US dollars of an entity; None when it has made no request here."""
        account = self._accounts.get((kind, id))
        return None if account is None else account.settled

    def close(
        self, accounts: Sequence[Account], bound: float, held: Sequence[tuple[Window, int]]
    ) -> None:
        """Remove a reservation from the accounts; called by `Reservation`."""
        for account in accounts:
            account.open -= 1
            if account.lease is not None:
                account.lease.room += bound
            # Without a request under way nothing is reserved, whatever rounding has left over.
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
        """Add what was used to the accounts, and check the waiting requests."""
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
            LOG.warning("a bill of %.6f USD of %s exceeds its bound of %.6f USD", cost, name, bound)
        self.wake(accounts)

    def wake(self, accounts: Sequence[Account]) -> None:
        """Admit the requests that wait for these accounts and now fit; refuse on a spent budget."""
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
        """Return the account of a snapshot not in use, and adopt the snapshot if it is newer."""
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
        """Return an account whose requests under way leave no room; None when the request fits.

        Raises:
            BudgetExceededError, RateLimitError: the request is refused.
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
            BudgetExceededError: the budget is spent, or no request may exceed it at the moment.
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
            lease.refill_below = 0.0  # ask only once
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
        """Admit or refuse a waiting request if possible; else return the account in its way."""
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
        self._forget_beyond = max(MAX_IDLE_ACCOUNTS, 2 * len(self._accounts))


def _is_full(account: Account) -> bool:
    """Return whether no waiting request can be admitted or refused, so none need be checked."""
    return (
        account.lease is None
        and account.open > 0
        and account.settled < account.spent_from
        and account.settled + account.reserved >= account.top
    )
