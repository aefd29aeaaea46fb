"""What a gateway requests, and is granted, from a budget that several gateways share."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.access.caller import Kind
    from gateway.limits.account import Account

AMPLE = 4
"""A budget counts as ample if the grant has room for this many requests beyond those wanted."""

FRESH_SECONDS = 1.0
"""How long a budget that was found spent counts as spent before the ledger is asked again."""


class Purpose(Enum):
    """Why the ledger is asked."""

    ADMIT = auto()  # requests wait for room
    REFILL = auto()  # the next requests will soon need room
    GIVE_BACK = auto()  # room was not used


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """What an account holds of a shared budget, and how much more it wants.

    Attributes:
        kind, id: the entity that has the budget.
        budget: US dollars.
        may_pass: whether one request may exceed the budget when no other request is under way.
        holds: US dollars set aside for requests under way and for those still to be admitted.
        costs: US dollars that were journaled and may not be in the database.
        upto: the position of the last of these costs; -1 for none.
        first: US dollars that the first waiting request needs; 0 when none waits.
        wanted: US dollars that all waiting requests need.
    """

    kind: Kind
    id: str
    budget: float
    may_pass: bool
    holds: float
    costs: float
    upto: int
    first: float = 0.0
    wanted: float = 0.0


@dataclass(frozen=True, slots=True)
class Grant:
    """The ledger's answer.

    Attributes:
        granted: US dollars that this gateway may spend in addition.
        spent: US dollars spent, according to the database.
        elsewhere: US dollars that other gateways hold.
    """

    granted: float
    spent: float
    elsewhere: float


class Lease:
    """One account's part of a shared budget. All sums are US dollars.

    The sum of `room`, `reserved` and what was settled since the last call is never more than the
    account's row in the database says. To that end room is taken away before a smaller sum is
    reported to the ledger, and added only after it was granted.

    Attributes:
        room: what may still be reserved without asking the ledger.
        refill_below: when `room` falls below this, the ledger is asked for more.
        is_ample: whether the last grant was clearly more than was wanted; see AMPLE.
        idle_sweeps: how many sweeps have passed since the lease was last used.
        lock: held during a call to the ledger.
        spent_at: when the ledger last reported the budget as spent, by the clock of the limits.
        reported: what the row says is held; NaN while that is unknown, because a call has not been
            answered.
    """

    __slots__ = (
        "idle_sweeps",
        "is_ample",
        "last_bound",
        "lock",
        "refill_below",
        "reported",
        "room",
        "spent_at",
    )

    def __init__(self) -> None:
        self.room = 0.0
        self.refill_below = 0.0
        self.is_ample = False
        self.idle_sweeps = 0
        self.lock = asyncio.Lock()
        self.last_bound = 0.0
        self.spent_at = -math.inf
        self.reported = 0.0

    def ask(
        self, account: Account, applied: int, purpose: Purpose, *, may_pass: bool
    ) -> LeaseRequest:
        """Return what to report to the ledger, and what to ask it for.

        Unless the purpose is REFILL, this takes away all room until the answer.

        Args:
            account: the account that has this lease.
            applied: the position up to which the journal is known to be in the database.
            purpose: why the ledger is asked.
            may_pass: whether one request may exceed the budget.
        """
        self.room = max(0.0, self.room) if purpose is Purpose.REFILL else 0.0
        waiting = [each.bound for each in account.waiting]
        first = wanted = 0.0
        if purpose is Purpose.ADMIT and waiting:
            first, wanted = waiting[0], sum(waiting)
        elif purpose is Purpose.REFILL:
            first = wanted = self.last_bound
        left = [(at, cost) for at, cost in account.costs if at > applied]
        return LeaseRequest(
            account.entity.kind,
            account.entity.id,
            account.entity.max_budget or 0.0,
            may_pass=may_pass and purpose is Purpose.ADMIT,
            holds=account.reserved + self.room,
            costs=math.fsum(cost for _, cost in left),
            upto=max((at for at, _ in left), default=-1),
            first=first,
            wanted=wanted,
        )

    def take(self, ask: LeaseRequest, grant: Grant, spent_from: float, now: float) -> None:
        """Apply the ledger's answer."""
        self.room += grant.granted
        self.reported = ask.holds + grant.granted
        if ask.first:
            self.is_ample = grant.granted > ask.wanted + AMPLE * ask.first
            self.refill_below = grant.granted / 2 if self.is_ample else 0.0
        self.spent_at = now if grant.spent >= spent_from else -math.inf

    def is_spent(self, now: float) -> bool:
        """Return whether the budget was found spent within the last FRESH_SECONDS."""
        return now - self.spent_at < FRESH_SECONDS
