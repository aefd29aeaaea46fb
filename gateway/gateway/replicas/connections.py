"""How many connections the gateways of a database need, checked before the database refuses one."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from gateway.config.problems import ConfigurationError, Problem
from gateway.replicas import tables

if TYPE_CHECKING:
    from gateway.config.settings import Settings
    from gateway.database.connection import Connection

LOG = logging.getLogger(__name__)

EACH = 4
"""Connections of one gateway: one that listens, two for lookups, and the applier's."""

POLL_SECONDS = 0.5
PASSING = 6
"""Short-lived connections in all: jobs, metrics, `migrate`, a backup, `./run status`."""


def check_connections(connection: Connection, settings: Settings, url: str) -> None:
    """Log how many connections all gateways need, and refuse one gateway too many.

    A gateway that is alone is never refused: a connection that it lacks shows in /health. Each of
    GATEWAY_PROCESSES counts. With `pgbouncer=true` in the URL nothing is counted, because PgBouncer
    then manages the connections.

    Args:
        connection: a connection to the database.
        settings: the settings of this gateway.
        url: the URL of the database.

    Raises:
        ConfigurationError: with this gateway there would be more than PostgreSQL allows.
    """
    if dict(parse_qsl(urlsplit(url).query)).get("pgbouncer") == "true":
        return
    room = _number(connection, tables.ROOM)
    has_tables = connection.execute(tables.EXIST.encode()).fetchone() == (True,)
    pool = settings.db_pool_size if settings.litellm_proxy_url is not None else 0
    own = settings.gateway_processes
    others = 0
    if has_tables:
        others = _others(connection, own, (room - pool - PASSING) // EACH - own)
    gateways = own + others
    needed = gateways * EACH + pool + PASSING
    sum_of = f"{gateways} x {EACH} of gateways, {pool} of LiteLLM's proxy, {PASSING} in passing"
    if needed <= room:
        LOG.info("connections to PostgreSQL: %d of %d (%s)", needed, room, sum_of)
        return
    if gateways == 1:
        LOG.warning("PostgreSQL allows %d connections, %d are needed (%s)", room, needed, sum_of)
        return
    raise ConfigurationError(
        [
            Problem(
                "DB_POOL_SIZE",
                f"PostgreSQL allows {room} connections, {needed} are needed: {sum_of}",
                "raise max_connections, lower DB_POOL_SIZE or GATEWAY_PROCESSES, or run fewer "
                "gateways; behind PgBouncer, add pgbouncer=true to DATABASE_URL",
            )
        ]
    )


def _others(connection: Connection, own: int, most: int) -> int:
    """Return how many other gateways are alive.

    If they are more than `most`, a gateway of several processes waits until those that were just
    killed, perhaps its own predecessors, no longer count.
    """
    deadline = time.monotonic() + tables.ALIVE_SECONDS
    others = _number(connection, tables.OTHERS)
    while own > 1 and others > max(0, most) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        others = _number(connection, tables.OTHERS)
    return others


def _number(connection: Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return 0 if row is None else int(row[0])
