"""The gateway's connections to Postgres; LiteLLM has its own, through Prisma."""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg

from gateway.database.url import for_psycopg, redacted

LOG = logging.getLogger(__name__)

CONNECT_TIMEOUT = 5
REPORT_EVERY = 5.0
"""Seconds between two log lines while the gateway waits for the database."""

FINAL_REASONS = ("password authentication failed", "does not exist", "no pg_hba.conf entry")
"""Words in a server's error for which waiting will not help."""

Connection = psycopg.Connection[tuple[Any, ...]]


class DatabaseUnavailableError(Exception):
    """The database cannot be reached, or refuses the connection."""


def connect(url: str, *, read_only: bool = False) -> Connection:
    """Return a connection that commits each statement by itself.

    Raises:
        DatabaseUnavailableError: there is no connection; the error says why, and what to check.
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
    """Wait for a connection and return it; log every few seconds why there is none yet.

    Raises:
        DatabaseUnavailableError: after `seconds`, or at once when waiting will not help.
    """
    try:
        return connect(url)  # nearly always succeeds
    except DatabaseUnavailableError as error:
        if not _is_worth_waiting(error):
            raise
    import stamina  # noqa: PLC0415 -- 50 ms that a start with a database need not pay
    from stamina.instrumentation import set_on_retry_hooks  # noqa: PLC0415 -- only to wait

    set_on_retry_hooks([])  # the log lines below replace the library's, one for each attempt
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
    """Return Postgres' own error message in one line, without its hint."""
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
