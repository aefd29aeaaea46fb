"""A request that waits until others have ended."""

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
        accounts: of everybody who would be charged.
        bound: the most that the request may cost, in US dollars.
        tokens: the most that it may use.
        number: grows with each that comes: the order in which they are looked at.
        future: done with the reservation, or with the refusal.
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
        """Leave all queues; once more does nothing."""
        for account in self.accounts:
            account.waiting.pop(self, None)
