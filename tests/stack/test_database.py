"""Migrations: fresh volumes, second runs, two at once, and one that fails."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.stack import REPOSITORY, Stack

pytestmark = pytest.mark.long

# p@ss w:rd/%é'"$ and a backtick: what breaks URLs, shells, SQL and .env files.
AWKWARD = "p@ss w:rd/%é'\"$`\\"
MIGRATIONS = 220
# One of the few that say CREATE TABLE without IF NOT EXISTS.
FAILS_TWICE = "20260418000000_add_adaptive_router_tables"


def migrate(stack: Stack, **options: bool) -> subprocess.CompletedProcess[str]:
    """Run the init job once, as compose does, and return it finished."""
    return stack.compose("run", "--rm", "--no-TTY", "migrate", **options)


def applied(stack: Stack) -> int:
    """Return how many migrations Prisma's table counts as finished."""
    rows = stack.sql(
        "SELECT count(DISTINCT migration_name) AS n FROM _prisma_migrations"
        " WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL"
    )
    return int(rows[0]["n"])


def test_a_migrated_database_is_left_alone(stack: Stack) -> None:
    """A second run applies nothing and says that the database is current."""
    before = stack.sql("SELECT count(*) AS n, max(started_at) AS latest FROM _prisma_migrations")

    done = migrate(stack)

    assert "current" in done.stdout + done.stderr
    assert applied(stack) == MIGRATIONS
    assert (
        stack.sql("SELECT count(*) AS n, max(started_at) AS latest FROM _prisma_migrations")
        == before
    )


@pytest.fixture(scope="module")
def fresh() -> Iterator[Stack]:
    """Yield a stack of which only Postgres runs, its database empty."""
    with Stack() as stack:
        stack.compose("up", "--detach", "--wait", "postgres")
        yield stack


def test_two_migrations_at_once_are_safe(fresh: Stack) -> None:
    """Two first starts against one empty database: both succeed, each migration once."""
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: migrate(fresh), range(2)))

    assert [each.returncode for each in done] == [0, 0]
    fresh.compose("up", "--detach", "--wait", "gateway")
    rows = fresh.sql("SELECT count(*) AS n FROM _prisma_migrations")
    assert (applied(fresh), rows[0]["n"]) == (MIGRATIONS, MIGRATIONS)


def test_a_failed_migration_stops_the_stack_with_its_name_and_error(fresh: Stack) -> None:
    """The gateway never starts; the log has the migration, the SQL error and what to do."""
    stack = fresh
    migrate(stack)
    stack.compose("rm", "--force", "--stop", "gateway")
    # Forgotten by the history, it is tried again, on a table that exists.
    stack.sql("DELETE FROM _prisma_migrations WHERE migration_name = %s", FAILS_TWICE)

    done = stack.compose("up", "--detach", "--no-build", "gateway", check=False)

    assert done.returncode != 0
    log = stack.logs("migrate")
    assert FAILS_TWICE in log
    assert "already exists" in log
    assert not stack.compose("ps", "--quiet", "gateway").stdout.strip()


def test_the_spend_views_exist(stack: Stack) -> None:
    """LiteLLM's views for spend reports were created and can be read."""
    rows = stack.sql("SELECT viewname FROM pg_views WHERE schemaname = 'public'")
    views = {row["viewname"] for row in rows}

    assert {"LiteLLM_VerificationTokenView", "MonthlyGlobalSpend", "Last30dKeysBySpend"} <= views
    assert stack.sql('SELECT * FROM "MonthlyGlobalSpend" LIMIT 1') is not None


@pytest.fixture
def password_file() -> Iterator[Path]:
    """Yield a file with the awkward password, in the checkout: the engine mounts host paths."""
    state = REPOSITORY / ".state"
    state.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=state, encoding="utf-8") as file:
        file.write(AWKWARD + "\n")
        file.flush()
        path = Path(file.name)
        path.chmod(0o644)
        yield path


@pytest.mark.parametrize("given_as", ["value", "file"])
def test_a_password_may_hold_any_character(
    make_stack: Callable[..., Stack], password_file: Path, given_as: str
) -> None:
    """An awkward password, by value or by file, reaches Postgres, migrate and gateway unharmed."""
    if given_as == "value":
        # compose takes the shell's value as it is: no quoting, no interpolation.
        stack = make_stack(GATEWAY_DB_PASSWORD=AWKWARD, POSTGRES_PASSWORD=AWKWARD + "2")
    else:
        stack = make_stack(GATEWAY_DB_PASSWORD_FILE=str(password_file))

    stack.compose("up", "--detach", "--no-build", "--wait", "gateway")

    assert stack.secret("gateway_db_password") == AWKWARD
    assert applied(stack) == MIGRATIONS


def test_data_checksums_are_on_and_the_gateways_role_is_no_superuser(stack: Stack) -> None:
    """The cluster checks its pages; the gateway may not do what a superuser may."""
    (role,) = stack.sql(
        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = current_user"
    )

    assert stack.sql("SHOW data_checksums") == [{"data_checksums": "on"}]
    assert not any(role.values())
