"""A request that waits for others to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from gateway.limits.account import Account
    from gateway.limits.reservation import Reservation


class Waiter:
    """A place in the queue of every account of a request.

    Attributes:
        accounts: the accounts that the request would be charged to.
        bound: the most that the request can cost, in US dollars.
        tokens: the most tokens that it can use.
        number: grows with each request; waiting requests are checked in this order.
        future: resolved with the reservation or with the refusal.
    """

    __slots__ = ("accounts", "bound", "future", "number", "tokens")

    def __init__(
        self,
        accounts: Sequence[Account],
        bound: float,
        tokens: int,
        number: int,
        future: asyncio.Future[Reservation],
    ) -> None:
        self.accounts = accounts
        self.bound = bound
        self.tokens = tokens
        self.number = number
        self.future = future
        for account in accounts:
            account.waiting[self] = None

    def leave(self) -> None:
        """Leave all queues; a second call does nothing."""
        for account in self.accounts:
            account.waiting.pop(self, None)
