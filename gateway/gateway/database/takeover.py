"""Take over a database that LiteLLM created without a history (`prisma db push`), if it matches.

Prisma refuses such a database (P3005). Its history is written here as `prisma migrate resolve
--applied` would write it, but in one transaction instead of 213 starts of Node, which take three
minutes.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from gateway.database.proxy_extras import without_own_indexes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.database.connection import Connection
    from gateway.database.ledger import Migration
    from gateway.database.prisma_cli import PrismaCli

SHOWN_LINES = 12

# As in Prisma: https://github.com/prisma/prisma-engines/blob/main/schema-engine/connectors/
# sql-schema-connector/src/flavour/postgres.rs
HISTORY_TABLE = """
CREATE TABLE _prisma_migrations (
    id                  VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum            VARCHAR(64) NOT NULL,
    finished_at         TIMESTAMPTZ,
    migration_name      VARCHAR(255) NOT NULL,
    logs                TEXT,
    rolled_back_at      TIMESTAMPTZ,
    started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
)
"""


class TakeoverError(Exception):
    """A database with tables and no history does not have this LiteLLM version's schema."""


def tables(connection: Connection) -> list[str]:
    """Return the names of the tables in the schema that is migrated."""
    rows = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
    )
    return [row[0] for row in rows]


def take_over(
    connection: Connection, prisma: PrismaCli, migrations: Sequence[Migration], found: list[str]
) -> None:
    """Write the history of a database whose tables are exactly those of LiteLLM's schema.

    Raises:
        TakeoverError: the tables differ from the schema.
    """
    if not any(name.startswith("LiteLLM_") for name in found):
        raise TakeoverError(
            f"none of the database's {len(found)} tables is LiteLLM's ({', '.join(found[:3])}, …)\n"
            "    use a database or a schema of its own: DATABASE_URL with ?schema=litellm"
        )
    missing = _difference(prisma)
    if missing:
        lines = missing.strip().splitlines()
        shown = "\n    ".join(lines[:SHOWN_LINES])
        raise TakeoverError(
            "the database has LiteLLM's tables but no migration history, and they differ from this "
            f"version's schema; missing here:\n    {shown}\n"
            "    bring it to this version with the LiteLLM that made it, or use another database"
        )
    with connection.transaction():
        connection.execute(HISTORY_TABLE)
        for migration in migrations:
            connection.execute(
                "INSERT INTO _prisma_migrations"
                " (id, checksum, migration_name, started_at, finished_at, applied_steps_count)"
                " VALUES (%s, %s, %s, now(), now(), 0)",
                [str(uuid.uuid4()), migration.checksum, migration.name],
            )


def _difference(prisma: PrismaCli) -> str:
    """Return the SQL that would make the database match the schema; "" if it matches."""
    same, different = 0, 2
    outcome = prisma.difference()
    if outcome.exit_code == same:
        return ""
    if outcome.exit_code != different:
        raise TakeoverError(
            f"the database could not be compared with the schema: {outcome.errors.strip()}\n"
            "    run it again, or use another database"
        )
    return without_own_indexes(outcome.output).strip()
