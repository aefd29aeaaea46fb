"""The background's statements on LiteLLM's own tables, in a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.jobs import backend_key, budget_resets, retention
from gateway.jobs.backend_key import BackendKey, ensure
from gateway.jobs.budget_resets import reset_budgets
from gateway.jobs.election import Job, connect, elected
from gateway.jobs.retention import delete_old_rows
from support.prisma_engine import Database, create_litellm_database, drop_database

NOW = datetime(2026, 11, 27, 20, 6, tzinfo=timezone.utc)  # a Friday
PAST, FUTURE = "2026-11-27 20:00", "2026-11-27 21:00"
DECEMBER, MONDAY = datetime(2026, 12, 1), datetime(2026, 11, 30)  # noqa: DTZ001 -- as stored
KEY = BackendKey("sk-backend-0123456789", 10.0, "30d", ("extraction-model", "explanation-model"))

LINKED = (
    (
        "LiteLLM_OrganizationTable",
        "organization_id, organization_alias, models, created_by, updated_by",
        "'ID', 'o', '{}', 'x', 'x'",
    ),
    ("LiteLLM_OrganizationMembership", "user_id, organization_id", "'u', 'ID'"),
    ("LiteLLM_TeamMembership", "user_id, team_id", "'u', 'ID'"),
    ("LiteLLM_EndUserTable", "user_id", "'ID'"),
    ("LiteLLM_TagTable", "tag_name, models", "'ID', '{}'"),
    ("LiteLLM_ProjectTable", "project_id, models, created_by, updated_by", "'ID', '{}', 'x', 'x'"),
    ("LiteLLM_ModelAccessGroupBudgetTable", "access_group_name", "'ID'"),
)
"""Tables whose rows hang on a budget: columns besides it and spend, and their values."""


@pytest.fixture(scope="module")
def migrated() -> Iterator[Database]:
    """Give a database with LiteLLM's tables."""
    made = create_litellm_database()
    yield made
    drop_database(made)


@pytest.fixture
def tables(migrated: Database) -> Database:
    """Give it with those tables empty that the jobs write."""
    names = (f'"{name}"' for name in sorted({*budget_resets.WRITES, *retention.DELETES}))
    migrated.sql(f"TRUNCATE {', '.join(names)} CASCADE")
    return migrated


def run(database: Database, job: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Return what a job returns that is given a connection."""

    async def _run() -> Any:
        async with await connect(database.url) as connection:
            return await job(connection)

    return asyncio.run(_run())


def reset(database: Database, default: str | None = None) -> int:
    """Start again what is due."""
    done = run(database, lambda connection: reset_budgets(connection, NOW, default))
    assert isinstance(done, int)
    return done


def key(database: Database, token: str, **columns: object) -> None:
    """Make a key that has spent 5 USD."""
    values = {"token": token, "spend": 5.0, **columns}
    names = ", ".join(values)
    places = ", ".join(["%s"] * len(values))
    database.sql(
        f'INSERT INTO "LiteLLM_VerificationToken" ({names}) VALUES ({places})',
        *values.values(),
    )


def keys(database: Database) -> dict[str, tuple[float, datetime | None]]:
    """Return each key's spend and when it starts again."""
    rows = database.sql('SELECT token, spend, budget_reset_at FROM "LiteLLM_VerificationToken"')
    return {row[0]: (row[1], row[2]) for row in rows}


def test_every_column_that_is_named_exists(migrated: Database) -> None:
    """Every column that the jobs read or write exists in LiteLLM's tables."""
    named = [
        *budget_resets.WRITES.items(),
        *budget_resets.READS.items(),
        *backend_key.WRITES.items(),
        *((table, (*columns, age)) for table, (columns, age) in retention.DELETES.items()),
    ]
    there = set(
        migrated.sql("SELECT table_name::text, column_name::text FROM information_schema.columns")
    )

    assert {(table, column) for table, columns in named for column in columns} <= there


def test_keys_are_reset_when_they_are_due(tables: Database) -> None:
    """Keys that are due start again; expired ones and those without a valid period do not."""
    key(tables, "month", budget_duration="30d", budget_reset_at=PAST)
    key(tables, "week", budget_duration="7d", budget_reset_at=PAST)
    key(tables, "later", budget_duration="30d", budget_reset_at=FUTURE)
    key(tables, "once", budget_reset_at=PAST)
    key(tables, "expired", budget_duration="30d", budget_reset_at=PAST, expires=PAST)
    key(tables, "strange", budget_duration="2mo", budget_reset_at=PAST)

    assert reset(tables) == 2

    found = keys(tables)
    assert found["month"] == (0, DECEMBER)
    assert found["week"] == (0, MONDAY)
    assert {name for name, (spend, _) in found.items() if spend == 5.0} == {
        "later",
        "once",
        "expired",
        "strange",
    }
    assert reset(tables) == 0


def test_any_number_of_keys_is_reset(tables: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of due keys starts again, in batches, past those without a valid period."""
    monkeypatch.setattr(budget_resets, "BATCH", 3)
    for number in range(10):
        period = "2mo" if number < 4 else "1d"
        key(tables, f"key-{number}", budget_duration=period, budget_reset_at=PAST)

    assert reset(tables) == 6


def test_teams_and_users_without_a_date_are_due(tables: Database) -> None:
    """Teams and users with a period but no date are due, as LiteLLM may leave the date out."""
    tables.sql(
        'INSERT INTO "LiteLLM_TeamTable" (team_id, spend, budget_duration, admins, members, models)'
        " VALUES ('t', 5, '30d', '{}', '{}', '{}')"
    )
    tables.sql(
        'INSERT INTO "LiteLLM_UserTable" (user_id, spend, budget_duration, models)'
        " VALUES ('u', 5, '7d', '{}'), ('v', 5, NULL, '{}')"
    )

    assert reset(tables) == 2

    assert tables.sql('SELECT spend, budget_reset_at FROM "LiteLLM_TeamTable"') == [(0, DECEMBER)]
    users = tables.sql('SELECT spend, budget_reset_at FROM "LiteLLM_UserTable" ORDER BY user_id')
    assert users == [(0, MONDAY), (5, None)]


def test_a_budget_row_clears_all_that_is_linked_to_it(tables: Database) -> None:
    """A due budget clears the spend of all linked to it, but for keys with their own period."""
    tables.sql(
        'INSERT INTO "LiteLLM_BudgetTable" (budget_id, budget_duration, budget_reset_at,'
        " created_by, updated_by)"
        " VALUES ('due', '30d', %s, 'x', 'x'), ('not', '30d', %s, 'x', 'x')",
        PAST,
        FUTURE,
    )
    tables.sql("INSERT INTO \"LiteLLM_UserTable\" (user_id, models) VALUES ('u', '{}')")
    for budget in ("due", "not"):
        key(tables, f"{budget}-linked", budget_id=budget)
        key(tables, f"{budget}-own", budget_id=budget, budget_duration="7d", budget_reset_at=FUTURE)
        for table, columns, values in LINKED:
            tables.sql(
                f'INSERT INTO "{table}" ({columns}, budget_id, spend)'
                f" VALUES ({values.replace('ID', budget)}, '{budget}', 5)"
            )

    assert reset(tables) == 1

    for table in budget_resets.WRITES:
        if table not in ("LiteLLM_UserTable", "LiteLLM_TeamTable", "LiteLLM_BudgetTable"):
            rows = tables.sql(f'SELECT budget_id, spend FROM "{table}" ORDER BY spend')
            assert (rows[0], rows[-1]) == (("due", 0), ("not", 5)), table
    spent = {name: spend for name, (spend, _) in keys(tables).items()}
    assert spent == {"due-linked": 0, "due-own": 5, "not-linked": 5, "not-own": 5}
    dates = dict(tables.sql('SELECT budget_id, budget_reset_at FROM "LiteLLM_BudgetTable"'))
    assert dates["due"] == DECEMBER


@pytest.mark.parametrize(("default", "left"), [("due", 0), (None, 5)])
def test_end_users_without_a_budget_have_the_default_one(
    tables: Database, default: str | None, left: int
) -> None:
    """An end user without a budget starts again with the default budget, if one is set."""
    tables.sql(
        'INSERT INTO "LiteLLM_BudgetTable" (budget_id, budget_duration, created_by, updated_by)'
        " VALUES ('due', '30d', 'x', 'x')"
    )
    tables.sql("INSERT INTO \"LiteLLM_EndUserTable\" (user_id, spend) VALUES ('e', 5)")

    reset(tables, default)

    assert tables.sql('SELECT spend FROM "LiteLLM_EndUserTable"') == [(left,)]


def spend_logs(database: Database, count: int, started: datetime) -> None:
    """Make rows of requests, each with a tool."""
    stored = started.replace(tzinfo=None)
    database.sql(
        'INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, "startTime", "endTime")'
        " SELECT %s || n, 'acompletion', %s, %s FROM generate_series(1, %s) AS n",
        str(started),
        stored,
        stored,
        count,
    )
    database.sql(
        'INSERT INTO "LiteLLM_SpendLogToolIndex" (request_id, tool_name, start_time)'
        " SELECT %s || n, 'tool', %s FROM generate_series(1, %s) AS n",
        str(started),
        stored,
        count,
    )


def test_rows_older_than_the_retention_go_in_batches(tables: Database) -> None:
    """Rows older than the retention are all deleted from both tables, and no younger ones."""
    spend_logs(tables, 2500, NOW - timedelta(days=90, seconds=1))
    spend_logs(tables, 7, NOW - timedelta(days=90))

    deleted = run(tables, lambda each: delete_old_rows(each, "90d", NOW, pause=0))

    assert (deleted.rows, deleted.is_all) == (5000, True)
    for table in retention.DELETES:
        assert tables.sql(f'SELECT count(*) FROM "{table}"') == [(7,)]


def test_a_run_that_is_out_of_time_leaves_the_rest_to_the_next(
    tables: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retention run that is out of time says so, and has deleted rows of both tables."""
    monkeypatch.setattr(retention, "BATCH", 10)
    spend_logs(tables, 40, NOW - timedelta(days=400))
    seconds = iter(range(1000))  # each look at the clock is a second later

    deleted = run(
        tables,
        lambda each: delete_old_rows(
            each, "1d", NOW, seconds=9, pause=0, clock=lambda: next(seconds)
        ),
    )

    assert (deleted.rows, deleted.is_all) == (40, False)
    for table in retention.DELETES:
        assert tables.sql(f'SELECT count(*) FROM "{table}"') == [(20,)]


def test_one_gateway_at_a_time_does_a_job(tables: Database) -> None:
    """One gateway at a time is elected for a job, and each job has a lock of its own."""

    async def go() -> list[bool]:
        async with elected(tables.url, Job.RETENTION) as first:
            async with elected(tables.url, Job.RETENTION) as second:
                pass
            async with elected(tables.url, Job.BUDGET_RESETS) as other:
                pass
        async with elected(tables.url, Job.RETENTION) as later:
            return [first, second, other, later]

    assert asyncio.run(go()) == [True, False, True, True]


def test_the_backends_key_is_the_row_that_litellm_would_make(tables: Database) -> None:
    """The backend's key is the same row that LiteLLM's `/key/generate` would write."""
    assert run(tables, lambda each: ensure(each, KEY, NOW)) == "created, 10 USD each 30d"

    rows = tables.sql('SELECT row_to_json(t) FROM "LiteLLM_VerificationToken" AS t')
    assert len(rows) == 1
    row = {
        name: value for name, value in rows[0][0].items() if value not in (None, {}, [], 0, False)
    }
    assert row == {
        "token": KEY.token,
        "key_name": "sk-...6789",
        "key_alias": "backend-stub",
        "key_type": "default",
        "models": ["extraction-model", "explanation-model"],
        "max_budget": 10,
        "budget_duration": "30d",
        "budget_reset_at": "2026-12-01T00:00:00",
        "created_at": "2026-11-27T20:06:00",
        "created_by": "default_user_id",
        "updated_at": "2026-11-27T20:06:00",
        "updated_by": "default_user_id",
    }


def test_the_backends_key_follows_the_settings_and_keeps_its_spend(tables: Database) -> None:
    """The backend's key follows changed settings and keeps its spend."""
    run(tables, lambda each: ensure(each, KEY, NOW))
    tables.sql('UPDATE "LiteLLM_VerificationToken" SET spend = 3')
    later = NOW + timedelta(days=40)

    assert run(tables, lambda each: ensure(each, KEY, later)).startswith("ready")
    changed = BackendKey(KEY.value, 5.0, "30d", KEY.models[:1])
    assert run(tables, lambda each: ensure(each, changed, later)).startswith("updated")
    assert keys(tables) == {KEY.token: (3, DECEMBER)}
    weekly = BackendKey(KEY.value, 5.0, "7d", KEY.models)
    run(tables, lambda each: ensure(each, weekly, NOW))
    assert keys(tables) == {KEY.token: (3, MONDAY)}


def test_a_changed_secret_replaces_the_backends_key(tables: Database) -> None:
    """A changed secret replaces the backend's key and leaves every other key alone."""
    key(tables, "another", key_alias="anna")
    run(tables, lambda each: ensure(each, KEY, NOW))
    new = BackendKey("sk-backend-9876543210", 10.0, "30d", KEY.models)

    assert run(tables, lambda each: ensure(each, new, NOW)).startswith("created")

    assert set(keys(tables)) == {"another", new.token}


def test_two_gateways_that_start_at_once_make_one_key(tables: Database) -> None:
    """Five gateways that start at once make one backend key between them."""

    async def start() -> str:
        async with await connect(tables.url) as connection:
            return await ensure(connection, KEY, NOW)

    async def both() -> list[str]:
        return sorted(await asyncio.gather(*(start() for _ in range(5))))

    done = asyncio.run(both())

    assert [each.partition(",")[0] for each in done] == ["created", *["ready"] * 4]
