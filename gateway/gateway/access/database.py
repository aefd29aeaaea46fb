"""A few connections to Postgres for lookups: bounded, and quick to report that it is away.

They are safe behind PgBouncer in transaction mode: there are no prepared statements, no session
settings, and only one statement in a transaction.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.database.connection import reason
from gateway.database.url import for_psycopg

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG = logging.getLogger(__name__)

CONNECT_SECONDS = 5
ANSWER_SECONDS = 3.0
"""For one statement; each reads only a few rows by their key."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseAwayError(Exception):
    """The database does not answer."""


class Database:
    """Connections that are made when needed, and the knowledge whether the database answers.

    While the database is away every call but `connect` fails at once. One task calls `connect`
    repeatedly, and so finds out that the database is back.

    Attributes:
        answers: whether the last statement, or the last attempt to connect, succeeded.
        problem: why the database does not answer, or what Postgres refused; "" for no problem.
        answered_at: when the database last answered, on the monotonic clock.
    """

    def __init__(self, url: str, size: int) -> None:
        self._url = for_psycopg(url)
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(size)
        self.answers = False
        self.problem = "not connected yet"
        self.answered_at = -math.inf

    async def connect(self) -> Connection:
        """Return a new connection, which commits each statement by itself.

        Raises:
            DatabaseAwayError: the database cannot be connected to.
        """
        try:
            connection = await asyncio.wait_for(
                psycopg.AsyncConnection.connect(
                    self._url,
                    autocommit=True,
                    prepare_threshold=None,
                    connect_timeout=CONNECT_SECONDS,
                    application_name="gateway-access",
                    keepalives_idle=10,
                    keepalives_interval=5,
                    keepalives_count=2,
                ),
                CONNECT_SECONDS + 1,
            )
        except (psycopg.Error, OSError, asyncio.TimeoutError) as error:
            raise self.lost(error) from error
        self.found()
        return connection

    async def fetch(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of a statement.

        A connection that broke while it was idle causes no error, only a second attempt.

        Raises:
            DatabaseAwayError: the database does not answer, or refuses the statement.
        """
        if not self.answers:
            raise DatabaseAwayError(self.problem)
        async with self._slots:
            if not self.answers:  # found out while this call waited for a free slot
                raise DatabaseAwayError(self.problem)
            while self._idle:
                connection = self._idle.pop()
                if not connection.closed:
                    try:
                        return await self._run(connection, statement, values)
                    except psycopg.OperationalError:
                        await self._close_idle()
            connection = await self.connect()
            try:
                return await self._run(connection, statement, values)
            except psycopg.OperationalError as error:
                raise self.lost(error) from error

    async def close(self) -> None:
        """Close all idle connections."""
        self.answers = False
        await self._close_idle()

    def found(self) -> None:
        """Record that the database answers."""
        if not self.answers:
            LOG.info("the database answers")
        self.answers = True
        self.answered_at = time.monotonic()
        self.problem = ""

    def lost(self, error: BaseException) -> DatabaseAwayError:
        """Record that the database does not answer; return the error to raise."""
        if isinstance(error, psycopg.Error):
            words = reason(error)
        else:
            words = str(error) or "no answer in time"
        if self.answers:
            LOG.warning("the database does not answer: %s", words)
        self.answers = False
        self.problem = words
        return DatabaseAwayError(words)

    async def _run(
        self, connection: Connection, statement: str, values: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        try:
            rows = await _in_time(connection, statement, values)
        except asyncio.TimeoutError as error:
            raise self.lost(error) from error
        except psycopg.OperationalError:
            await connection.close()
            raise
        except psycopg.Error as error:
            self._idle.append(connection)
            self.problem = reason(error)
            LOG.exception("the database refuses to say who asks")
            raise DatabaseAwayError(self.problem) from error
        except BaseException:  # a cancelled task leaves the connection in the middle of a statement
            await connection.close()
            raise
        self._idle.append(connection)
        self.answered_at = time.monotonic()
        self.problem = ""
        return rows

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()


async def _in_time(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, or drop the connection when they take too long.

    This avoids asyncio.wait_for: a cancelled psycopg call asks the server to cancel and waits for
    the server, without end if the server hangs (psycopg/connection_async.py, `wait`).

    Raises:
        TimeoutError: there was no answer in time.
    """
    running = asyncio.ensure_future(_rows(connection, statement, values))
    try:
        done, _ = await asyncio.wait({running}, timeout=ANSWER_SECONDS)
    finally:
        if not running.done():
            connection.pgconn.finish()
            running.cancel()
    if not done:
        raise asyncio.TimeoutError
    return running.result()


async def _rows(
    connection: Connection, statement: str, values: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(statement.encode(), values)
    return await cursor.fetchall()
