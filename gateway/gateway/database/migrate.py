"""`gateway migrate`: bring the database to the schema of the installed LiteLLM.

The migrations are LiteLLM's, and Prisma's own command line applies them. A database that has them
all is recognised without starting Node. LiteLLM's resolver is not used: its older mode writes into
the installed package, and can mark a migration as applied that never ran.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from gateway.config.problems import ConfigurationError, Problem
from gateway.database import report_views
from gateway.database.connection import reason, wait_for_database
from gateway.database.ledger import compare, read_rows, shipped_folder, shipped_migrations
from gateway.database.prisma_cli import PrismaCli
from gateway.database.proxy_extras import finish_as_litellm_does, index_empty_tables
from gateway.database.takeover import tables, take_over
from gateway.database.triggers import SCHEMA, create_triggers
from gateway.database.url import database_url, redacted
from gateway.journal.tables import create_tables
from gateway.replicas import tables as replicas
from gateway.replicas.lease_ledger import create_ledger
from gateway.spend.views import create_missing_views, missing_views

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.settings import Settings
    from gateway.database.connection import Connection
    from gateway.database.ledger import Ledger, Migration
    from gateway.database.prisma_cli import Outcome

LOG = logging.getLogger(__name__)

LOCK_KEY = int.from_bytes(b"llm_mig2", "big")
"""The advisory lock that LiteLLM's own migrations take (litellm_proxy_extras/migration_lock.py)."""

LOCK_POLL_SECONDS = 0.5
LOCK_TIMEOUT = 900.0


class MigrationError(Exception):
    """The database could not be brought to the schema; the message says why."""


def migrate(settings: Settings, *, retry: bool = False) -> None:
    """Bring the database up to date and log each step.

    Args:
        settings: the settings, which say where the database is.
        retry: whether to mark failed migrations as rolled back first, so that they are tried again.

    Raises:
        ConfigurationError: no database is configured.
        DatabaseUnavailableError: the database cannot be reached.
        MigrationError, TakeoverError: its schema cannot be brought up to date.
    """
    url = database_url(settings)
    if url is None:
        raise ConfigurationError(
            [Problem("DATABASE_URL", "is unset, and so is DB_HOST", "set one of them")]
        )
    with wait_for_database(url, settings.db_wait) as connection:
        try:
            _migrate(settings, url, connection, retry=retry)
        except psycopg.Error as error:
            raise MigrationError(
                f"the database at {redacted(url)} refused: {reason(error)}\n"
                "    correct that, then run `gateway migrate` again"
            ) from error


def _migrate(settings: Settings, url: str, connection: Connection, *, retry: bool) -> None:
    folder = shipped_folder()
    database = _Database(connection, shipped_migrations(folder))
    is_current = database.ledger().is_current
    if not is_current or missing_views(connection) or not report_views.are_current(connection):
        with _one_at_a_time(connection):
            prisma = PrismaCli(settings, url, folder / "schema.prisma")
            report_views.drop(connection)
            database.bring_up_to_date(prisma, retry=retry)
            index_empty_tables(connection)
            created = create_missing_views(connection)
            if created:
                LOG.info("created %d views", len(created))
            _create_report_views(connection)
    if not is_current:
        finish_as_litellm_does(url)
    _create_own_tables(connection)
    _warn(database.ledger())
    LOG.info("database is current: %d migrations", len(database.shipped))


def _create_own_tables(connection: Connection) -> None:
    """Create the gateway's own tables, its ledger and the triggers that notify of changes."""
    try:
        create_tables(connection)
        replicas.create_tables(connection)
        create_ledger(connection)
        if create_triggers(connection):
            LOG.info("created the triggers that tell of changed keys, teams and budgets")
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"the gateway's role may not create a schema: {reason(error)}\n"
            f"    let an admin run CREATE SCHEMA {SCHEMA} AUTHORIZATION the gateway's role"
        ) from error


def _create_report_views(connection: Connection) -> None:
    """Create the views of `gateway spend`; without them the gateway still serves."""
    try:
        report_views.create(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        LOG.warning(
            "warning: no spend reports: %s; to enable them, let an admin run"
            " CREATE SCHEMA %s AUTHORIZATION the gateway's role",
            reason(error),
            report_views.SCHEMA,
        )
    else:
        LOG.info("created the report views")


@dataclass(frozen=True)
class _Database:
    """The database that is migrated, and the migrations that it should have."""

    connection: Connection
    shipped: list[Migration]

    def ledger(self) -> Ledger:
        """Return which migrations the database has."""
        return compare(self.shipped, read_rows(self.connection) or [])

    def bring_up_to_date(self, prisma: PrismaCli, *, retry: bool) -> None:
        """Apply the missing migrations, unless another start has applied them meanwhile."""
        ledger = self.ledger()
        found = tables(self.connection)
        if ledger.is_current:
            return
        if read_rows(self.connection) is None and found:
            take_over(self.connection, prisma, self.shipped, found)
            LOG.info("took over a database that LiteLLM created: its %d tables match", len(found))
            return
        if ledger.failed and not retry:
            raise MigrationError(_failure(ledger, None))
        for row in ledger.failed:
            _must_succeed(prisma.mark_rolled_back(row.name))
            LOG.info("trying again: %s", row.name)
        self._deploy(prisma, len(ledger.pending))

    def _deploy(self, prisma: PrismaCli, pending: int) -> None:
        LOG.info("applying %d of %d migrations", pending, len(self.shipped))
        started = time.monotonic()
        outcome = prisma.deploy(self._progress)
        after = self.ledger()
        # The ledger decides, not the exit code, which was 0 after failures, too.
        if not after.is_current:
            raise MigrationError(_failure(after, outcome))
        LOG.info("applied %d migrations in %.1f s", pending, time.monotonic() - started)

    def _progress(self) -> None:
        LOG.info("applied %d of %d migrations", self.ledger().applied, len(self.shipped))


@contextmanager
def _one_at_a_time(connection: Connection) -> Iterator[None]:
    """Hold LiteLLM's migration lock.

    The lock is polled. A session that waits inside pg_advisory_lock keeps a snapshot, and CREATE
    INDEX CONCURRENTLY in the session that holds the lock would wait for that snapshot for ever.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT
    is_waiting = False
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY]).fetchone()
        if row is not None and row[0]:
            break
        if time.monotonic() > deadline:
            raise MigrationError(
                f"another migration has held the lock for {LOCK_TIMEOUT:.0f} s\n"
                "    look for it in pg_locks (locktype advisory), end it, then run this again"
            )
        if not is_waiting:
            LOG.info("another migration is running; waiting for it")
            is_waiting = True
        time.sleep(LOCK_POLL_SECONDS)
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])


def _must_succeed(outcome: Outcome) -> None:
    if outcome.exit_code != 0:
        raise MigrationError(f"prisma: {outcome.errors.strip() or outcome.output.strip()}")


def _failure(ledger: Ledger, outcome: Outcome | None) -> str:
    """Return which migration failed, the database's error, and what to do."""
    if not ledger.failed:
        said = (outcome.errors.strip() or outcome.output.strip()) if outcome else "nothing"
        return (
            f"{len(ledger.pending)} migrations are not applied; prisma said: {said}\n"
            "    correct what it names, then run `gateway migrate` again"
        )
    row = ledger.failed[0]
    log = row.log.strip() or (outcome.errors.strip() if outcome else "")
    return (
        f"migration {row.name} failed: {sql_error(log)}\n"
        "    correct what the error names (often rights, disk space or a lock), then run"
        " `gateway migrate --retry`; or restore a backup from before the migration"
    )


def sql_error(log: str) -> str:
    """Return the database's error from Prisma's record, or the whole record in one line."""
    code = re.search(r"^Database error code: (\w+)$", log, re.MULTILINE)
    words = re.search(r"^Database error:\s+(.+)$", log, re.MULTILINE)
    if words is None:
        return " ".join(log.split()) or "no error was recorded"
    return f"{words[1]} ({code[1]})" if code else words[1]


def _warn(ledger: Ledger) -> None:
    if ledger.newer:
        LOG.warning(
            "warning: the database has %d migrations of a newer LiteLLM "
            "(%s); use that version, or a backup from before it",
            len(ledger.newer),
            ledger.newer[-1],
        )
    if ledger.edited:
        LOG.info(
            "%d applied migrations differ from the shipped ones, the last one is %s; "
            "LiteLLM edits old ones to make them repeatable",
            len(ledger.edited),
            ledger.edited[-1],
        )
