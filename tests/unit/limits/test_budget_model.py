"""A budget under any order of requests, journal, database, resets, waiting and leaving.

The model is a database, a journal that is applied to it late, and snapshots that arrive late. It
knows what every account must say; hypothesis looks for an order in which one does not.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.access.caller import Entity, Kind
from gateway.errors import BudgetExceededError
from gateway.limits.limits import Limits
from gateway.limits.reservation import Reservation
from support.long import rounds
from unit.limits.callers import at, caller

Id = tuple[Kind, str]
ANNA, BOB, TEAM = (Kind.KEY, "anna"), (Kind.KEY, "bob"), (Kind.TEAM, "team")
CALLERS: tuple[tuple[Id, ...], ...] = ((ANNA,), (ANNA, TEAM), (BOB, TEAM), (TEAM,))
BUDGETS = {ANNA: 10.0, BOB: 7.0, TEAM: 12.0}
MONEY = st.sampled_from([0.1, 0.3, 1.0, 2.0, 3.3, 5.0, 11.0])
NEARLY = 1e-6


@dataclass(eq=False)
class Asked:
    """A request, from the moment in which it asks."""

    ids: tuple[Id, ...]
    bound: float
    task: asyncio.Task[Reservation]

    @property
    def is_waiting(self) -> bool:
        """Whether it is neither admitted nor refused."""
        return not self.task.done()


@dataclass
class Row:
    """A row of the database."""

    spend: float = 0.0
    budget: float = 0.0


class Budgets(RuleBasedStateMachine):
    """Budgets of two keys and their team."""

    is_alone = True
    """Whether nobody else spends, and no bill is beyond its bound."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.limits = Limits(clock=lambda: 0.0, wait_seconds=1e6)
        self.rows = {id_: Row(budget=budget) for id_, budget in BUDGETS.items()}
        self.journal: list[tuple[tuple[Id, ...], float]] = []
        self.applied = -1
        self.loading: list[dict[Id, Entity]] = []
        self.snapshots = self.read()
        self.seen: dict[Id, Entity] = {}
        self.open: list[Asked] = []
        self.waiting: list[Asked] = []

    def read(self) -> dict[Id, Entity]:
        """Read every row and the journal's position, in one transaction."""
        position = at(self.applied)
        return {
            id_: Entity(*id_, spend=row.spend, position=position, max_budget=row.budget)
            for id_, row in self.rows.items()
        }

    def settled(self, id_: Id) -> float:
        """Return what an account must say: its snapshot, and all that was journaled after it."""
        since = self.journal[self.seen[id_].position.at + 1 :]
        return math.fsum([self.seen[id_].spend, *(cost for ids, cost in since if id_ in ids)])

    def turn(self) -> None:
        """Let every task go on as far as it can, and sort the requests."""
        for _ in range(3):
            self.loop.run_until_complete(asyncio.sleep(0))
        for asked in [each for each in self.waiting if not each.is_waiting]:
            self.waiting.remove(asked)
            if asked.task.exception() is None:
                self.open.append(asked)
            else:
                self.was_refused(asked)

    def was_refused(self, asked: Asked) -> None:
        """Only a spent budget refuses: nobody waits too long here."""
        assert isinstance(asked.task.exception(), BudgetExceededError)
        assert any(
            self.settled(id_) >= self.seen[id_].max_budget * (1 - NEARLY)  # type: ignore[operator]
            for id_ in asked.ids
        )

    @rule(ids=st.sampled_from(CALLERS), bound=MONEY)
    def ask(self, ids: tuple[Id, ...], bound: float) -> None:
        """Somebody asks, with the newest snapshots that arrived."""
        entities = [self.snapshots[id_] for id_ in ids]
        self.seen.update(zip(ids, entities, strict=True))
        task = self.loop.create_task(self.limits.reserve(caller(*entities), bound, 1))
        self.waiting.append(Asked(ids, bound, task))
        self.turn()

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.2, 0.5, 1.0]))
    def settle(self, data: st.DataObject, share: float) -> None:
        """A request ends within its bound; it passes a budget by less than what it cost."""
        asked = data.draw(st.sampled_from(self.open))
        cost = asked.bound * share
        before = {id_: self.settled(id_) for id_ in asked.ids}
        self.end(asked, cost)
        for id_, spent in before.items():
            budget = self.rows[id_].budget
            if spent + cost > budget * (1 + NEARLY) and self.is_alone:
                assert spent < budget

    def end(self, asked: Asked, cost: float) -> None:
        """Journal a cost and settle it, twice: the second time does nothing."""
        self.open.remove(asked)
        self.journal.append((asked.ids, cost))
        for _ in range(2):
            asked.task.result().settle(cost, 1, at(len(self.journal) - 1))
        self.turn()

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """A request ends with nothing produced."""
        asked = data.draw(st.sampled_from(self.open))
        self.open.remove(asked)
        asked.task.result().release()
        asked.task.result().settle(1.0, 1, None)
        self.turn()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """A client that waits goes away."""
        asked = data.draw(st.sampled_from(self.waiting))
        asked.task.cancel()
        self.waiting.remove(asked)
        self.turn()
        assert asked.task.cancelled()

    @precondition(lambda self: self.open and self.waiting)
    @rule(data=st.data())
    def leave_in_the_turn_of_being_admitted(self, data: st.DataObject) -> None:
        """What a request gets in the moment in which its client goes away is given back."""
        asked = data.draw(st.sampled_from(self.open))
        waiter = data.draw(st.sampled_from(self.waiting))
        self.open.remove(asked)
        asked.task.result().release()
        waiter.task.cancel()
        self.waiting.remove(waiter)
        self.turn()
        assert waiter.task.cancelled()

    @precondition(lambda self: self.applied < len(self.journal) - 1)
    @rule(data=st.data(), told=st.booleans())
    def apply(self, data: st.DataObject, *, told: bool) -> None:
        """The applier brings a part of the journal into the database."""
        upto = data.draw(st.integers(self.applied + 1, len(self.journal) - 1))
        for ids, cost in self.journal[self.applied + 1 : upto + 1]:
            for id_ in ids:
                self.rows[id_].spend += cost
        self.applied = upto
        if told:
            self.limits.applied(at(upto))

    @rule(id_=st.sampled_from([ANNA, BOB, TEAM]))
    def reset(self, id_: Id) -> None:
        """A budget starts again."""
        self.rows[id_].spend = 0.0

    @rule()
    def load(self) -> None:
        """The tables are read; the answer is on its way."""
        self.loading.append(self.read())

    @precondition(lambda self: self.loading)
    @rule()
    def arrive(self) -> None:
        """What was read first arrives first."""
        self.snapshots = self.loading.pop(0)

    @invariant()
    def sums_are_right(self) -> None:
        """No cost is missing or counted twice, whatever is applied and known."""
        for id_ in self.seen:
            spent = self.limits.spend_of(*id_)
            assert spent is not None
            assert math.isclose(spent, self.settled(id_), rel_tol=NEARLY, abs_tol=NEARLY)

    @invariant()
    def reservations_are_those_under_way(self) -> None:
        """Each account holds the bounds of the requests under way, and nothing without any."""
        for id_ in self.seen:
            bounds = [asked.bound for asked in self.open if id_ in asked.ids]
            account = self.limits._accounts[id_]
            assert account.open == len(bounds)
            assert math.isclose(account.reserved, sum(bounds), abs_tol=NEARLY)
            assert bounds or account.reserved == 0.0
            if self.is_alone and account.settled + account.reserved > account.top:
                assert len(bounds) <= 1, "only who is alone may pass a budget"
            assert len(account.waiting) == sum(id_ in asked.ids for asked in self.waiting)

    @invariant()
    def nobody_waits_without_need(self) -> None:
        """Who waits is kept out by requests under way, and would be let in without them."""
        for asked in self.waiting:
            accounts = [self.limits._accounts[id_] for id_ in asked.ids]
            assert any(
                each.open and each.settled + each.reserved + asked.bound > each.top
                for each in accounts
            )
            assert all(each.settled < each.spent_from for each in accounts)

    def teardown(self) -> None:
        """When all have ended, nothing is reserved and nobody waits."""
        try:
            while self.open:
                self.open.pop().task.result().release()
                self.turn()
            assert not self.waiting
            for account in self.limits._accounts.values():
                assert (account.open, account.reserved, account.waiting) == (0, 0.0, {})
        finally:
            for asked in self.waiting:
                asked.task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()


class BudgetsAndOthers(Budgets):
    """The same with other gateways, admins, and providers that bill more than they could."""

    is_alone = False

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from([1.5, 4.0]))
    def settle_beyond_the_bound(self, data: st.DataObject, share: float) -> None:
        """A provider bills more than it could; the sums stay right, nothing more is promised."""
        asked = data.draw(st.sampled_from(self.open))
        self.end(asked, asked.bound * share)

    @rule(id_=st.sampled_from([ANNA, BOB, TEAM]), budget=st.sampled_from([0.0, 3.0, 10.0, 20.0]))
    def change_budget(self, id_: Id, budget: float) -> None:
        """An admin changes a budget; a lower one may be passed already."""
        self.rows[id_].budget = budget

    @rule(id_=st.sampled_from([ANNA, BOB, TEAM]), cost=MONEY)
    def spend_elsewhere(self, id_: Id, cost: float) -> None:
        """Another gateway adds to a row."""
        self.rows[id_].spend += cost


SETTINGS = settings(max_examples=rounds(30, long=300), stateful_step_count=40, deadline=None)
Budgets.TestCase.settings = BudgetsAndOthers.TestCase.settings = SETTINGS
TestBudgets = Budgets.TestCase
TestBudgetsAndOthers = BudgetsAndOthers.TestCase
