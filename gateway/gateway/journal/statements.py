"""The SQL of one transaction. SQL from LiteLLM names its source, and tests compare the two."""

from __future__ import annotations

from datetime import timedelta

from gateway.database.triggers import ADDS_SPEND
from gateway.journal.row_values import COLUMNS
from gateway.journal.tables import (
    CALLER_ERRORS,
    CALLER_ERRORS_KEY,
    DAILY_COUNTERS,
    DAILY_KEY,
    DAILY_SPEND,
    FAILED_COUNTERS,
    FAILED_REQUESTS,
    FAILED_REQUESTS_KEY,
    MODEL_USAGE,
    MODEL_USAGE_COUNTERS,
    MODEL_USAGE_KEY,
    REQUESTS,
    REQUESTS_COUNTERS,
    REQUESTS_KEY,
    SPEND_LOGS,
    TOOL_INDEX,
    TOOL_SPEND,
    TOOL_SPEND_COUNTERS,
    TOOL_SPEND_KEY,
)

_STAGED = "gateway_spend_rows_2"
"""It has a number because behind PgBouncer a connection may still have another version's table."""

_NOW = "now() AT TIME ZONE 'UTC'"
_ROW = ", ".join(f'"{column}"' for column in COLUMNS)

SETTINGS = f"""
SELECT set_config('statement_timeout', '30s', true), set_config('lock_timeout', '10s', true),
    set_config('timezone', 'UTC', true), set_config('{ADDS_SPEND}', 'on', true)
"""

CLAIM_POSITION = """
INSERT INTO gateway_data.journal_position AS p (journal, at) VALUES (%s, -1)
ON CONFLICT (journal) DO UPDATE SET at = p.at RETURNING at
"""
"""Return a journal's position, and keep others from applying it until the transaction ends."""

SET_POSITION = (
    "UPDATE gateway_data.journal_position SET at = %s, updated_at = now() WHERE journal = %s"
)

POSITION = "SELECT at FROM gateway_data.journal_position WHERE journal = %s"

POSITIONS_KEPT = timedelta(days=90)
FORGET_POSITIONS = (
    "DELETE FROM gateway_data.journal_position"  # noqa: S608 -- a constant
    f" WHERE updated_at < now() - interval '{POSITIONS_KEPT.days} days'"
)

STAGE = f"""
CREATE TEMP TABLE IF NOT EXISTS {_STAGED} (LIKE "{SPEND_LOGS}" INCLUDING DEFAULTS)
ON COMMIT DELETE ROWS
"""
COPY_ROWS = f"COPY {_STAGED} ({_ROW}) FROM STDIN"
INSERT_ROWS = f"""
INSERT INTO "{SPEND_LOGS}" ({_ROW}) SELECT {_ROW} FROM {_STAGED}
ON CONFLICT DO NOTHING RETURNING metadata->'gateway'->>'record'
"""  # noqa: S608 -- constants of tables.py
CLEAR_ROWS = f"TRUNCATE {_STAGED}"

OWNERS = f"""
SELECT metadata->'gateway'->>'record' FROM "{SPEND_LOGS}" WHERE request_id = ANY(%s)
"""  # noqa: S608 -- as above

ADD_SPEND = f"""
UPDATE {{table}} AS t SET spend = t.spend + s.cost, updated_at = {_NOW}
FROM (SELECT * FROM unnest(%s::text[], %s::float8[]) AS u(id, cost) ORDER BY id) AS s
WHERE t.{{column}} = s.id
"""  # noqa: S608 -- as above

ADD_KEY_SPEND = f"""
UPDATE {{table}} AS t SET spend = t.spend + s.cost, total_spend = t.total_spend + s.cost,
    last_active = {_NOW}, updated_at = {_NOW}
FROM (SELECT * FROM unnest(%s::text[], %s::float8[]) AS u(id, cost) ORDER BY id) AS s
WHERE t.{{column}} = s.id
"""  # noqa: S608 -- as above

ADD_END_USER_SPEND = """
INSERT INTO "LiteLLM_EndUserTable" AS t (user_id, spend, blocked)
SELECT s.id, s.cost, false FROM unnest(%s::text[], %s::float8[]) AS s(id, cost)
ON CONFLICT (user_id) DO UPDATE SET spend = t.spend + EXCLUDED.spend
"""

ADD_ORGANIZATION_MEMBER_SPEND = """
UPDATE "LiteLLM_OrganizationMembership" AS t SET spend = coalesce(t.spend, 0) + s.cost
FROM unnest(%s::text[], %s::text[], %s::float8[]) AS s(organization, member, cost)
WHERE t.organization_id = s.organization AND t.user_id = s.member
"""

# _TEAM_ADVISORY_LOCK_SQL and _TEAM_MEMBER_SPEND_SQL in litellm/proxy/db/db_spend_update_writer.py:
# the lock keeps the team's members from changing, and a member who has left gets no new row.
LOCK_TEAM = "SELECT pg_advisory_xact_lock(hashtext($1)) IS NULL AS locked"
ADD_TEAM_MEMBER_SPEND = """
INSERT INTO "LiteLLM_TeamMembership" (user_id, team_id, spend, total_spend)
SELECT member.user_id, member.team_id, member.cost, member.cost
FROM jsonb_to_recordset($1::jsonb) AS member(user_id text, team_id text, cost float8)
WHERE EXISTS (
    SELECT 1 FROM "LiteLLM_TeamTable" t
    WHERE t.team_id = member.team_id
      AND t.members_with_roles @> jsonb_build_array(jsonb_build_object('user_id', member.user_id))
)
   OR EXISTS (
    SELECT 1 FROM "LiteLLM_TeamMembership" m
    WHERE m.user_id = member.user_id AND m.team_id = member.team_id
)
ON CONFLICT (user_id, team_id) DO UPDATE
SET spend = "LiteLLM_TeamMembership".spend + EXCLUDED.spend,
    total_spend = "LiteLLM_TeamMembership".total_spend + EXCLUDED.total_spend
"""


def add_days(table: str, column: str, *, has_request_id: bool) -> str:
    """Return the statement that adds to one daily table; its parameter is a JSON array of rows.

    It has the conflict key and the sums of build_bulk_upsert in
    litellm/proxy/db/daily_spend_bulk_upsert.py.
    """
    request_id = ("request_id",) if has_request_id else ()
    keys = (column, *DAILY_KEY)
    sums = (*DAILY_COUNTERS, *DAILY_SPEND)
    types = {
        **dict.fromkeys((*keys, "model_group", *request_id), "text"),
        **dict.fromkeys(DAILY_COUNTERS, "int8"),
        **dict.fromkeys(DAILY_SPEND, "float8"),
    }
    columns = ", ".join(types)
    updates = [f"{name} = t.{name} + EXCLUDED.{name}" for name in sums]
    updates += [f"{name} = coalesce(EXCLUDED.{name}, t.{name})" for name in request_id]
    return (
        f'INSERT INTO "{table}" AS t (id, {columns}, updated_at)'  # noqa: S608 -- as above
        f" SELECT gen_random_uuid()::text, {columns}, {_NOW} FROM jsonb_to_recordset(%s) AS s("
        f"{', '.join(f'{name} {kind}' for name, kind in types.items())})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {', '.join(updates)},"
        " updated_at = EXCLUDED.updated_at"
    )


def _add_counters(table: str, keys: tuple[str, ...], counters: tuple[str, ...]) -> str:
    columns = ", ".join((*keys, *counters))
    types = [f"{name} {'int4' if name == 'status_code' else 'text'}" for name in keys]
    types += [f"{name} {'float8' if name == 'spend' else 'int8'}" for name in counters]
    updates = ", ".join(f"{name} = t.{name} + EXCLUDED.{name}" for name in counters)
    return (
        f'INSERT INTO "{table}" AS t ({columns}, updated_at)'  # noqa: S608 -- as above
        f" SELECT {columns}, {_NOW} FROM jsonb_to_recordset(%s) AS s({', '.join(types)})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {updates},"
        " updated_at = EXCLUDED.updated_at"
    )


ADD_MODEL_USAGE = _add_counters(MODEL_USAGE, MODEL_USAGE_KEY, MODEL_USAGE_COUNTERS)
ADD_REQUESTS = _add_counters(REQUESTS, REQUESTS_KEY, REQUESTS_COUNTERS)
ADD_FAILED_REQUESTS = _add_counters(FAILED_REQUESTS, FAILED_REQUESTS_KEY, FAILED_COUNTERS)
ADD_CALLER_ERRORS = _add_counters(CALLER_ERRORS, CALLER_ERRORS_KEY, FAILED_COUNTERS)
ADD_TOOL_SPEND = _add_counters(TOOL_SPEND, TOOL_SPEND_KEY, TOOL_SPEND_COUNTERS)
ADD_TOOL_INDEX = f"""
INSERT INTO "{TOOL_INDEX}" (request_id, tool_name, start_time)
SELECT request_id, tool_name, start_time AT TIME ZONE 'UTC'
FROM jsonb_to_recordset(%s) AS s(request_id text, tool_name text, start_time timestamptz)
ON CONFLICT DO NOTHING
"""  # noqa: S608 -- as above
