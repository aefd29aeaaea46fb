"""A few connections to Postgres for look-ups: bounded, quick to say that it is away.

Safe behind PgBouncer in transaction mode: no prepared statements, one statement a transaction, no
setting of a session.
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
"""For one statement: all of them read a few rows by their key."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class DatabaseAwayError(Exception):
    """The database does not answer."""


class Database:
    """Connections that are made when needed, and the answer to whether the database is there.

    Only `connect`, which one task calls again and again, finds out that it is back: while it is
    away every other call fails at once.

    Attributes:
        answers: whether the last statement, or the last attempt to connect, went well.
        problem: why not, or what Postgres refuses; "" for nothing.
        answered_at: when it last did, on the monotonic clock.
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
            DatabaseAwayError: there is none to be had.
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

        A connection that broke while nobody used it costs no error, only a second attempt.

        Raises:
            DatabaseAwayError: the database does not answer, or refuses the statement.
        """
        if not self.answers:
            raise DatabaseAwayError(self.problem)
        async with self._slots:
            if not self.answers:  # who held the place before has found out
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
        """Close all connections that nobody uses."""
        self.answers = False
        await self._close_idle()

    def found(self) -> None:
        """Take note that the database answers."""
        if not self.answers:
            LOG.info("the database answers")
        self.answers = True
        self.answered_at = time.monotonic()
        self.problem = ""

    def lost(self, error: BaseException) -> DatabaseAwayError:
        """Take note that the database does not answer; return the error that says so."""
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
        except BaseException:  # a task that was cancelled leaves a connection in the middle
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
    """Return the rows of a statement, or give the connection up.

    Not by asyncio.wait_for: psycopg, when cancelled, asks the server to cancel and waits for it,
    without end where the server hangs (psycopg/connection_async.py, `wait`).

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
