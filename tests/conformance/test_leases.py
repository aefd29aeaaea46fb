"""One budget over several gateways: exact, whatever is killed, lost, repeated or late."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg
import pytest

from gateway.access.caller import Caller, Entity, Kind, Position
from gateway.access.database import Database as Connections
from gateway.access.database import DatabaseAwayError
from gateway.errors import BudgetExceededError
from gateway.limits.limits import Limits
from gateway.limits.reservation import Reservation
from gateway.replicas import lease_ledger, tables
from gateway.replicas.leases import Leases, ledger
from gateway.replicas.sharing import ALONE_SECONDS, Sharing
from support.long import rounds
from support.prisma_engine import Database

SEEDS = rounds(20, long=200)
ROUNDS = 250
BOUNDS = (0.25, 1.0, 2.0, 3.5)
NEARLY = 1e-6

KEY_SPEND = 'UPDATE "LiteLLM_VerificationToken" SET spend = spend + %s WHERE token = %s'
TEAM_SPEND = 'UPDATE "LiteLLM_TeamTable" SET spend = spend + %s WHERE team_id = %s'
POSITION = """
INSERT INTO gateway_data.journal_position (journal, at) VALUES (%s, %s)
ON CONFLICT (journal) DO UPDATE SET at = excluded.at
"""


@dataclass(eq=False)
class Asked:
    """A request.

    Attributes:
        whose: the entities that it is charged to.
        bound: US dollars.
        task: ends with its reservation, or its refusal.
    """

    whose: tuple[str, ...]
    bound: float
    task: asyncio.Task[Reservation]


class Unsure:
    """The database as one gateway reaches it: calls and answers are lost, late, or come twice."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers = True
        self.fails = True
        self.late: list[tuple[str, Mapping[str, Any]]] = []

    async def fetch(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement, as well as it goes; meanwhile the others go on."""
        if statement != lease_ledger.LEASE or not self.fails:
            return self.world.run(statement, values)
        await self.world.wait()
        draw = self.world.random.random()
        if draw < 0.06:
            raise DatabaseAwayError("it never arrived")
        if draw < 0.12:
            self.late.append((statement, values))
            raise DatabaseAwayError("it arrives after the next ones")
        rows = self.world.run(statement, values)
        await self.world.wait()
        if draw < 0.18:
            raise DatabaseAwayError("the answer was lost")
        if draw < 0.24:
            rows = self.world.run(statement, values)
        return rows


class Gateway:
    """A gateway's limits, its journal and its part of the ledger."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.id = secrets.token_hex(6)
        self.database = Unsure(world)
        self.limits = Limits(clock=lambda: world.now, wait_seconds=1e6)
        connections = cast("Connections", self.database)
        self.leases = Leases(self.limits, ledger(connections, self.id), lambda: False)
        self.leases.start = lambda: None  # type: ignore[method-assign] # the test says when
        self.sharing = Sharing(connections, self.leases, self.id, clock=lambda: world.now)
        self.journal: list[tuple[tuple[str, ...], float]] = []
        self.applied = -1
        self.asked: list[Asked] = []
        self.talks: list[asyncio.Task[None]] = []
        self.entities: dict[str, Entity] = {}

    @property
    def open(self) -> list[Asked]:
        """Requests that were let in."""
        return [each for each in self.asked if each.task.done()]

    def poll(self) -> None:
        """Read the spend of everybody, with this journal's position."""
        for name, (kind, budget) in self.world.purses.items():
            spend = self.world.spend(name)
            self.entities[name] = Entity(
                kind, name, spend=spend, position=Position(self.id, self.applied), max_budget=budget
            )


@dataclass
class World:
    """Gateways of one database, and what everybody has spent in truth."""

    database: Database
    random: random.Random
    connection: psycopg.Connection[Any]
    now: float = 1000.0
    gateways: list[Gateway] = field(default_factory=list)
    dead: list[Gateway] = field(default_factory=list)
    purses: dict[str, tuple[Kind, float]] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    def run(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement, which commits by itself."""
        return self.connection.execute(statement.encode(), values).fetchall()

    def spend(self, name: str) -> float:
        """Return what the database has."""
        kind, _ = self.purses[name]
        table, column = (
            ("LiteLLM_VerificationToken", "token")
            if kind is Kind.KEY
            else ("LiteLLM_TeamTable", "team_id")
        )
        ((found,),) = self.run(f'SELECT spend FROM "{table}" WHERE {column} = %(n)s', {"n": name})
        return float(found)

    async def wait(self) -> None:
        """Let some steps pass."""
        for _ in range(self.random.choice([0, 0, 2, 10, 30])):
            await asyncio.sleep(0)

    async def turn(self) -> None:
        """Let every task go on as far as it can; who was refused had a reason."""
        for _ in range(4):
            await asyncio.sleep(0)
        for gateway in self.gateways:
            for asked in gateway.open:
                if asked.task.exception() is not None:
                    gateway.asked.remove(asked)
                    self.was_refused(asked)

    def was_refused(self, asked: Asked) -> None:
        """Only a spent budget refuses: nobody waits too long here."""
        assert isinstance(asked.task.exception(), BudgetExceededError)
        assert any(self.is_spent(name) for name in asked.whose), (self.spent, self.purses)

    def is_spent(self, name: str) -> bool:
        """Return whether nothing is left of a budget."""
        return self.spent[name] >= self.purses[name][1] * (1 - NEARLY)

    def check(self) -> None:
        """What is spent and under way fits, or one request alone passes the budget."""
        for name, (_, budget) in self.purses.items():
            open_bounds = [
                asked.bound
                for gateway in self.gateways
                for asked in gateway.open
                if name in asked.whose
            ]
            total = self.spent[name] + sum(open_bounds)
            if open_bounds and total > budget * (1 + NEARLY):
                assert len(open_bounds) == 1, (name, self.spent[name], open_bounds, budget)
                assert self.spent[name] < budget

    async def join(self) -> Gateway:
        """Start a gateway; before it serves, all that live know of it."""
        gateway = Gateway(self)
        self.run(tables.JOIN, {"id": gateway.id, "predecessor": "", "host": "here"})
        await gateway.sharing.join()
        self.gateways.append(gateway)
        while True:
            for each in self.gateways:
                await self.follow(each)
            await self.follow(gateway)
            if gateway.sharing.is_complete:
                break
        gateway.poll()
        return gateway

    async def follow(self, gateway: Gateway) -> None:
        """See who is there, until that has succeeded."""
        while True:
            with contextlib.suppress(DatabaseAwayError):
                await gateway.sharing.follow()
                return

    def ask(self, gateway: Gateway, whose: tuple[str, ...], bound: float) -> None:
        """Somebody asks."""
        caller = Caller(entities=tuple(gateway.entities[name] for name in whose))
        task = asyncio.ensure_future(gateway.limits.reserve(caller, bound, 1))
        gateway.asked.append(Asked(whose, bound, task))

    def end(self, gateway: Gateway, asked: Asked, cost: float) -> None:
        """A request ends: journaled and settled, or released for nothing."""
        gateway.asked.remove(asked)
        if not cost:
            asked.task.result().release()
            return
        for name in asked.whose:
            self.spent[name] += cost
        gateway.journal.append((asked.whose, cost))
        asked.task.result().settle(cost, 1, Position(gateway.id, len(gateway.journal) - 1))

    def apply(self, gateway: Gateway, upto: int) -> None:
        """Bring a journal into the database."""
        with self.connection.transaction():
            for whose, cost in gateway.journal[gateway.applied + 1 : upto + 1]:
                for name in whose:
                    kind, _ = self.purses[name]
                    statement = KEY_SPEND if kind is Kind.KEY else TEAM_SPEND
                    self.connection.execute(statement.encode(), [cost, name])
            self.connection.execute(POSITION.encode(), [gateway.id, upto])
        gateway.applied = upto

    async def kill(self, gateway: Gateway) -> None:
        """What is under way is gone, and never journaled; the journal stays."""
        self.gateways.remove(gateway)
        self.dead.append(gateway)
        tasks = [*(asked.task for asked in gateway.asked), *gateway.talks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def take_over(self, dead: Gateway, by: Gateway) -> None:
        """Apply a dead one's journal, all of it, and forget it."""
        self.dead.remove(dead)
        self.apply(dead, len(dead.journal) - 1)
        by.sharing.remove_replica(dead.id)
        await self.follow(by)

    def ledger(self, gateway: Gateway, what: Callable[[], Awaitable[None]]) -> None:
        """Have a gateway talk to the ledger, while the others go on."""

        async def talk() -> None:
            with contextlib.suppress(DatabaseAwayError):
                await what()

        gateway.talks.append(asyncio.ensure_future(talk()))


async def step(world: World) -> None:
    """Do one thing."""
    gateway = world.random.choice(world.gateways)
    world.now += world.random.choice([0.0, 0.1, 1.5])
    (what,) = world.random.choices(tuple(STEPS), tuple(STEPS.values()))
    await what(world, gateway)


async def somebody_asks(world: World, gateway: Gateway) -> None:
    """A request comes."""
    key, other, team = world.purses
    whose = world.random.choice([(key,), (key, team), (other, team), (team,)])
    world.ask(gateway, whose, world.random.choice(BOUNDS))


async def works(world: World, gateway: Gateway) -> None:
    """Room is asked for."""
    world.ledger(gateway, gateway.leases.work)


async def sweeps(world: World, gateway: Gateway) -> None:
    """Room is given back."""
    world.ledger(gateway, gateway.leases.sweep)


async def answers(world: World, gateway: Gateway) -> None:
    """A request ends."""
    if gateway.open:
        asked = world.random.choice(gateway.open)
        share = world.random.choice([0.0, 0.01, 0.1, 0.5, 1.0])
        world.end(gateway, asked, asked.bound * share)


async def applies(world: World, gateway: Gateway) -> None:
    """A part of a journal comes into the database, and the gateway may hear of it."""
    if gateway.applied < len(gateway.journal) - 1:
        upto = world.random.randint(gateway.applied + 1, len(gateway.journal) - 1)
        world.apply(gateway, upto)
        if world.random.random() < 0.7:
            gateway.limits.applied(Position(gateway.id, upto))


async def looks(_: World, gateway: Gateway) -> None:
    """The spend of everybody is read."""
    gateway.poll()


async def comes_late(world: World, gateway: Gateway) -> None:
    """A call that was given up arrives."""
    if gateway.database.late:
        world.run(*gateway.database.late.pop())


async def time_goes_by(world: World, _: Gateway) -> None:
    """So much that who is alone knows it."""
    world.now += ALONE_SECONDS
    for each in world.gateways:
        each.poll()
        await world.follow(each)


async def dies(world: World, gateway: Gateway) -> None:
    """A gateway is killed."""
    if len(world.gateways) > 1:
        await world.kill(gateway)


async def is_taken_over(world: World, gateway: Gateway) -> None:
    """A killed one's journal is applied."""
    if world.dead:
        await world.take_over(world.random.choice(world.dead), gateway)


async def joins(world: World, _: Gateway) -> None:
    """One more starts."""
    if len(world.gateways) < 3:
        await world.join()


STEPS: dict[Callable[[World, Gateway], Awaitable[None]], float] = {
    somebody_asks: 30,
    works: 20,
    sweeps: 8,
    answers: 20,
    applies: 8,
    looks: 4,
    comes_late: 3,
    time_goes_by: 2,
    dies: 1.5,
    is_taken_over: 1.5,
    joins: 3,
}
"""What may happen, and how often compared with the others."""


async def finish(world: World) -> None:
    """Let all end; then the budget is there to its end, for whoever asks."""
    for dead in list(world.dead):
        await world.take_over(dead, world.gateways[0])
    key = next(iter(world.purses))
    gateway = world.gateways[0]
    for _ in range(300):
        for each in world.gateways:
            await settle_down(world, each)
        world.now += 2.0
        await world.turn()
        world.check()
        if world.is_spent(key) and not any(each.asked for each in world.gateways):
            return
        if not gateway.asked:
            gateway.poll()
            world.ask(gateway, (key,), 1.0)
            await world.turn()
    raise AssertionError(f"there is money left, and nobody gets it: {world.spent}")


async def settle_down(world: World, gateway: Gateway) -> None:
    """End what is under way, apply it, and let the ledger be asked."""
    await asyncio.gather(*gateway.talks)
    gateway.talks.clear()
    gateway.database.fails = False
    while gateway.database.late:
        world.run(*gateway.database.late.pop())
    for asked in gateway.open:
        world.end(gateway, asked, asked.bound)
    world.apply(gateway, len(gateway.journal) - 1)
    gateway.limits.applied(Position(gateway.id, gateway.applied))
    await world.follow(gateway)
    for account in gateway.limits._accounts.values():
        if account.waiting:
            gateway.leases.want(account)
    await gateway.leases.work()
    await gateway.leases.sweep()


@contextlib.contextmanager
def world_of(database: Database, seed: int) -> Iterator[World]:
    """Yield a world without gateways: a key with a budget, another one's, and their team."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("DELETE FROM gateway_data.replica")
        world = World(database, random.Random(seed), connection)
        name = secrets.token_hex(4)
        world.purses = {
            f"key-{name}": (Kind.KEY, 30.0),
            f"other-{name}": (Kind.KEY, 1e6),
            f"team-{name}": (Kind.TEAM, 60.0),
        }
        world.spent = dict.fromkeys(world.purses, 0.0)
        for purse, (kind, _) in world.purses.items():
            if kind is Kind.KEY:
                database.sql('INSERT INTO "LiteLLM_VerificationToken" (token) VALUES (%s)', purse)
            else:
                database.sql('INSERT INTO "LiteLLM_TeamTable" (team_id) VALUES (%s)', purse)
        yield world


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_shared_budget_is_passed_by_less_than_one_request(
    migrated: Database, seed: int
) -> None:
    """Whatever fails, a shared budget is overrun by less than one request and can be used up."""
    with world_of(migrated, seed) as world:
        for _ in range(1 + seed % 2):
            await world.join()
        for _ in range(ROUNDS):
            await step(world)
            await world.turn()
            world.check()
        await finish(world)


async def test_what_is_under_way_when_a_second_one_comes_counts(migrated: Database) -> None:
    """Requests under way at the first gateway count against a budget when a second one joins."""
    with world_of(migrated, 0) as world:
        key = next(iter(world.purses))
        first = await world.join()
        for _ in range(8):
            world.ask(first, (key,), 3.0)
        await world.turn()
        second = await world.join()
        for _ in range(10):
            world.ask(second, (key,), 3.0)
        await world.turn()
        second.database.fails = False
        for _ in range(10):
            for account in second.limits._accounts.values():
                second.leases.want(account)
            await second.leases.work()
            await world.turn()

        assert len(first.open) == 8
        assert len(second.open) == 2
        for gateway in list(world.gateways):
            await world.kill(gateway)
