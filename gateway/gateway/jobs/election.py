"""Which gateway does a job: the one that holds the job's lock."""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.database.url import for_psycopg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOCKS = 1_735_288_180
"""The first half of the locks' keys, so that no other program uses the same keys."""

# A server that vanishes is noticed within seconds, not when TCP gives up after 15 minutes.
CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "gateway-jobs",
    "prepare_threshold": None,  # PgBouncer in transaction mode loses prepared statements
}

AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


class Job(Enum):
    """The jobs, each with the second half of its lock's key."""

    BUDGET_RESETS = 1
    RETENTION = 2
    BACKEND_KEY = 3


async def connect(url: str) -> AsyncConnection:
    """Return a connection that commits each statement by itself.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    return await psycopg.AsyncConnection.connect(for_psycopg(url), autocommit=True, **CONNECTION)


@asynccontextmanager
async def elected(url: str, job: Job) -> AsyncIterator[bool]:
    """Hold a job's lock for a block; yield False if another gateway holds it.

    The lock belongs to a transaction that stays open on a connection of its own and does nothing
    else. So the lock also works behind PgBouncer in transaction mode, where a session's lock would
    be lost, and it ends when the gateway ends. The transaction is idle and in READ COMMITTED, so it
    keeps no snapshot that would hold up VACUUM. If its connection breaks, a second gateway may
    begin the job. That is harmless, because two gateways may run batches of a job side by side.

    Raises:
        psycopg.Error: the database is away.
    """
    async with await connect(url) as connection, connection.transaction():
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor = await connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCKS, job.value]
        )
        row = await cursor.fetchone()
        yield row is not None and bool(row[0])
