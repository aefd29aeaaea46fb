"""Callers of a real database: read in one snapshot, and fresh within a second of any change."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from gateway.access.access import Access
from gateway.access.caller import Caller, Kind
from gateway.access.changes import POLL_SECONDS, Changes
from gateway.access.statements import POSITION_TABLE
from gateway.config.deployment import Deployment, Models, Protocol
from gateway.database import triggers
from gateway.errors import AuthenticationError, GatewayError, PermissionDeniedError
from gateway.journal import statements
from gateway.journal.tables import create_tables
from support.prisma_engine import Database

MODELS = Models(
    tuple(
        Deployment(id=name, alias=name, provider="openai", model=name, protocol=Protocol.OPENAI)
        for name in ("small", "large")
    )
)
SECOND = 1.0
LOOK = 5.0
"""Seconds: two between two looks, and what a busy machine adds."""


BOOK = f"""
WITH spent AS (UPDATE "LiteLLM_VerificationToken" SET spend = %s WHERE token = %s)
INSERT INTO {POSITION_TABLE} AS p (journal, at) VALUES (%s, 1)
ON CONFLICT (journal) DO UPDATE SET at = p.at + 1
"""


@pytest.fixture
def told(client_database: Database) -> Iterator[Database]:
    """Yield LiteLLM's database with the triggers."""
    with psycopg.connect(client_database.url, autocommit=True) as connection:
        triggers.create_triggers(connection)
        yield client_database
        connection.execute(f"DROP SCHEMA {triggers.SCHEMA} CASCADE".encode())


class People:
    """Rows of one test's own, by names that no other test has."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.secret = f"sk-{secrets.token_hex(8)}"
        self.token = hashlib.sha256(self.secret.encode()).hexdigest()
        name = secrets.token_hex(4)
        self.user, self.team, self.organization = f"u-{name}", f"t-{name}", f"o-{name}"
        self.end_user, self.budget = f"e-{name}", f"b-{name}"

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement."""
        return self._database.sql(statement, *values)

    def insert(self, table: str, **columns: object) -> None:
        """Insert a row."""
        names = ", ".join(f'"{name}"' for name in columns)
        places = ", ".join(["%s"] * len(columns))
        self.sql(f'INSERT INTO "{table}" ({names}) VALUES ({places})', *columns.values())

    def add_budget(self, name: str, **columns: object) -> str:
        """Make a budget and return its id."""
        identity = f"{self.budget}-{name}"
        self.insert("LiteLLM_BudgetTable", budget_id=identity, created_by="x", updated_by="x",
                    **columns)  # fmt: skip
        return identity

    def add_all(self) -> None:
        """Make a key with everything that can stand behind one."""
        default = self.add_budget("default", max_budget=9.0)
        self.insert("LiteLLM_OrganizationTable", organization_id=self.organization,
                    organization_alias="o", budget_id=self.add_budget("o", max_budget=5.0),
                    spend=0.5, created_by="x", updated_by="x")  # fmt: skip
        ((aliases,),) = self.sql(
            'INSERT INTO "LiteLLM_ModelTable" (aliases, created_by, updated_by)'
            " VALUES (%s, 'x', 'x') RETURNING id",
            Jsonb({"ours": "large"}),
        )
        self.insert("LiteLLM_TeamTable", team_id=self.team, team_alias="Team", spend=0.4,
                    organization_id=self.organization, max_budget=4.0, model_id=aliases,
                    metadata=Jsonb({"team_member_budget_id": default}))  # fmt: skip
        self.insert("LiteLLM_UserTable", user_id=self.user, spend=0.2, rpm_limit=7)
        self.insert("LiteLLM_TeamMembership", team_id=self.team, user_id=self.user, spend=0.3)
        self.insert("LiteLLM_OrganizationMembership", organization_id=self.organization,
                    user_id=self.user, spend=0.6)  # fmt: skip
        self.insert("LiteLLM_VerificationToken", token=self.token, key_alias="one", spend=0.1,
                    user_id=self.user, team_id=self.team, max_parallel_requests=3,
                    budget_id=self.add_budget("key", max_budget=1.0, tpm_limit=8))  # fmt: skip

    def add_key(self, **columns: object) -> None:
        """Make the key alone."""
        self.insert("LiteLLM_VerificationToken", token=self.token, **columns)


@pytest.fixture
def people(client_database: Database) -> People:
    """Return names for one test."""
    return People(client_database)


@asynccontextmanager
async def access_to(url: str, **more: Any) -> AsyncIterator[Access]:
    """Yield an Access that has started."""
    access = Access(MODELS, "sk-master", url, policy="serve", **more)
    await access.start()
    try:
        yield access
    finally:
        await access.close()


async def soon(probe: Callable[[], Awaitable[bool]], what: str, seconds: float = SECOND) -> None:
    """Poll until something is true."""
    end = time.monotonic() + seconds
    while not await probe():
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        await asyncio.sleep(0.01)


def charged(caller: Caller) -> dict[Kind, tuple[str, float, float | None]]:
    """Return id, spend and budget of each entity."""
    return {each.kind: (each.id, each.spend, each.max_budget) for each in caller.entities}


async def test_everything_behind_a_key_is_read(told: Database, people: People) -> None:
    """A key is read with the spends, budgets, limits and names of seven kinds of rows."""
    people.add_all()
    people.insert("LiteLLM_EndUserTable", user_id=people.end_user, spend=0.7,
                  budget_id=people.add_budget("e", max_budget=7.0))  # fmt: skip

    async with access_to(told.url) as access:
        caller = await access.identify(people.secret, end_user=people.end_user)
        assert charged(caller) == {
            Kind.KEY: (people.token, 0.1, 1.0),
            Kind.TEAM: (people.team, 0.4, 4.0),
            Kind.TEAM_MEMBER: (f"{people.team}::{people.user}", 0.3, 9.0),
            Kind.USER: (people.user, 0.2, None),
            Kind.ORGANIZATION: (people.organization, 0.5, 5.0),
            Kind.ORGANIZATION_MEMBER: (f"{people.organization}::{people.user}", 0.6, None),
            Kind.END_USER: (people.end_user, 0.7, 7.0),
        }
        assert caller.entities[0].tpm == 8
        assert caller.entities[0].max_parallel == 3
        assert (caller.team_alias, caller.litellm_only) == ("Team", ())
        assert access.resolve(caller, "ours") == "large"


CHANGES = {
    "key": ('UPDATE "LiteLLM_VerificationToken" SET max_budget = 2 WHERE token = %s', "token"),
    "budget": ('UPDATE "LiteLLM_BudgetTable" SET max_budget = 2 WHERE budget_id = %s || \'-key\'',
               "budget"),
    "team": ('UPDATE "LiteLLM_TeamTable" SET max_budget = 2 WHERE team_id = %s', "team"),
    "user": ('UPDATE "LiteLLM_UserTable" SET rpm_limit = 2 WHERE user_id = %s', "user"),
    "member": ('DELETE FROM "LiteLLM_TeamMembership" WHERE user_id = %s', "user"),
    "organization": ('UPDATE "LiteLLM_OrganizationTable" SET spend = 0 WHERE organization_id = %s',
                     "organization"),
    "reset of a key": ('UPDATE "LiteLLM_VerificationToken" SET spend = 0 WHERE token = %s',
                       "token"),
    "aliases": (
        'UPDATE "LiteLLM_TeamTable" SET model_id = NULL WHERE team_id = %s',
        "team",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_seen_within_a_second(
    told: Database, people: People, change: str
) -> None:
    """A change to any row behind a key is seen within a second."""
    people.add_all()
    statement, name = CHANGES[change]

    async with access_to(told.url) as access:
        before = await access.identify(people.secret)
        people.sql(statement, getattr(people, name))

        async def differs() -> bool:
            return await access.identify(people.secret) != before

        await soon(differs, "the change is seen")


async def test_a_key_that_is_made_blocked_and_deleted(told: Database, people: People) -> None:
    """A key that is made, blocked or deleted is treated as such within a second."""
    async with access_to(told.url) as access:

        async def status() -> int:
            try:
                await access.identify(people.secret)
            except GatewayError as error:
                return 0 if "blocked" in error.message else error.status
            return 200

        assert await status() == 401
        people.add_key()
        await soon(lambda: _is(status, 200), "known")
        people.sql(
            'UPDATE "LiteLLM_VerificationToken" SET blocked = true WHERE token = %s',
            people.token,
        )
        await soon(lambda: _is(status, 0), "blocked")
        people.sql('DELETE FROM "LiteLLM_VerificationToken" WHERE token = %s', people.token)
        await soon(lambda: _is(status, 401), "unknown")


async def _is(status: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await status() == wanted


async def test_a_rotated_key_is_known_for_its_grace(told: Database, people: People) -> None:
    """A rotated key counts as its successor until its grace period ends, and is then unknown."""
    people.add_key(key_alias="new")
    old = f"sk-{secrets.token_hex(8)}"
    hashed = hashlib.sha256(old.encode()).hexdigest()
    people.sql(
        'INSERT INTO "LiteLLM_DeprecatedVerificationToken" (id, token, active_token_id, revoke_at)'
        " VALUES (%s, %s, %s, now() AT TIME ZONE 'UTC' + interval '1 second')",
        hashed[:8], hashed, people.token,
    )  # fmt: skip

    async with access_to(told.url) as access:
        assert (await access.identify(old)).key_hash == people.token

        async def gone() -> bool:
            try:
                await access.identify(old)
            except AuthenticationError:
                return True
            return False

        await soon(gone, "the grace is over", seconds=1 + SECOND)


async def test_an_end_user_is_blocked_and_limited_within_a_second(
    told: Database, people: People
) -> None:
    """An end user who had no row when first seen can be blocked within a second."""
    people.add_key()

    async with access_to(told.url) as access:
        caller = await access.identify(people.secret, end_user=people.end_user)
        assert charged(caller)[Kind.END_USER] == (people.end_user, 0.0, None)
        people.insert("LiteLLM_EndUserTable", user_id=people.end_user, blocked=True)

        async def is_blocked() -> bool:
            try:
                await access.identify(people.secret, end_user=people.end_user)
            except PermissionDeniedError:
                return True
            return False

        await soon(is_blocked, "the end user is blocked")


def test_a_chat_tells_nobody(told: Database, people: People) -> None:
    """Rising spend and newer timestamps send no notification, while a reset sends one."""
    people.add_all()
    with psycopg.connect(told.url, autocommit=True) as listening:
        listening.execute(f"LISTEN {triggers.CHANNEL}".encode())
        people.sql(
            'UPDATE "LiteLLM_VerificationToken" SET spend = spend + 1, total_spend = 5,'
            " last_active = now(), updated_at = now() WHERE token = %s",
            people.token,
        )
        people.sql('UPDATE "LiteLLM_TeamTable" SET spend = spend + 1, updated_at = now()'
                   " WHERE team_id = %s", people.team)  # fmt: skip
        people.sql('UPDATE "LiteLLM_TeamMembership" SET spend = 2 WHERE team_id = %s', people.team)
        assert not list(listening.notifies(timeout=0.2))

        people.sql('UPDATE "LiteLLM_TeamTable" SET spend = 0 WHERE team_id = %s', people.team)

        (told_of,) = listening.notifies(timeout=SECOND, stop_after=1)
        assert told_of.payload == f'["team", "{people.team}"]'


def test_a_transaction_that_adds_spend_compares_no_row(told: Database, people: People) -> None:
    """A transaction of the journal sends no notification; the session's next one does."""
    people.add_all()
    block = 'UPDATE "LiteLLM_TeamTable" SET blocked = NOT blocked WHERE team_id = %s'
    with (
        psycopg.connect(told.url, autocommit=True) as listening,
        psycopg.connect(told.url, autocommit=True) as writing,
    ):
        listening.execute(f"LISTEN {triggers.CHANNEL}".encode())
        with writing.transaction():
            writing.execute(statements.SETTINGS)
            writing.execute(block, [people.team])
        assert not list(listening.notifies(timeout=0.2))

        writing.execute(block, [people.team])

        (told_of,) = listening.notifies(timeout=SECOND, stop_after=1)
        assert told_of.payload == f'["team", "{people.team}"]'


def change_is_looked_for(database: Database, people: People) -> None:
    """Change a key, and wait until a gateway that nobody tells has seen it."""
    people.add_key()

    async def main() -> None:
        async with access_to(database.url) as access:
            before = await access.identify(people.secret)
            people.sql(
                'UPDATE "LiteLLM_VerificationToken" SET max_budget = 2 WHERE token = %s',
                people.token,
            )

            async def differs() -> bool:
                return await access.identify(people.secret) != before

            await soon(differs, "the change is seen", seconds=LOOK)

    asyncio.run(main())


def test_without_triggers_changes_are_looked_for(client_database: Database, people: People) -> None:
    """Without triggers, a change to a key is still seen within a few seconds."""
    change_is_looked_for(client_database, people)


def test_where_notifications_do_not_pass_changes_are_looked_for(
    told: Database, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no notification gets through, a change to a key is still seen within seconds."""

    async def send_nowhere(changes: Changes) -> None:
        changes._sent_at = time.monotonic()

    monkeypatch.setattr(Changes, "_send", send_nowhere)
    # What the triggers send must not arrive either.
    monkeypatch.setattr(Changes, "_dispatch", lambda *_: None)

    change_is_looked_for(told, people)


async def test_connections_that_are_cut_cost_no_request_and_no_change(
    told: Database, people: People
) -> None:
    """A change made while the gateway's connections were cut is seen once they are back."""
    people.add_key()

    async with access_to(told.url) as access:
        before = await access.identify(people.secret)
        people.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'gateway-access' AND datname = current_database()"
        )
        people.sql(
            'UPDATE "LiteLLM_VerificationToken" SET max_budget = 2 WHERE token = %s',
            people.token,
        )

        async def differs() -> bool:
            return await access.identify(people.secret) != before

        await soon(differs, "the change is seen", seconds=LOOK)
        assert access.reasons() == []


def test_the_journals_position_comes_with_the_spend(told: Database, people: People) -> None:
    """A key's spend comes with the position of the gateway's own journal, or else with -1."""
    people.add_key()
    schema = POSITION_TABLE.partition(".")[0]

    async def position() -> int:
        async with access_to(told.url, journal_id="mine") as access:
            caller = await access.identify(people.secret)
            assert caller.entities[0].position.journal == "mine"
            return caller.entities[0].position.at

    assert asyncio.run(position()) == -1
    people.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    people.sql(f"CREATE TABLE {POSITION_TABLE} (journal text PRIMARY KEY, at bigint)")
    try:
        assert asyncio.run(position()) == -1
        people.sql(f"INSERT INTO {POSITION_TABLE} VALUES ('mine', 41), ('another', 42)")
        assert asyncio.run(position()) == 41
    finally:
        people.sql(f"DROP TABLE {POSITION_TABLE}")


def test_what_other_gateways_spend_is_known_within_seconds(told: Database, people: People) -> None:
    """What other gateways spend is known within seconds; a gateway's own costs reread nothing."""
    people.add_key(spend=0.25)
    with psycopg.connect(told.url, autocommit=True) as connection:
        create_tables(connection)

    def book(journal: str, spend: float) -> None:
        people.sql(BOOK, spend, people.token, journal)

    async def main() -> None:
        async with access_to(told.url, journal_id="mine") as access:

            async def spend() -> float:
                return (await access.identify(people.secret)).entities[0].spend

            assert await spend() == 0.25
            before = await access.identify(people.secret)
            book("mine", 0.5)
            await asyncio.sleep(2 * POLL_SECONDS)
            assert await access.identify(people.secret) is before
            for theirs in (0.75, 1.0):
                book("theirs", theirs)

                async def is_known(theirs: float = theirs) -> bool:
                    return await spend() == theirs

                await soon(is_known, "what the other has spent", LOOK)

    try:
        asyncio.run(main())
    finally:
        people.sql(f"DROP TABLE {POSITION_TABLE}")


async def test_a_tag_with_a_budget_is_litellms_within_a_second(
    told: Database, people: People
) -> None:
    """A key is sent to LiteLLM within a second of its tag getting a budget."""
    tag = f"tag-{people.user}"
    people.add_key(metadata=Jsonb({"tags": [tag]}))

    async with access_to(told.url) as access:
        assert (await access.identify(people.secret)).litellm_only == ()
        people.insert("LiteLLM_TagTable", tag_name=tag,
                      budget_id=people.add_budget("tag", max_budget=1.0))  # fmt: skip

        async def is_beyond() -> bool:
            return bool((await access.identify(people.secret)).litellm_only)

        await soon(is_beyond, "the tag's budget is known")
        assert tag in access.budgeted_tags


def test_triggers_are_made_once_and_hold_no_migration_up(told: Database) -> None:
    """Triggers are made once, and do not keep a migration from changing columns under them."""
    with psycopg.connect(told.url, autocommit=True) as connection:
        assert not triggers.create_triggers(connection)
        with connection.transaction(force_rollback=True):
            for change in (
                "ALTER COLUMN spend TYPE numeric",
                "ALTER COLUMN tag_name TYPE varchar(200)",
                "DROP COLUMN budget_id",
            ):
                connection.execute(f'ALTER TABLE "LiteLLM_TagTable" {change}'.encode())
        connection.execute('DROP TRIGGER gateway_access_row ON "LiteLLM_TagTable"')
        assert not triggers.are_current(connection)
        assert triggers.create_triggers(connection)
        assert triggers.are_current(connection)


def test_tables_without_a_schema_still_go_where_they_did(told: Database) -> None:
    """Tables that name no schema still go to `public`, and not to the gateway's schema."""
    with psycopg.connect(told.url, autocommit=True) as connection:
        names = connection.execute("SELECT current_schema(), current_user").fetchone()
    assert names is not None
    assert names[0] == "public"
    assert triggers.SCHEMA != "gateway"
