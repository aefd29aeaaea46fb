"""Connections to Postgres for our own needs; LiteLLM has its own, through Prisma."""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg

from gateway.database.url import for_psycopg, redacted

LOG = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5
REPORT_EVERY = 5.0
"""Seconds between two lines about a database that is being waited for."""

FINAL_REASONS = ("password authentication failed", "does not exist", "no pg_hba.conf entry")
"""What a server says when waiting will not help."""

Connection = psycopg.Connection[tuple[Any, ...]]


class DatabaseUnavailableError(Exception):
    """The database cannot be reached, or lets us not in."""


def connect(url: str, *, read_only: bool = False) -> Connection:
    """Returns a connection that commits each statement by itself.

    Raises:
        DatabaseUnavailableError: with the reason and what to check.
    """
    try:
        connection = psycopg.connect(
            for_psycopg(url), autocommit=True, connect_timeout=CONNECT_TIMEOUT
        )
        connection.read_only = read_only
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(
            f"the database at {redacted(url)} does not answer: {reason(error)}"
            f"\n    {_advice(error)}"
        ) from error
    return connection


def wait_for_database(url: str, seconds: float) -> Connection:
    """Return a connection as soon as there is one; log every few seconds what it waits for.

    Raises:
        DatabaseUnavailableError: after `seconds`, or at once when waiting will not help.
    """
    try:
        return connect(url)  # as nearly always
    except DatabaseUnavailableError as error:
        if not _is_worth_waiting(error):
            raise
    import stamina  # noqa: PLC0415 -- 50 ms that a start with a database need not pay
    from stamina.instrumentation import set_on_retry_hooks  # noqa: PLC0415

    set_on_retry_hooks([])  # what is said here is better than a log line an attempt
    reported = 0.0
    attempts = stamina.retry_context(
        on=_is_worth_waiting, attempts=None, timeout=seconds, wait_initial=0.2, wait_max=2.0
    )
    for attempt in attempts:
        with attempt:
            try:
                return connect(url)
            except DatabaseUnavailableError as error:
                if attempt.num > 1 and time.monotonic() - reported > REPORT_EVERY:
                    reported = time.monotonic()
                    LOG.info("waiting for the database: %s", str(error).splitlines()[0])
                raise
    raise AssertionError  # the loop returns or raises


def reason(error: psycopg.Error) -> str:
    """Returns Postgres' own words in one line, without its hint."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].removeprefix("connection failed: ").strip()


def _is_worth_waiting(error: Exception) -> bool:
    return isinstance(error, DatabaseUnavailableError) and not _is_final(str(error))


def _is_final(text: str) -> bool:
    return any(words in text for words in FINAL_REASONS)


def _advice(error: psycopg.Error) -> str:
    if _is_final(str(error)):
        return "check user, password and database name in DATABASE_URL or DB_*"
    return "check that Postgres runs and that DATABASE_URL or DB_HOST and DB_PORT name it"
