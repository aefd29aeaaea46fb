"""What is known about one key, team, user …: its spend, and its requests under way."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from gateway.limits.lease import Lease
from gateway.limits.refusals import SCOPES
from gateway.limits.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.access.caller import Entity
    from gateway.limits.waiter import Waiter

PRECISION = 1e-9
"""The share of a budget that is ignored, because sums of floating-point numbers are not exact."""


class Account:
    """The spend of one entity, kept exact between two reads of the database.

    `settled` is the spend of a snapshot plus the costs that this gateway has journaled since: those
    whose position is later than the snapshot's. A snapshot says how much of the journal it
    includes. So `settled` is exact, in whatever order costs are applied and snapshots are read.

    A snapshot that names no journal, or another one, cannot say which of this gateway's costs it
    includes. When it is first seen, costs that are not known to be applied count as missing from
    it, and all others as included. It is better to count a cost twice for a moment than to let a
    budget leak.

    Attributes:
        entity: the newest snapshot seen.
        replaced: the snapshot before it, which requests that began earlier may still bring.
        settled: US dollars spent, as far as they are known.
        reserved: US dollars, the sum of the bounds of the requests under way.
        open: how many requests are under way.
        costs: journaled costs that a later snapshot may not include: position, US dollars.
        waiting: requests that wait for room, in the order in which they came.
        spent_from: the spend from which the budget counts as spent; infinite without a budget.
        top: what spend and reservations may reach together; infinite without a budget.
        max_parallel: this gateway's part of the limit of requests at once; None for no limit.
        window: the current minute; None when nothing is limited by the minute.
        is_unlimited: whether the entity has no budget or limit that could refuse a request.
        lease: this gateway's part of a budget that several gateways share; None for an unshared
            budget.
        header: the prefix of the entity's response headers.
    """

    __slots__ = (
        "_part",
        "costs",
        "entity",
        "header",
        "is_unlimited",
        "lease",
        "leases",
        "max_parallel",
        "open",
        "replaced",
        "reserved",
        "settled",
        "spent_from",
        "top",
        "waiting",
        "window",
    )

    def __init__(self, entity: Entity, part: Callable[[int], int], *, leases: bool) -> None:
        self._part = part
        self.leases = leases  # whether a budget, if there is one, is shared with other gateways
        self.lease: Lease | None = None
        self.settled = entity.spend
        self.reserved = 0.0
        self.open = 0
        self.costs: deque[tuple[int, float]] = deque()
        self.waiting: dict[Waiter, None] = {}
        self.replaced: Entity | None = None
        self.window: Window | None = None
        self.header = f"x-ratelimit-{SCOPES[entity.kind]}"
        self._read(entity)

    def is_news(self, entity: Entity) -> bool:
        """Return whether a snapshot is newer than the one in use."""
        if entity is self.entity or entity is self.replaced:
            return False
        now, then = entity.position, self.entity.position
        return now.journal != then.journal or now.at >= then.at

    def adopt(self, entity: Entity, journal: str, applied: int) -> None:
        """Replace the snapshot in use with a newer one.

        Args:
            entity: the newer snapshot.
            journal: the id of this gateway's journal, to which `costs` belong.
            applied: the position up to which this journal is known to be in the database.
        """
        position = entity.position
        included = position.at if position.journal == journal else applied
        self.settled = math.fsum(
            (entity.spend, *(cost for at, cost in self.costs if at > included))
        )
        self.replaced = self.entity
        self._read(entity)

    def fold(self, applied: int) -> None:
        """Forget the journaled costs up to a position that every later snapshot includes."""
        costs = self.costs
        while costs and costs[0][0] <= applied:
            costs.popleft()

    def is_forgettable(self, now: float, applied: int) -> bool:
        """Return whether a new account would be as good as this one."""
        return (
            self.top == math.inf
            and not self.open
            and not self.waiting
            and (self.window is None or self.window.is_idle(now))
            and all(at <= applied for at, _ in self.costs)
        )

    def _read(self, entity: Entity) -> None:
        self.entity = entity
        budget = entity.max_budget
        # LiteLLM takes NaN and infinity for no budget, too (auth_checks.py, GHSA-2rv4-xv66-fpjg).
        has_budget = budget is not None and math.isfinite(budget)
        self.top = budget * (1 + PRECISION) if budget is not None and has_budget else math.inf
        self.spent_from = (
            budget * (1 - PRECISION) if budget is not None and has_budget else math.inf
        )
        self.share_limits(self._part)
        self.share_budget(leases=self.leases)
        self.is_unlimited = not has_budget and self.window is None and entity.max_parallel is None

    def share_budget(self, *, leases: bool) -> None:
        """Share the budget with other gateways from now on, or stop sharing it."""
        self.leases = leases
        if not leases or self.top == math.inf:
            self.lease = None
        elif self.lease is None:
            self.lease = Lease()
        else:
            self.lease.spent_at = -math.inf  # the new snapshot may have a different budget

    def share_limits(self, part: Callable[[int], int]) -> None:
        """Apply this gateway's part of the limits by the minute and of parallel requests."""
        entity, self._part = self.entity, part
        self.max_parallel = None if entity.max_parallel is None else part(entity.max_parallel)
        if entity.rpm is None and entity.tpm is None:
            self.window = None
            return
        self.window = window = self.window or Window()
        window.rpm = None if entity.rpm is None else part(entity.rpm)
        window.tpm = None if entity.tpm is None else part(entity.tpm)
