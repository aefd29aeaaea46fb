"""What is in a database: its tables in numbers, and its finished migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from gateway.backup.manifest import Table
from gateway.database.ledger import read_rows

if TYPE_CHECKING:
    from gateway.database.connection import Connection

# How rows are written as text must not depend on the server's settings.
SETTINGS = """
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET bytea_output = 'hex';
SET extra_float_digits = 1;
"""

COUNT = sql.SQL(
    "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0) FROM {} t"
)


def names(connection: Connection, schema: str | None) -> list[tuple[str, str]]:
    """Return schema and name of every table, of one schema or of the whole database."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
        " AND (%(schema)s::text IS NULL OR n.nspname = %(schema)s) ORDER BY 1, 2",
        {"schema": schema},
    )
    return [(row[0], row[1]) for row in rows]


def contents(connection: Connection, schema: str | None) -> dict[str, Table]:
    """Return every table's count of rows and checksum; reads all of them once."""
    connection.execute(SETTINGS.encode())
    found: dict[str, Table] = {}
    for namespace, name in names(connection, schema):
        row = connection.execute(COUNT.format(sql.Identifier(namespace, name))).fetchone()
        assert row is not None  # noqa: S101 -- an aggregate has a row
        found[f"{namespace}.{name}"] = Table(rows=row[0], checksum=str(row[1]))
    return found


def finished_migrations(connection: Connection) -> tuple[str, ...]:
    """Return the names of the migrations that are applied, in order."""
    rows = read_rows(connection) or []
    return tuple(dict.fromkeys(row.name for row in rows if row.finished and not row.rolled_back))
