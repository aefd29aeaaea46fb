"""How many connections the gateways of a database need, checked before the database refuses one."""

from __future__ import annotations

import logging
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

PASSING = 6
"""Short-lived connections in all: jobs, metrics, `migrate`, a backup, `./run status`."""


def check_connections(connection: Connection, settings: Settings, url: str) -> None:
    """Log how many connections all gateways need, and refuse one gateway too many.

    A gateway that is alone is never refused: a connection that it lacks shows in /health. With
    `pgbouncer=true` in the URL nothing is counted, because PgBouncer then manages the connections.

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
    gateways = 1 + (_number(connection, tables.OTHERS) if has_tables else 0)
    pool = settings.db_pool_size if settings.litellm_proxy_url is not None else 0
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
                "raise max_connections, lower DB_POOL_SIZE or run fewer gateways; where PgBouncer "
                "stands between, add pgbouncer=true to DATABASE_URL",
            )
        ]
    )


def _number(connection: Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return 0 if row is None else int(row[0])
