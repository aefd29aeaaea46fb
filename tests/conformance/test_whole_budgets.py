"""Budgets of a whole gateway: both ways in, journal, applier and resets, in any order of events.

The rooms, the journal's files, its applier and the database are real; a provider answers when it is
told to. The model knows what each key and team has to have spent, to the last token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.access.caller import Caller, Kind
from gateway.database.triggers import create_triggers
from gateway.jobs.budget_resets import reset_budgets
from gateway.jobs.election import connect
from gateway.journal.tables import create_tables
from gateway.request import Usage
from support.long import rounds
from support.prisma_engine import Database, create_litellm_database, drop_database
from support.whole_gateway import PRODUCED, TOKEN, Asked, Key, Whole, whole_gateway

SECONDS = 20.0
OK, BAD_REQUEST, OVER_BUDGET = 200, 400, 429
Result = TypeVar("Result")


@dataclass(eq=False)
class Purse:
    """What a key or a team may spend, in tokens.

    Attributes:
        kind: of LiteLLM's tables.
        id: there.
        budget: tokens.
        costs: of the calls that count: since the last reset, or not applied when it came.
        is_strict: whether its budget has to hold: no bill was beyond its bound, and nobody
            lowered it under requests that were let in.
    """

    kind: Kind
    id: str
    budget: int
    costs: dict[str, int] = field(default_factory=dict)
    is_strict: bool = True

    @property
    def spent(self) -> int:
        """Tokens."""
        return sum(self.costs.values())

    @property
    def table(self) -> tuple[str, str]:
        """Its table, and the column of its id."""
        if self.kind is Kind.KEY:
            return "LiteLLM_VerificationToken", "token"
        return "LiteLLM_TeamTable", "team_id"


class World:
    """A gateway, its database, and the one event loop on which all goes on."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.database = database
        self._stack = contextlib.AsyncExitStack()
        entering = self._stack.enter_async_context(whole_gateway(database.url, folder))
        self.gateway: Whole = self.run(entering)
        self.warnings: list[str] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.warnings.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("gateway.limits.limits").addHandler(handler)

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Go on until something is done."""
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, SECONDS))

    def until(self, is_so: Callable[[], bool]) -> None:
        """Go on until something is so."""

        async def wait() -> None:
            while not is_so():  # noqa: ASYNC110 -- what is waited for tells nobody
                await asyncio.sleep(0.001)

        self.run(wait())

    def insert(self, table: str, **columns: object) -> None:
        """Insert a row."""
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        self.database.sql(f'INSERT INTO "{table}" ({names}) VALUES ({places})', *columns.values())

    def close(self) -> None:
        """Stop the gateway."""
        self.run(self._stack.aclose())
        self.loop.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a gateway on a database of LiteLLM's own migrations."""
    made = create_litellm_database()
    with psycopg.connect(made.url, autocommit=True) as connection:
        create_tables(connection)
        create_triggers(connection)
    world = World(made, tmp_path_factory.mktemp("journal"))
    yield world
    world.close()
    drop_database(made)


class Budgets(RuleBasedStateMachine):
    """A key with a budget, and two of a team that has one; one of these has its own, too."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.asked: list[Asked] = []
        self.whose: dict[str, list[Purse]] = {}
        self.paid: dict[str, int] = {}
        self.is_judged_by_old = False  # a row has changed, and nobody has asked since
        self.keys: list[tuple[Key, list[Purse]]] = []
        team = Purse(Kind.TEAM, f"team-{secrets.token_hex(6)}", 700)
        self.add(team)
        for budget, of_team in ((500, False), (400, True), (10_000, True)):
            key = Key()
            own = Purse(Kind.KEY, key.token, budget)
            self.add(own, **({"team_id": team.id} if of_team else {}))
            self.keys.append((key, [own, team] if of_team else [own]))

    @property
    def purses(self) -> list[Purse]:
        """All of them."""
        return list(dict.fromkeys(purse for _, purses in self.keys for purse in purses))

    def add(self, purse: Purse, **columns: object) -> None:
        """Insert a row with a budget that starts again each month."""
        table, column = purse.table
        values = {column: purse.id, "max_budget": purse.budget * TOKEN, "budget_duration": "30d"}
        self.world.insert(table, **values, budget_reset_at="2999-01-01", **columns)

    @property
    def open(self) -> list[Asked]:
        """Requests that a provider answers."""
        calls = self.world.gateway.provider.calls
        return [each for each in self.asked if each.id in calls]

    @property
    def waiting(self) -> list[Asked]:
        """Requests that wait for room."""
        calls = self.world.gateway.provider.calls
        return [each for each in self.asked if each.id not in calls]

    def settle_down(self) -> None:
        """Go on until each request is answered, refused, at the provider, or waits for room."""
        limits = self.world.gateway.gateway._limits

        def is_quiet() -> bool:
            waiting = {each for account in limits._accounts.values() for each in account.waiting}
            return len(waiting) == sum(not each.task.done() for each in self.waiting)

        self.world.until(is_quiet)
        for asked in [each for each in self.asked if each.task.done()]:
            self.asked.remove(asked)
            self.was_refused(asked)

    def was_refused(self, asked: Asked) -> None:
        """Only a budget that is spent, to the last cost, refuses."""
        asked.task.result()
        assert asked.talk.status == OVER_BUDGET, asked.talk.body
        assert asked.talk.error["type"] == "budget_exceeded"
        assert any(purse.spent >= purse.budget for purse in self.whose[asked.id])

    @rule(
        number=st.integers(0, 2),
        most=st.sampled_from([1, 60, 150]),
        stream=st.booleans(),
        by_litellm=st.booleans(),
    )
    def ask(self, number: int, most: int, *, stream: bool, by_litellm: bool) -> None:
        """Somebody asks, in one way or the other."""
        key, purses = self.keys[number]

        async def begin() -> Asked:
            return self.world.gateway.ask(key, most, stream=stream, by_litellm=by_litellm)

        asked = self.world.run(begin())
        self.whose[asked.id] = purses
        self.asked.append(asked)
        self.settle_down()

    def end(self, asked: Asked, usage: Usage | None, cost: int, status: int) -> None:
        """Let a request end, and hold its cost against each budget."""
        for purse in self.whose[asked.id]:
            if purse.is_strict and purse.spent + cost > purse.budget:
                assert purse.spent < purse.budget, "passed by less than one request"
            purse.costs[asked.id] = cost
        self.paid[asked.id] = cost
        told = self.world.gateway.provider.calls.pop(asked.id)
        self.asked.remove(asked)
        if not told.done():
            told.set_result(usage)
        self.world.until(asked.task.done)
        asked.task.result()
        assert asked.talk.status == status, asked.talk.body
        self.settle_down()

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.3, 1.0]))
    def answer(self, data: st.DataObject, share: float) -> None:
        """The provider answers, and bills up to the bound, which is more than the text suggests."""
        asked = data.draw(st.sampled_from(self.open))
        usage = Usage(int(asked.size * share), int(asked.most * share))
        self.end(asked, usage, usage.total, OK)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        """The provider fails: nothing to pay, but of a stream what was produced."""
        asked = data.draw(st.sampled_from(self.open))
        if asked.is_stream:
            self.end(asked, None, PRODUCED.total, OK)
        else:
            self.end(asked, None, 0, BAD_REQUEST)

    @precondition(lambda self: any(each.is_stream for each in self.open))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """A client hangs up in the middle of a stream: what was produced is paid."""
        asked = data.draw(st.sampled_from([each for each in self.open if each.is_stream]))
        self.world.until(lambda: len(asked.talk.sent) > 1)
        asked.talk.leaves.set()
        self.world.until(self.world.gateway.provider.calls[asked.id].cancelled)
        self.end(asked, None, PRODUCED.total, OK)

    @rule()
    def compare(self) -> None:
        """Once all is applied, journal, rows, totals and memory say the same of each cost."""
        world = self.world
        journal = world.gateway.gateway._journal
        assert journal is not None
        world.until(lambda: journal.state().waiting_records == 0)
        for purse in self.purses:
            table, column = purse.table
            statement = f'SELECT spend FROM "{table}" WHERE {column} = %s'
            assert world.database.sql(statement, purse.id) == [(purse.spent * TOKEN,)]
        under_way = {each.id for each in self.asked}
        for call in self.whose.keys() - under_way:
            rows = world.database.sql(
                'SELECT spend FROM "LiteLLM_SpendLogs" WHERE litellm_call_id = %s', call
            )
            paid = self.paid.get(call, 0)
            assert [row[0] for row in rows if row[0]] == ([paid * TOKEN] if paid else [])
        assert self.is_known()
        self.is_judged_by_old = False
        self.settle_down()

    def is_known(self) -> bool:
        """Return whether a request that comes now is held against the exact spend of everybody."""
        limits, access = self.world.gateway.gateway._limits, self.world.gateway.gateway._access
        for key, purses in self.keys:
            caller = self.world.run(access.identify(key.secret))
            self.world.run(limits.reserve(caller, 0.0, 0)).release()
            if any(limits.spend_of(p.kind, p.id) != p.spent * TOKEN for p in purses):
                return False
        return True

    @rule(data=st.data(), somebody_asks=st.booleans())
    def reset(self, data: st.DataObject, *, somebody_asks: bool) -> None:
        """A budget starts again in the middle of all: what is applied is gone, and nothing else."""
        purse = data.draw(st.sampled_from(self.purses))
        before = self.callers()
        applied = self.world.run(self.start_anew(purse))
        if sum(purse.costs.get(call, 0) for call in applied):
            self.hear(purse, before)
        purse.costs = {call: cost for call, cost in purse.costs.items() if call not in applied}
        self.is_judged_by_old = not (somebody_asks and self.is_known())
        self.settle_down()

    async def start_anew(self, purse: Purse) -> set[str]:
        """Reset what is due, and return the calls whose costs the database had just then."""
        table, column = purse.table
        async with await connect(self.world.database.url) as connection, connection.transaction():
            update = f'UPDATE "{table}" SET budget_reset_at = %s WHERE {column} = %s'
            await connection.execute(
                update.encode(), ["2000-01-01", purse.id]
            )  # waits for the applier
            rows = await connection.execute('SELECT litellm_call_id FROM "LiteLLM_SpendLogs"')
            applied = {row[0] for row in await rows.fetchall()}
            assert await reset_budgets(connection, datetime.now(timezone.utc)) == 1
        return applied

    def callers(self) -> list[Caller]:
        """Return what access says of each key."""
        access = self.world.gateway.gateway._access
        return [self.world.run(access.identify(key.secret)) for key, _ in self.keys]

    def hear(self, purse: Purse, before: list[Caller]) -> None:
        """Go on until access has heard of a change; that alone changes no account."""
        number = next(n for n, (_, purses) in enumerate(self.keys) if purse in purses)
        end = time.monotonic() + SECONDS
        while self.callers()[number] is before[number]:
            assert time.monotonic() < end, "the gateway does not hear of it"
            self.world.run(asyncio.sleep(0.005))

    @invariant()
    def nobody_waits_without_need(self) -> None:
        """Who waits is kept out by requests under way, and by no budget that is spent."""
        for asked in () if self.is_judged_by_old else self.waiting:
            assert any(
                purse.spent + sum(each.bound for each in self.open_of(purse)) + asked.bound
                > purse.budget
                and self.open_of(purse)
                for purse in self.whose[asked.id]
            )

    def open_of(self, purse: Purse) -> list[Asked]:
        """Return the requests under way that a purse pays for."""
        return [each for each in self.open if purse in self.whose[each.id]]

    def teardown(self) -> None:
        """When all have ended, everything that was paid is in the books once."""
        while self.asked:
            if self.open:
                self.end(self.open[0], Usage(1, 1), 2, OK)
            self.settle_down()
        self.compare()


class BudgetsAndOthers(Budgets):
    """The same with admins, and providers that bill more than they could."""

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def answer_beyond_the_bound(self, data: st.DataObject) -> None:
        """A bill beyond the bound is booked as it is, and the log says so."""
        asked = data.draw(st.sampled_from(self.open))
        for purse in self.whose[asked.id]:
            purse.is_strict = False
        self.world.warnings.clear()
        usage = Usage(3 * asked.bound, 1)
        self.end(asked, usage, usage.total, OK)
        assert any("exceeds its bound" in each for each in self.world.warnings)

    @rule(data=st.data(), budget=st.sampled_from([0, 200, 500, 1000]))
    def change_budget(self, data: st.DataObject, budget: int) -> None:
        """An admin changes a budget; a lower one may be passed already."""
        purse = data.draw(st.sampled_from(self.purses))
        if budget == purse.budget:
            return
        before = self.callers()
        table, column = purse.table
        update = f'UPDATE "{table}" SET max_budget = %s WHERE {column} = %s'
        self.world.database.sql(update, budget * TOKEN, purse.id)
        self.hear(purse, before)
        purse.is_strict = purse.is_strict and budget >= purse.budget
        purse.budget = budget
        self.is_judged_by_old = True
        self.settle_down()


@pytest.mark.parametrize("machine", [Budgets, BudgetsAndOthers])
def test_budgets_hold_whatever_comes_in_which_order(world: World, machine: type[Budgets]) -> None:
    """In any order of events budgets hold, the books agree, and nobody is refused needlessly."""
    run_state_machine_as_test(lambda: machine(world), settings=SETTINGS)  # type: ignore[arg-type] # as its documentation says


SETTINGS = settings(
    max_examples=rounds(10, long=60),
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    phases=(Phase.reuse, Phase.generate),  # to shrink a failure takes minutes
    suppress_health_check=list(HealthCheck),
)
