"""The real Prisma CLI 5.17 on litellm/prisma-engine's schema engine."""

from __future__ import annotations

import hashlib
import os
import signal
from urllib.parse import quote

import psycopg

from support.prisma_engine import Database, Prisma, url_with
from support.wait import until

LOCK = 72707369


def test_litellms_migrations_are_recorded_as_prisma_does(
    litellm_migrations: Prisma, database: Database
) -> None:
    """An empty database gets all migrations, each finished, with the checksum of its script."""
    deployed = litellm_migrations(database.url, "migrate", "deploy")
    assert deployed.returncode == 0, deployed.stdout
    assert "All migrations have been successfully applied." in deployed.stdout
    wanted = {
        file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (litellm_migrations.folder / "migrations").glob("*/migration.sql")
    }
    recorded = database.sql(
        """SELECT migration_name, checksum FROM _prisma_migrations
        WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL AND applied_steps_count = 1"""
    )
    assert dict(recorded) == wanted
    status = litellm_migrations(database.url, "migrate", "status")
    assert (status.returncode, "Database schema is up to date!" in status.stdout) == (0, True)


def test_a_second_deploy_does_nothing(litellm_migrations: Prisma, database: Database) -> None:
    """With nothing pending the CLI says so, and writes nothing into its table."""
    ledger = "SELECT count(*), max(started_at) FROM _prisma_migrations"
    litellm_migrations(database.url, "migrate", "deploy")
    before = database.sql(ledger)

    again = litellm_migrations(database.url, "migrate", "deploy")

    assert "No pending migrations to apply." in again.stdout
    assert database.sql(ledger) == before


def test_three_first_starts_at_once_all_succeed(
    litellm_migrations: Prisma, database: Database
) -> None:
    """Of three first starts at once, one migrates and the others wait, without a deadlock."""
    running = [litellm_migrations.start(database.url, "migrate", "deploy") for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], outputs
    ledger = database.sql(
        """SELECT count(*), count(DISTINCT migration_name), count(finished_at)
        FROM _prisma_migrations"""
    )[0]
    assert len(set(ledger)) == 1


def test_a_failed_migration_is_named_with_the_error_and_leaves_nothing(
    own_migrations: Prisma, database: Database
) -> None:
    """A failed migration is undone, named with its error at each deploy, and can be resolved."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    own_migrations.add(
        "20240102000000_bad one", "CREATE TABLE b (i int);\nALTER TABLE nowhere ADD COLUMN x int;"
    )
    failed = own_migrations(database.url, "migrate", "deploy")
    assert failed.returncode == 1
    for part in (
        "P3018",
        "Migration name: 20240102000000_bad one",
        "Database error code: 42P01",
        'ERROR: relation "nowhere" does not exist',
    ):
        assert part in failed.stdout
    tables = database.sql("SELECT to_regclass('a') IS NOT NULL, to_regclass('b') IS NULL")
    assert tables == [(True, True)]
    logs = database.sql("SELECT logs FROM _prisma_migrations WHERE finished_at IS NULL")[0][0]
    assert 'relation "nowhere" does not exist' in logs
    again = own_migrations(database.url, "migrate", "deploy")
    assert (again.returncode, "P3009" in again.stdout) == (1, True)
    assert "`20240102000000_bad one`" in again.stdout
    status = own_migrations(database.url, "migrate", "status")
    assert (status.returncode, "Following migration have failed" in status.stdout) == (1, True)
    resolved = own_migrations(
        database.url, "migrate", "resolve", "--rolled-back", "20240102000000_bad one"
    )
    assert resolved.returncode == 0, resolved.stdout
    script = own_migrations.folder / "migrations" / "20240102000000_bad one" / "migration.sql"
    script.write_text("CREATE TABLE b (i int);")
    assert own_migrations(database.url, "migrate", "deploy").returncode == 0


def test_a_function_body_is_not_cut_at_its_semicolons(
    own_migrations: Prisma, database: Database
) -> None:
    """A script goes to Postgres whole, dollar quotes, comments and all."""
    own_migrations.add(
        "20240101000000_function",
        "-- one; two\nCREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n"
        "  PERFORM 1; RETURN 7;\nEND $$;\nCREATE TABLE t (v text DEFAULT 'a;b');",
    )
    deployed = own_migrations(database.url, "migrate", "deploy")
    assert deployed.returncode == 0, deployed.stdout
    assert database.sql("SELECT f()") == [(7,)]


def test_an_existing_database_is_refused_and_can_be_baselined(
    own_migrations: Prisma, database: Database
) -> None:
    """Tables without a history are P3005; `resolve --applied` takes them over."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    database.sql("CREATE TABLE a (i int)")
    refused = own_migrations(database.url, "migrate", "deploy")
    assert (refused.returncode, "P3005" in refused.stdout) == (1, True)
    baseline = own_migrations(
        database.url, "migrate", "resolve", "--applied", "20240101000000_first"
    )
    assert baseline.returncode == 0, baseline.stdout
    assert own_migrations(database.url, "migrate", "deploy").returncode == 0


def test_a_migration_killed_midway_is_undone_and_reported(
    own_migrations: Prisma, database: Database
) -> None:
    """A migration killed midway is undone by the server, and the next deploy names it (P3009)."""
    own_migrations.add("20240101000000_slow", "CREATE TABLE slow (i int);\nSELECT pg_sleep(600);")
    running = own_migrations.start(database.url, "migrate", "deploy")
    active = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    until(
        lambda: database.sql(f"{active} AND wait_event = 'PgSleep'")[0][0] == 1,
        seconds=30,
        what="the slow migration to run",
    )
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    until(
        lambda: database.sql(f"{active} AND pid <> pg_backend_pid()")[0][0] == 0,
        seconds=15,
        what="the server to notice",
    )
    assert database.sql("SELECT to_regclass('slow')") == [(None,)]
    again = own_migrations(database.url, "migrate", "deploy")
    assert "P3009" in again.stdout
    assert "`20240101000000_slow`" in again.stdout


def test_a_lock_held_by_another_is_p1002(own_migrations: Prisma, database: Database) -> None:
    """Waiting for another migration's lock ends with P1002, in words on which LiteLLM retries."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    with psycopg.connect(database.url) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        waited = own_migrations(database.url, "migrate", "deploy", PRISMA_SCHEMA_LOCK_TIMEOUT="1")
    assert waited.returncode == 1
    assert "P1002" in waited.stdout
    assert "advisory lock" in waited.stdout


def test_a_plain_role_with_an_odd_password_migrates_its_own_database(
    litellm_migrations: Prisma, database: Database
) -> None:
    """A role without CREATEDB and with an odd password migrates the database that it owns."""
    role = f"role_{database.name}"
    password = "p@ss w:rd/%é'\"$`"
    literal = password.replace("'", "''")
    database.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{literal}'")
    database.sql(f"ALTER DATABASE {database.name} OWNER TO {role}")
    database.sql(f"ALTER SCHEMA public OWNER TO {role}")
    url = url_with(database.url, user=role, password=password)
    try:
        deployed = litellm_migrations(url, "migrate", "deploy")
        assert deployed.returncode == 0, deployed.stdout
        assert quote(password, safe="") not in deployed.stdout
        drift = litellm_migrations(
            url, "migrate", "diff", "--from-migrations", "migrations", "--to-empty"
        )
        assert "P3014" in drift.stdout
    finally:
        database.sql(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        database.sql(f"DROP OWNED BY {role}")
        database.sql(f"ALTER DATABASE {database.name} OWNER TO CURRENT_USER")
        database.sql(f"DROP ROLE {role}")


def test_what_cannot_be_reached_has_its_code(own_migrations: Prisma, database: Database) -> None:
    """A wrong password is reported as P1000, and a missing server as P1001."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    wrong = url_with(database.url, user="nobody_known", password="x")
    assert "P1000" in own_migrations(wrong, "migrate", "deploy").stdout
    nowhere = "postgresql://u:p@127.0.0.1:1/d"
    assert "P1001" in own_migrations(nowhere, "migrate", "deploy").stdout


def test_a_missing_database_is_made(own_migrations: Prisma, database: Database) -> None:
    """The CLI creates a missing database if the role may."""
    own_migrations.add("20240101000000_first", "CREATE TABLE a (i int);")
    name = f"{database.name}_made"
    deployed = own_migrations(url_with(database.url, database=name), "migrate", "deploy")
    database.sql(f"DROP DATABASE {name}")
    assert deployed.returncode == 0, deployed.stdout


def test_no_drift_between_migrations_and_database(
    litellm_migrations: Prisma, database: Database
) -> None:
    """A role that may create a shadow database sees no difference after a deploy."""
    litellm_migrations(database.url, "migrate", "deploy")
    drift = litellm_migrations(
        database.url, "migrate", "diff", "--exit-code",
        "--from-migrations", "migrations", "--to-schema-datasource", "schema.prisma",
    )  # fmt: skip
    assert (drift.returncode, "No difference detected." in drift.stdout) == (0, True), drift.stdout
