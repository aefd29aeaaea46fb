"""Databases go from LiteLLM's own migrations to ours and back, and nothing in them is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.stack import Stack

MIGRATIONS = 220

# What LiteLLM's proxy does at its start (proxy_cli.py), with the engine of our image: by default
# `prisma migrate deploy`; with --use_prisma_db_push `prisma db push`, which leaves no history.
THEIRS = """
import os, sys
from gateway.database.url import database_url
from gateway.database.prisma_cli import engine_variables
from gateway.config.settings import load_settings
settings = load_settings()
os.environ.update(engine_variables(settings.prisma_engine_dir))
os.environ.update(DATABASE_URL=database_url(settings), HOME="/tmp", COLUMNS="1000")
from litellm_proxy_extras.utils import ProxyExtrasDBManager
sys.exit(0 if ProxyExtrasDBManager.setup_database(use_migrate=sys.argv[1] == "deploy") else 1)
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Stack]:
    """Yield a stack of which only Postgres runs."""
    with Stack() as running:
        running.compose("up", "--detach", "--no-build", "--wait", "postgres")
        yield running


@pytest.fixture(autouse=True)
def _empty(database: Stack) -> None:
    """Each test begins with an empty database of the gateway's."""
    database.sql("DROP SCHEMA public CASCADE")
    database.sql("CREATE SCHEMA public")


def theirs(stack: Stack, how: str) -> str:
    """Set the database up as LiteLLM does; return what it said."""
    once = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "python", "migrate")
    done = stack.compose(*once, "-c", THEIRS, how)
    return str(done.stdout + done.stderr)


def ours(stack: Stack) -> str:
    """Run the stack's own migrate; return what it said."""
    done = stack.compose("run", "--rm", "--no-deps", "--no-TTY", "migrate")
    return str(done.stdout + done.stderr)


def keep_a_row(stack: Stack) -> None:
    """Put a budget into the database."""
    stack.sql(
        'INSERT INTO "LiteLLM_BudgetTable" (budget_id, max_budget, created_by, updated_by)'
        " VALUES ('Ärger & ß', 7.25, 'a', 'a')"
    )


def kept(stack: Stack) -> list[tuple[str, float]]:
    """Return the budgets in the database."""
    rows = stack.sql('SELECT budget_id, max_budget FROM "LiteLLM_BudgetTable"')
    return [(row["budget_id"], row["max_budget"]) for row in rows]


def history(stack: Stack) -> list[tuple[str, str]]:
    """Return each migration that Prisma counts as applied, with its checksum."""
    rows = stack.sql(
        "SELECT migration_name, checksum FROM _prisma_migrations"
        " WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name"
    )
    return [(row["migration_name"], row["checksum"]) for row in rows]


@pytest.mark.parametrize(
    ("how", "said"), [("deploy", "database is current"), ("push", "took over a database")]
)
def test_a_database_that_litellm_made_is_taken_over(database: Stack, how: str, said: str) -> None:
    """With its history or without one: rows stay, and LiteLLM finds nothing to do afterwards."""
    theirs(database, how)
    keep_a_row(database)

    told = ours(database)

    assert said in told
    assert kept(database) == [("Ärger & ß", 7.25)]
    assert len(history(database)) == MIGRATIONS
    assert "No pending migrations to apply" in theirs(database, "deploy")
    assert kept(database) == [("Ärger & ß", 7.25)]


def test_a_database_that_our_migrate_made_is_litellms(database: Stack) -> None:
    """LiteLLM's own setup finds every migration applied, changes nothing and keeps the rows."""
    ours(database)
    keep_a_row(database)
    before = history(database)

    told = theirs(database, "deploy")

    assert "No pending migrations to apply" in told
    assert len(before) == MIGRATIONS
    assert history(database) == before
    assert kept(database) == [("Ärger & ß", 7.25)]
