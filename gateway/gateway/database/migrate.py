"""`gateway migrate`: brings the database to the schema of the LiteLLM that is installed.

The migrations are LiteLLM's, applied by Prisma's own command line. A database that has them all is
recognised without starting Node. LiteLLM's resolver is not used: its older mode writes into the
installed package and can mark as applied what never ran.
"""

from __future__ import annotations

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
from gateway.spend.views import create_missing_views, missing_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.config.settings import Settings
    from gateway.database.connection import Connection
    from gateway.database.ledger import Ledger, Migration
    from gateway.database.prisma_cli import Outcome

LOCK_KEY = int.from_bytes(b"llm_mig2", "big")
"""The advisory lock that LiteLLM's own migrations take (litellm_proxy_extras/migration_lock.py)."""

LOCK_POLL_SECONDS = 0.5
LOCK_TIMEOUT = 900.0


class MigrationError(Exception):
    """The database is not at the schema, and why."""


def migrate(settings: Settings, say: Callable[[str], None], *, retry: bool = False) -> None:
    """Brings the database up to date and says each step.

    Args:
        settings: where the database is.
        say: takes one line for people.
        retry: first mark failed migrations as rolled back, so that they are tried again.

    Raises:
        ConfigurationError: no database is configured.
        DatabaseUnavailableError: it cannot be reached.
        MigrationError, TakeoverError: its schema cannot be brought up to date.
    """
    url = database_url(settings)
    if url is None:
        raise ConfigurationError(
            [Problem("DATABASE_URL", "is unset, and so is DB_HOST", "set one of them")]
        )
    with wait_for_database(url, settings.db_wait, say) as connection:
        try:
            _migrate(settings, url, connection, say, retry=retry)
        except psycopg.Error as error:
            raise MigrationError(
                f"the database at {redacted(url)} refused: {reason(error)}\n"
                "    correct that, then run `gateway migrate` again"
            ) from error


def _migrate(
    settings: Settings, url: str, connection: Connection, say: Callable[[str], None], *, retry: bool
) -> None:
    folder = shipped_folder()
    database = _Database(connection, shipped_migrations(folder), say)
    is_current = database.ledger().is_current
    if not is_current or missing_views(connection) or not report_views.are_current(connection):
        with _one_at_a_time(connection, say):
            prisma = PrismaCli(settings, url, folder / "schema.prisma")
            report_views.drop(connection)
            database.bring_up_to_date(prisma, retry=retry)
            index_empty_tables(connection)
            created = create_missing_views(connection)
            if created:
                say(f"created {len(created)} views")
            _create_report_views(connection, say)
    if not is_current:
        finish_as_litellm_does(url)
    _create_own_tables(connection, say)
    _warn(database.ledger(), say)
    say(f"database is current: {len(database.shipped)} migrations")


def _create_own_tables(connection: Connection, say: Callable[[str], None]) -> None:
    """Make what is the gateway's own: the journal's position, triggers that tell of changes."""
    try:
        create_tables(connection)
        replicas.create_tables(connection)
        if create_triggers(connection):
            say("created the triggers that tell of changed keys, teams and budgets")
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"the gateway's role may make no schema of its own: {reason(error)}\n"
            f"    let an admin run CREATE SCHEMA {SCHEMA} AUTHORIZATION the gateway's role"
        ) from error


def _create_report_views(connection: Connection, say: Callable[[str], None]) -> None:
    """Makes the views of `gateway spend`; a gateway without them serves all the same."""
    try:
        report_views.create(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        say(
            f"warning: no spend reports: {reason(error)}; to have them, let an admin run"
            f" CREATE SCHEMA {report_views.SCHEMA} AUTHORIZATION the gateway's role"
        )
    else:
        say("created the report views")


@dataclass(frozen=True)
class _Database:
    """The database that is migrated, and what it should have."""

    connection: Connection
    shipped: list[Migration]
    say: Callable[[str], None]

    def ledger(self) -> Ledger:
        """Returns how far it is."""
        return compare(self.shipped, read_rows(self.connection) or [])

    def bring_up_to_date(self, prisma: PrismaCli, *, retry: bool) -> None:
        """Applies what is missing, unless another start did it meanwhile."""
        ledger = self.ledger()
        found = tables(self.connection)
        if ledger.is_current:
            return
        if read_rows(self.connection) is None and found:
            take_over(self.connection, prisma, self.shipped, found)
            self.say(f"took over a database that LiteLLM made: its {len(found)} tables match")
            return
        if ledger.failed and not retry:
            raise MigrationError(_failure(ledger, None))
        for row in ledger.failed:
            _must_succeed(prisma.mark_rolled_back(row.name))
            self.say(f"trying again: {row.name}")
        self._deploy(prisma, len(ledger.pending))

    def _deploy(self, prisma: PrismaCli, pending: int) -> None:
        self.say(f"applying {pending} of {len(self.shipped)} migrations")
        started = time.monotonic()
        outcome = prisma.deploy(self._progress)
        after = self.ledger()
        # The ledger decides, not the exit code: exit codes of 0 have lied.
        if not after.is_current:
            raise MigrationError(_failure(after, outcome))
        self.say(f"applied {pending} migrations in {time.monotonic() - started:.1f} s")

    def _progress(self) -> None:
        self.say(f"applied {self.ledger().applied} of {len(self.shipped)} migrations")


@contextmanager
def _one_at_a_time(connection: Connection, say: Callable[[str], None]) -> Iterator[None]:
    """Holds LiteLLM's migration lock.

    It is polled: a session that waits inside pg_advisory_lock keeps a snapshot, on which CREATE
    INDEX CONCURRENTLY in the other one waits for ever.
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
            say("another migration is running; waiting for it")
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
    """Returns which migration failed, the database's words, and what to do."""
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
        " `gateway migrate --retry`; a backup from before is the other way back"
    )


def sql_error(log: str) -> str:
    """Returns the database's words from what Prisma recorded, or all of it in one line."""
    code = re.search(r"^Database error code: (\w+)$", log, re.MULTILINE)
    words = re.search(r"^Database error:\s+(.+)$", log, re.MULTILINE)
    if words is None:
        return " ".join(log.split()) or "no error was recorded"
    return f"{words[1]} ({code[1]})" if code else words[1]


def _warn(ledger: Ledger, say: Callable[[str], None]) -> None:
    if ledger.newer:
        say(
            f"warning: the database has {len(ledger.newer)} migrations of a newer LiteLLM "
            f"({ledger.newer[-1]}); use that version, or a backup from before it"
        )
    if ledger.edited:
        say(
            f"{len(ledger.edited)} migrations were applied with another content than shipped now, "
            f"{ledger.edited[-1]} the last; LiteLLM edits old ones to make them repeatable"
        )
