"""Gateways of one database: who lives, and what they share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import psycopg
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from gateway.access.access import Access
from gateway.access.caller import Caller, Entity, Kind
from gateway.config.deployment import Deployment, Models
from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.database import triggers
from gateway.errors import RateLimitError
from gateway.journal.spend_journal import SpendJournal
from gateway.limits.limits import Limits
from gateway.replicas import connections, tables
from gateway.replicas.join import join_others
from gateway.replicas.replicas import Replicas
from gateway.routing.deployments import CLOCK
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.router import Router
from gateway.routing.settings import FailoverSettings
from gateway.routing.tracked import TrackedDeployment
from support.prisma_engine import Database
from unit.routing.fakes import ERROR, LIMITED, deployment, routing

SECOND = 1.0
MORE = 1.0
"""Seconds that a busy machine may add."""

AWAY = Failure(FailureKind.UNREACHABLE)
DEPLOYMENT = deployment("first", base="http://127.0.0.1:9", key="sk-of-the-provider")


@pytest.fixture(params=["heard", "looked for"])
def database(migrated: Database, request: pytest.FixtureRequest) -> Database:
    """Return a database of no gateway, whose notifications are heard or not."""
    function = f"{triggers.SCHEMA}.tell_of_change()"
    with psycopg.connect(migrated.url, autocommit=True) as connection:
        connection.execute("DELETE FROM gateway_data.replica")
        connection.execute("DELETE FROM gateway_data.cooldown")
        if request.param == "heard":
            triggers.create_triggers(connection)
        else:
            connection.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE".encode())
    return migrated


@dataclass
class Journal:
    """As much of a journal as tells gateways apart."""

    journal_id: str
    predecessor: str = ""


@dataclass
class Gateway:
    """What of a gateway knows the others."""

    id: str
    router: Router
    limits: Limits
    replicas: Replicas

    @property
    def first(self) -> TrackedDeployment:
        """Its deployment."""
        return next(iter(self.router.deployments))

    @property
    def in_cooldown(self) -> bool:
        """Whether that is not asked."""
        return self.first.state.in_cooldown

    def fails(self, failure: Failure) -> None:
        """Have an attempt end so."""
        self.router.deployments.record_failure(self.first, failure, CLOCK())


@asynccontextmanager
async def gateway(
    database: Database, of: Deployment = DEPLOYMENT, predecessor: str = "", *, leaves: bool = True
) -> AsyncIterator[Gateway]:
    """Yield a gateway that has started; one that does not leave ends as by a kill."""
    journal = Journal(secrets.token_hex(8), predecessor)
    access = Access(Models((of,)), "sk-master", database.url, policy="serve")
    limits = Limits()
    await access.start()
    async with routing(of, settings=FailoverSettings(allowed_fails=0)) as made:
        replicas = join_others(
            access, cast("SpendJournal", journal), made.router, limits, "sk-master"
        )
        assert replicas is not None
        await replicas.start()
        yield Gateway(journal.journal_id, made.router, limits, replicas)
        if not leaves:
            await access.close()
        await replicas.close()
        await access.close()


async def soon(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so, a second at most."""
    end = CLOCK() + SECOND + MORE
    while not is_so():
        assert CLOCK() < end, f"after a second still not: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def two(
    database: Database, of: Deployment = DEPLOYMENT, other: Deployment | None = None
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Yield two gateways that know of each other."""
    async with gateway(database, of) as one, gateway(database, other or of) as another:
        await soon(lambda: one.replicas.place.count == 2, "the first knows of the second")
        assert another.replicas.place.count == 2
        yield one, another


async def test_a_cooldown_and_its_end_are_known_to_all(database: Database) -> None:
    """A cooldown, its reason and its end are known to all gateways within a second."""
    async with two(database) as (one, another):
        one.fails(LIMITED)
        await soon(lambda: another.in_cooldown, "the other has it in cooldown")
        assert 25 < another.first.state.retry_in(CLOCK()) <= 30
        assert another.first.reason is FailureKind.LIMITED

        another.first.state.not_before = 0.0
        another.router.deployments.record_health_check(another.first, healthy=True)
        await soon(lambda: not one.in_cooldown, "the first knows that it is back")

        another.fails(ERROR)
        await soon(lambda: one.in_cooldown, "the first has it in cooldown")
        one.router.deployments.record_success(one.first, CLOCK())
        await soon(lambda: not another.in_cooldown, "the other knows that it is back")
    assert database.sql("SELECT * FROM gateway_data.cooldown") == []


async def test_who_comes_later_knows_too(database: Database) -> None:
    """A gateway that starts later learns of a cooldown that began before its start."""
    async with gateway(database) as one:
        one.fails(LIMITED)
        async with gateway(database) as another:
            await soon(lambda: another.in_cooldown, "the second has it in cooldown")


async def test_what_was_missed_while_disconnected_is_read(database: Database) -> None:
    """A gateway whose connections were cut reads the cooldowns that it missed."""
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"

    async with two(database) as (one, another):
        database.sql(cut, "gateway-access")
        one.fails(LIMITED)
        await soon(lambda: another.in_cooldown, "the other has read it")


async def test_what_another_cannot_reach_is_checked_first(database: Database) -> None:
    """A gateway checks for itself a deployment that another gateway cannot reach."""

    async def answer(_: web.BaseRequest) -> web.Response:
        asked.set()
        return web.json_response({})

    asked = asyncio.Event()
    async with RawTestServer(answer) as server:
        alive = replace(DEPLOYMENT, base=f"http://127.0.0.1:{server.port}")
        async with two(database, alive) as (one, another):
            one.fails(AWAY)
            await asyncio.wait_for(asked.wait(), SECOND + MORE)
            await soon(lambda: not one.in_cooldown, "the first has checked as well")
            assert not another.in_cooldown
    async with two(database, alive) as (one, another):
        one.fails(AWAY)
        await soon(lambda: another.in_cooldown, "the other cannot reach it either")


async def test_a_gateway_with_another_key_is_not_told(database: Database) -> None:
    """A refused key starts no cooldown where another key is used, and is not stored."""
    async with two(database, other=replace(DEPLOYMENT, key="sk-new")) as (one, another):
        one.fails(Failure(FailureKind.UNAUTHORISED, 401))
        count = "SELECT 1 FROM gateway_data.cooldown"
        await soon(lambda: database.sql(count) == [(1,)], "the first has told")
        await another.replicas.beat()
        assert not another.in_cooldown
    told = database.sql("SELECT deployment FROM gateway_data.cooldown")
    assert "sk-" not in str(told)


async def test_a_restart_forgets_cooldowns_as_it_always_did(database: Database) -> None:
    """A gateway that starts again, even after a kill, has no cooldowns."""
    async with two(database) as (one, another):
        one.fails(LIMITED)
        await soon(lambda: another.in_cooldown, "the other has it in cooldown")
    async with gateway(database, leaves=False) as killed:
        assert not killed.in_cooldown
    async with gateway(database, leaves=False, predecessor=killed.id) as again:
        assert again.replicas.place.count == 1
        assert not again.in_cooldown


def admitted(limits: Limits, entity: Entity, most: int = 20) -> int:
    """Return how many of some simultaneous requests are let in."""

    async def ask() -> int:
        count = 0
        for _ in range(most):
            try:
                await limits.reserve(Caller(entities=(entity,)), 0.0, 10)
            except RateLimitError:
                break
            count += 1
        return count

    coroutine = ask()
    try:
        coroutine.send(None)
    except StopIteration as end:
        return int(end.value)
    raise AssertionError("limits refuse at once")


@pytest.mark.parametrize("limit", ["rpm", "max_parallel"])
async def test_limits_are_shared_and_whole_again_when_alone(database: Database, limit: str) -> None:
    """Two gateways share a limit, and one that is left alone has all of it again."""
    numbers = iter(range(100))

    def entity() -> Entity:
        return Entity(Kind.KEY, f"{next(numbers)}", **cast("dict[str, Any]", {limit: 7}))

    async with gateway(database) as one:
        assert admitted(one.limits, entity()) == 7
        async with gateway(database, leaves=False) as another:
            await soon(lambda: one.replicas.place.count == 2, "the first knows the second")
            key = entity()
            assert admitted(one.limits, key) + admitted(another.limits, key) == 7
        silent = f"{tables.ALIVE_SECONDS + 1} s"
        database.sql(
            "UPDATE gateway_data.replica SET beat_at = now() - %s::interval WHERE id = %s",
            silent,
            another.id,
        )
        await one.replicas.beat()
        assert admitted(one.limits, entity()) == 7


def test_each_process_of_a_gateway_needs_connections(
    migrated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes are counted, refused if they do not fit, and wait for who was killed."""
    database = migrated
    settings = load_settings({"GATEWAY_PROCESSES": "10"})
    too_many = load_settings({"GATEWAY_PROCESSES": "25"})
    database.sql("DELETE FROM gateway_data.replica")
    with psycopg.connect(database.url, autocommit=True) as connection:
        connections.check_connections(connection, settings, database.url)
        with pytest.raises(ConfigurationError, match="25 x 4 of gateways"):
            connections.check_connections(connection, too_many, database.url)
        for number in range(9):
            connection.execute("INSERT INTO gateway_data.replica (id) VALUES (%s)", [f"{number}"])
        waited = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            connection.execute("DELETE FROM gateway_data.replica")  # as time would

        monkeypatch.setattr("gateway.replicas.connections.time.sleep", sleep)
        connections.check_connections(connection, settings, database.url)
    assert len(waited) == 1


@pytest.mark.parametrize(("pool", "fits"), [(10, True), (90, False)])
def test_connections_are_counted_before_they_run_out(
    migrated: Database, pool: int, *, fits: bool
) -> None:
    """A second gateway that PostgreSQL has no room for is refused, and says what to change."""
    database = migrated
    settings = load_settings({"DB_POOL_SIZE": f"{pool}", "LITELLM_PROXY_URL": "http://litellm"})
    database.sql("DELETE FROM gateway_data.replica")
    with psycopg.connect(database.url, autocommit=True) as connection:
        connections.check_connections(connection, settings, database.url)
        connection.execute("INSERT INTO gateway_data.replica (id) VALUES ('other')")
        if fits:
            connections.check_connections(connection, settings, database.url)
            return
        with pytest.raises(ConfigurationError, match="2 x 4 of gateways, 90 of LiteLLM's proxy"):
            connections.check_connections(connection, settings, database.url)
        connections.check_connections(connection, settings, f"{database.url}?pgbouncer=true")
