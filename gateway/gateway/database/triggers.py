"""Triggers that notify gateways of changes in LiteLLM's tables: `pg_notify`, received by `access`.

Their function is in the gateway's own schema. A change of nothing but times, or of a spend that
rises, sends no notification, so a chat sends none. A spend that falls is a reset, and sends one.
The condition compares whole rows, so no trigger depends on a column, and a migration can change
any column.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from gateway.database.connection import Connection

SCHEMA = "gateway_data"
"""It is not `gateway`, because a schema with a role's name comes first in the role's search_path.
LiteLLM's role is `gateway`, so tables and views that it creates without a schema would land
there."""

CHANNEL = "gateway_access"
EVERYTHING = "everything"
"""The payload for a change that cannot be described by a single row."""

REPLICAS_CHANGED = "gateways"
"""The payload that asks gateways to read the tables of `gateway.replicas`."""

MAX_PAYLOAD = 7_000
"""The most bytes of a payload; Postgres refuses to commit one of 8,000."""

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    # table: the kind of its rows in a payload, and the columns of their id
    "LiteLLM_VerificationToken": ("key", ("token",)),
    "LiteLLM_DeprecatedVerificationToken": ("key", ("token",)),
    "LiteLLM_TeamTable": ("team", ("team_id",)),
    "LiteLLM_UserTable": ("user", ("user_id",)),
    "LiteLLM_BudgetTable": ("budget", ("budget_id",)),
    "LiteLLM_EndUserTable": ("end_user", ("user_id",)),
    "LiteLLM_TeamMembership": ("member", ("team_id", "user_id")),
    "LiteLLM_OrganizationTable": ("organization", ("organization_id",)),
    "LiteLLM_OrganizationMembership": ("organization_member", ("organization_id", "user_id")),
    "LiteLLM_AccessGroupTable": ("access_group", ("access_group_id",)),
    "LiteLLM_ModelTable": ("team_aliases", ("id",)),
    "LiteLLM_TagTable": ("common", ()),
    "LiteLLM_ModelAccessGroupBudgetTable": ("common", ()),
}

ADDS_SPEND = f"{SCHEMA}.adds_spend"
"""A setting for transactions that only add costs, as the journal's do. Their rows need not be
compared, which would take five times as long as the update."""

IGNORED = ("spend", "total_spend", "model_spend", "last_active", "updated_at", "budget_reset_at")
"""Columns that change with each request, or that the gateway does not read."""

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.tell_of_change() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    changed jsonb;
    payload jsonb;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify('{CHANNEL}', '{EVERYTHING}');
        RETURN NULL;
    END IF;
    FOREACH changed IN ARRAY CASE TG_OP
        WHEN 'INSERT' THEN ARRAY[to_jsonb(NEW)]
        WHEN 'DELETE' THEN ARRAY[to_jsonb(OLD)]
        ELSE ARRAY[to_jsonb(OLD), to_jsonb(NEW)] END
    LOOP
        payload := jsonb_build_array(TG_ARGV[0]);
        FOR i IN 1 .. TG_NARGS - 1 LOOP
            payload := payload || jsonb_build_array(changed ->> TG_ARGV[i]);
        END LOOP;
        PERFORM pg_notify('{CHANNEL}',
            CASE WHEN octet_length(payload::text) > {MAX_PAYLOAD} THEN '{EVERYTHING}'
            ELSE payload::text END);  -- the same one twice in a transaction is sent once
    END LOOP;
    RETURN NULL;
END
$body$
"""

_CREATE = """
CREATE OR REPLACE TRIGGER {prefix}_row AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {function}({arguments});
CREATE OR REPLACE TRIGGER {prefix}_update AFTER UPDATE ON {table} FOR EACH ROW
    WHEN (current_setting({adds_spend}, true) IS DISTINCT FROM 'on'
        AND ((to_jsonb(OLD.*) - {ignored}) IS DISTINCT FROM (to_jsonb(NEW.*) - {ignored})
            OR (to_jsonb(NEW.*) ->> 'spend')::float8 < (to_jsonb(OLD.*) ->> 'spend')::float8))
    EXECUTE FUNCTION {function}({arguments});
CREATE OR REPLACE TRIGGER {prefix}_truncate AFTER TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {function}({arguments})
"""

_PREFIX = "gateway_access"
_EACH = 3
"""The number of triggers on each table."""

FINGERPRINT = hashlib.sha256(repr((_FUNCTION, _CREATE, TABLES, IGNORED)).encode()).hexdigest()
"""The hash of the SQL; the function's comment has it, to show what the triggers were made from."""

_NAMES = ", ".join(f"""'"{name}"'""" for name in TABLES)
HAS_TRIGGERS = f"""
SELECT count(*) = {_EACH * len(TABLES)} FROM pg_trigger
WHERE left(tgname, {len(_PREFIX) + 1}) = '{_PREFIX}_' AND tgenabled = 'O' AND tgrelid IN
    (SELECT to_regclass(name) FROM unnest(ARRAY[{_NAMES}]) AS name)
"""  # noqa: S608 -- constants of ours
"""Whether all triggers exist, whatever SQL they were made from."""


def are_current(connection: Connection) -> bool:
    """Return whether all triggers exist and were made from this SQL."""
    row = connection.execute(
        "SELECT obj_description(to_regprocedure(%s), 'pg_proc')", [f"{SCHEMA}.tell_of_change()"]
    ).fetchone()
    if row is None or row[0] != FINGERPRINT:
        return False
    there = connection.execute(HAS_TRIGGERS.encode()).fetchone()
    return there is not None and bool(there[0])


def create_triggers(connection: Connection) -> bool:
    """Create the triggers, if they are missing or were made from other SQL.

    Returns:
        Whether anything was created.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not create them. Without triggers,
            gateways read LiteLLM's tables every two seconds.
    """
    if are_current(connection):
        return False
    with connection.transaction():
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
        connection.execute(_FUNCTION.encode())
        for table, (kind, columns) in TABLES.items():
            connection.execute(
                sql.SQL(_CREATE).format(
                    prefix=sql.SQL(_PREFIX),
                    table=sql.Identifier(table),
                    function=sql.SQL(f"{SCHEMA}.tell_of_change"),
                    adds_spend=sql.Literal(ADDS_SPEND),
                    ignored=sql.SQL("{}::text[]").format(sql.Literal(list(IGNORED))),
                    arguments=sql.SQL(", ").join(map(sql.Literal, (kind, *columns))),
                )
            )
        connection.execute(
            sql.SQL("COMMENT ON FUNCTION {}.tell_of_change() IS {}").format(
                sql.SQL(SCHEMA), sql.Literal(FINGERPRINT)
            )
        )
    return True
