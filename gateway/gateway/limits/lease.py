"""What a gateway asks for, and is granted, of a budget that it shares with others."""

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
"""Requests that a grant must be beyond what is wanted, for the budget to count as ample."""

FRESH_SECONDS = 1.0
"""So long a budget that was spent counts as spent without being asked for again."""


class Purpose(Enum):
    """What an account asks for."""

    ADMIT = auto()  # somebody waits
    REFILL = auto()  # somebody will come soon
    GIVE_BACK = auto()


@dataclass(frozen=True, slots=True)
class Ask:
    """What an account holds, and wants more.

    Attributes:
        kind, id: whose budget it is.
        budget: US dollars.
        may_pass: whether one request may pass the budget, when nobody else is under way.
        holds: US dollars for requests that are under way, and for those that may still be let in.
        costs: US dollars that were journaled and may not be in the database.
        upto: position of the last of these; -1 for none.
        first: US dollars that the first who waits needs; 0 for nobody.
        wanted: what all need who wait.
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
    """An answer.

    Attributes:
        granted: US dollars more that may be spent.
        spent: US dollars that the database has as spent.
        elsewhere: US dollars that other gateways hold.
    """

    granted: float
    spent: float
    elsewhere: float


class Lease:
    """One account's part of a budget that is shared. All sums are US dollars.

    `room + reserved`, and what was settled since the last call, is never more than the account's
    row in the database says: room is taken back before that is told, and added once it is granted.

    Attributes:
        room: what may still be reserved without asking.
        refill_below: with less room more is asked for.
        is_ample: whether the last grant was more than anybody wanted.
        idle_sweeps: how often it was seen since it was used.
        lock: held while an answer is waited for.
        spent_at: when its budget was seen to be spent, by the clock of the limits.
        told: what the row says is held; NaN for what a call without an answer has left there.
    """

    __slots__ = (
        "idle_sweeps",
        "is_ample",
        "last_bound",
        "lock",
        "refill_below",
        "room",
        "spent_at",
        "told",
    )

    def __init__(self) -> None:
        self.room = 0.0
        self.refill_below = 0.0
        self.is_ample = False
        self.idle_sweeps = 0
        self.lock = asyncio.Lock()
        self.last_bound = 0.0
        self.spent_at = -math.inf
        self.told = 0.0

    def ask(self, account: Account, applied: int, purpose: Purpose, *, may_pass: bool) -> Ask:
        """Return what to tell and to ask for; without REFILL no room is left until the answer.

        Args:
            account: whose lease it is.
            applied: how far the journal is known to be in the database.
            purpose: why it is asked.
            may_pass: whether one request may pass the budget.
        """
        self.room = max(0.0, self.room) if purpose is Purpose.REFILL else 0.0
        waiting = [each.bound for each in account.waiting]
        first = wanted = 0.0
        if purpose is Purpose.ADMIT and waiting:
            first, wanted = waiting[0], sum(waiting)
        elif purpose is Purpose.REFILL:
            first = wanted = self.last_bound
        left = [(at, cost) for at, cost in account.costs if at > applied]
        return Ask(
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

    def take(self, ask: Ask, grant: Grant, spent_from: float, now: float) -> None:
        """Take in an answer."""
        self.room += grant.granted
        self.told = ask.holds + grant.granted
        if ask.first:
            self.is_ample = grant.granted > ask.wanted + AMPLE * ask.first
            self.refill_below = grant.granted / 2 if self.is_ample else 0.0
        self.spent_at = now if grant.spent >= spent_from else -math.inf

    def is_spent(self, now: float) -> bool:
        """Return whether the budget was seen to be spent a moment ago."""
        return now - self.spent_at < FRESH_SECONDS
