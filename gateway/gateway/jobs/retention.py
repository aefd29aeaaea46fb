"""Delete rows of requests that are older than SPEND_RETENTION.

The tables are the ones that LiteLLM 1.106.2 cleans with `maximum_spend_logs_retention_period`
(proxy/db/db_transaction_queue/spend_log_cleanup.py): spend logs, and the index of the tools that
their requests used. LiteLLM has other settings for other periods (health checks, auto-router
sessions, daily tags).
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from gateway.jobs.durations import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.jobs.election import AsyncConnection

LOG = logging.getLogger(__name__)

BATCH = 1000
RUN_SECONDS = 300.0
STATEMENT_SECONDS = 30.0
PAUSE_SECONDS = 0.1
"""The pause between two batches, so that requests get their turn."""
MAX_FAILURES = 3

DELETES = {
    "LiteLLM_SpendLogs": (("request_id",), "startTime"),
    "LiteLLM_SpendLogToolIndex": (("request_id", "tool_name"), "start_time"),
}
"""Every table that rows are deleted from, with the columns of its key and the column of its age."""

_DELETE = """
DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {age} < %s LIMIT %s)
"""


@dataclass(frozen=True)
class Deleted:
    """What one run did.

    Attributes:
        rows: how many rows were deleted.
        is_all: whether all old rows are deleted; if not, the next run continues.
    """

    rows: int
    is_all: bool


async def delete_old_rows(  # noqa: PLR0913 -- three are bounds with defaults
    connection: AsyncConnection,
    retention: str,
    now: datetime,
    *,
    seconds: float = RUN_SECONDS,
    pause: float = PAUSE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Deleted:
    """Delete a batch from each table in turn, until nothing is left or the time is up.

    Args:
        connection: a connection that commits each statement by itself.
        retention: the age from which rows are deleted, in LiteLLM's notation, such as 90d.
        now: the time, in UTC.
        seconds: the longest that this may take.
        pause: seconds between two batches.
        clock: a monotonic clock, in seconds.

    Raises:
        psycopg.Error: three batches in a row failed, or the connection broke.
    """
    moment = now.astimezone(timezone.utc)
    cutoff = (moment - timedelta(seconds=seconds_of(retention, moment))).replace(tzinfo=None)
    deadline = clock() + seconds
    tables = list(DELETES)
    rows = failures = 0
    while tables and clock() < deadline:
        table = tables.pop(0)
        try:
            deleted = await _delete_batch(connection, table, cutoff, deadline - clock())
        except psycopg.Error as error:
            failures += 1
            if connection.closed or failures >= MAX_FAILURES:
                raise
            LOG.warning("a batch of old rows was not deleted: %s", type(error).__name__)
            deleted = BATCH  # there may be more
        else:
            failures = 0
            rows += deleted
        if deleted == BATCH:
            tables.append(table)
            await asyncio.sleep(pause)
    return Deleted(rows, is_all=not tables)


async def _delete_batch(
    connection: AsyncConnection, table: str, cutoff: datetime, seconds: float
) -> int:
    key, age = DELETES[table]
    left = min(STATEMENT_SECONDS, seconds)
    statement = sql.SQL(_DELETE).format(
        table=sql.Identifier(table),
        key=sql.SQL(", ").join(map(sql.Identifier, key)),
        age=sql.Identifier(age),
    )
    async with connection.transaction():
        for limit in ("statement_timeout", "lock_timeout"):
            await connection.execute(
                "SELECT set_config(%s, %s, true)", [limit, f"{max(1, int(left * 1000))}ms"]
            )
        cursor = await connection.execute(statement, [cutoff, BATCH])
        return cursor.rowcount
