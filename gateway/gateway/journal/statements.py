"""What a batch of records does to LiteLLM's tables, in the statements of one transaction.

The same as LiteLLM's DBSpendUpdateWriter, which does it in a dozen transactions:
litellm/proxy/db/db_spend_update_writer.py, model_usage_rollup.py and spend_log_tool_index.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.database.connection import Connection
    from gateway.journal.record import Record

_TABLES = {  # kind: table, column of its id; in LiteLLM's order, which all writers lock in
    "user": ("LiteLLM_UserTable", "user_id"),
    "key": ("LiteLLM_VerificationToken", "token"),
    "team": ("LiteLLM_TeamTable", "team_id"),
    "organization": ("LiteLLM_OrganizationTable", "organization_id"),
    "project": ("LiteLLM_ProjectTable", "project_id"),
    "tag": ("LiteLLM_TagTable", "tag_name"),
    "model_access_group": ("LiteLLM_ModelAccessGroupBudgetTable", "access_group_name"),
    "agent": ("LiteLLM_AgentsTable", "agent_id"),
}

_OTHERS = """
UPDATE {table} AS t SET spend = t.spend + s.cost, updated_at = now() AT TIME ZONE 'UTC'
FROM (SELECT * FROM unnest(%s::text[], %s::float8[]) AS u(id, cost) ORDER BY id) AS s
WHERE t.{column} = s.id
"""

_KEYS = """
UPDATE {table} AS t SET spend = t.spend + s.cost, total_spend = t.total_spend + s.cost,
    last_active = now() AT TIME ZONE 'UTC', updated_at = now() AT TIME ZONE 'UTC'
FROM (SELECT * FROM unnest(%s::text[], %s::float8[]) AS u(id, cost) ORDER BY id) AS s
WHERE t.{column} = s.id
"""

_END_USERS = """
INSERT INTO "LiteLLM_EndUserTable" AS t (user_id, spend, blocked)
SELECT s.id, s.cost, false FROM unnest(%s::text[], %s::float8[]) AS s(id, cost)
ON CONFLICT (user_id) DO UPDATE SET spend = t.spend + EXCLUDED.spend
"""

_ORGANIZATION_MEMBERS = """
UPDATE "LiteLLM_OrganizationMembership" AS t SET spend = coalesce(t.spend, 0) + s.cost
FROM unnest(%s::text[], %s::text[], %s::float8[]) AS s(organization, member, cost)
WHERE t.organization_id = s.organization AND t.user_id = s.member
"""

_MODEL_USAGE = """
INSERT INTO "LiteLLM_DailyModelUsage" AS t (date, model_group, model, custom_llm_provider,
    task_type, spend, prompt_tokens, completion_tokens, request_count, successful_requests,
    failed_requests, updated_at)
SELECT date, model_group, model, custom_llm_provider, task_type, sum(spend), sum(prompt_tokens),
    sum(completion_tokens), count(*), count(*) FILTER (WHERE successful),
    count(*) FILTER (WHERE NOT successful), now() AT TIME ZONE 'UTC'
FROM jsonb_to_recordset(%s) AS s(date text, model_group text, model text, custom_llm_provider text,
    task_type text, spend float8, prompt_tokens int8, completion_tokens int8, successful bool)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (date, model_group, model, custom_llm_provider, task_type) DO UPDATE SET
    spend = t.spend + EXCLUDED.spend,
    prompt_tokens = t.prompt_tokens + EXCLUDED.prompt_tokens,
    completion_tokens = t.completion_tokens + EXCLUDED.completion_tokens,
    request_count = t.request_count + EXCLUDED.request_count,
    successful_requests = t.successful_requests + EXCLUDED.successful_requests,
    failed_requests = t.failed_requests + EXCLUDED.failed_requests,
    updated_at = EXCLUDED.updated_at
"""

_TOOL_INDEX = """
INSERT INTO "LiteLLM_SpendLogToolIndex" (request_id, tool_name, start_time)
SELECT request_id, tool_name, start_time AT TIME ZONE 'UTC'
FROM jsonb_to_recordset(%s) AS s(request_id text, tool_name text, start_time timestamptz)
ON CONFLICT DO NOTHING
"""

_TOOL_USAGE = """
INSERT INTO "LiteLLM_DailyToolSpend" AS t (date, tool_name, spend, total_tokens, request_count,
    updated_at)
SELECT date, tool_name, sum(spend), sum(total_tokens), count(*), now() AT TIME ZONE 'UTC'
FROM jsonb_to_recordset(%s) AS s(date text, tool_name text, spend float8, total_tokens int8)
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (date, tool_name) DO UPDATE SET
    spend = t.spend + EXCLUDED.spend,
    total_tokens = t.total_tokens + EXCLUDED.total_tokens,
    request_count = t.request_count + EXCLUDED.request_count,
    updated_at = EXCLUDED.updated_at
"""


def apply_records(connection: Connection, records: Sequence[Record]) -> list[Record]:
    """Writes records that are not in the database yet, rows and sums in one transaction.

    Returns:
        Those that were not there yet.

    Raises:
        psycopg.Error: nothing was written; or, when the connection broke, it is not known.
    """
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = '30s'")
        connection.execute("SET LOCAL lock_timeout = '10s'")
        written = _insert_rows(connection, records)
        if written:
            _add_spend(connection, written)
            _add_daily(connection, written)
            _add_usage(connection, written)
    return written


def _insert_rows(connection: Connection, records: Sequence[Record]) -> list[Record]:
    rows = {record.id: record.marked_row() for record in records}
    written = _insert(connection, rows)
    left = {identity: row for identity, row in rows.items() if identity not in written}
    if left:
        # Providers repeat their ids: a row of another record is no reason to lose this one.
        owners = _owners(connection, [row["request_id"] for row in left.values()])
        for identity, row in left.items():
            row["request_id"] = f"{row['request_id']}-{identity}"
        strangers = {identity: row for identity, row in left.items() if identity not in owners}
        written |= _insert(connection, strangers) if strangers else set()
    return [record for record in records if record.id in written]


def _insert(connection: Connection, rows: dict[str, dict[str, Any]]) -> set[str]:
    columns = sql.SQL(", ").join(map(sql.Identifier, sorted(set().union(*rows.values()))))
    statement = sql.SQL(
        'INSERT INTO "LiteLLM_SpendLogs" ({columns}) SELECT {columns}'
        ' FROM jsonb_populate_recordset(NULL::"LiteLLM_SpendLogs", %s)'
        " ON CONFLICT DO NOTHING RETURNING metadata->'gateway'->>'record'"
    ).format(columns=columns)
    return {row[0] for row in connection.execute(statement, [Jsonb(list(rows.values()))])}


def _owners(connection: Connection, request_ids: list[str]) -> set[str]:
    """Returns the records whose rows have these ids."""
    statement = (
        "SELECT metadata->'gateway'->>'record' FROM \"LiteLLM_SpendLogs\""
        " WHERE request_id = ANY(%s)"
    )
    return {row[0] for row in connection.execute(statement, [request_ids])}


def _add_spend(connection: Connection, records: Iterable[Record]) -> None:
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for record in records:
        for kind, identity in record.spend:
            sums[kind][identity] += record.cost
    for kind, (table, column) in _TABLES.items():
        if kind in sums:
            _add_to(connection, table, column, sums[kind])
    if "end_user" in sums:
        connection.execute(_END_USERS, _as_arrays(sums["end_user"]))
    if "team_member" in sums:
        _add_to_team_members(connection, sums["team_member"])
    if "organization_member" in sums:
        members = sorted(sums["organization_member"].items())
        pairs = [key.split("::") for key, _ in members]
        connection.execute(
            _ORGANIZATION_MEMBERS,
            [
                [unquote(pair[1]) for pair in pairs],
                [unquote(pair[3]) for pair in pairs],
                [cost for _, cost in members],
            ],
        )


def _add_to(connection: Connection, table: str, column: str, costs: dict[str, float]) -> None:
    statement = sql.SQL(_KEYS if table == "LiteLLM_VerificationToken" else _OTHERS)
    named = statement.format(table=sql.Identifier(table), column=sql.Identifier(column))
    connection.execute(named, _as_arrays(costs))


def _as_arrays(costs: dict[str, float]) -> list[list[Any]]:
    ordered = sorted(costs.items())
    return [[identity for identity, _ in ordered], [cost for _, cost in ordered]]


def _add_to_team_members(connection: Connection, costs: dict[str, float]) -> None:
    """Adds to the members of teams as LiteLLM does, with its lock against roster changes."""
    from litellm.proxy.db import db_spend_update_writer as litellm_writer  # noqa: PLC0415 -- late

    rows = sorted((key.split("::")[1], key.split("::")[3], cost) for key, cost in costs.items())
    cursor = psycopg.RawCursor(connection)
    for team in dict.fromkeys(team for team, _, _ in rows):
        cursor.execute(litellm_writer._TEAM_ADVISORY_LOCK_SQL, [team])  # noqa: SLF001 -- as it does
    members = [{"user_id": user, "team_id": team, "cost": cost} for team, user, cost in rows]
    cursor.execute(litellm_writer._TEAM_MEMBER_SPEND_SQL, [json.dumps(members)])  # noqa: SLF001


def _add_daily(connection: Connection, records: Iterable[Record]) -> None:
    from litellm.proxy.db.daily_spend_bulk_upsert import (  # noqa: PLC0415 -- imported by now
        DAILY_SPEND_TABLES,
        build_bulk_upsert,
        merge_by_conflict_key,
    )

    added: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        for kind, entries in record.daily.items():
            added[kind].extend(entries)
    cursor = psycopg.RawCursor(connection)
    for kind, table in DAILY_SPEND_TABLES.items():
        if added[kind]:
            merged = merge_by_conflict_key(table=table, transactions=tuple(added[kind]))
            for start in range(0, len(merged), 100):
                cursor.execute(*build_bulk_upsert(table=table, batch=merged[start : start + 100]))


def _add_usage(connection: Connection, records: Sequence[Record]) -> None:
    usage = [record.model_usage for record in records if record.model_usage is not None]
    if usage:
        connection.execute(_MODEL_USAGE, [Jsonb(usage)])
    tools = [
        {**record.tools, "tool_name": name}
        for record in records
        if record.tools is not None
        for name in record.tools["tool_names"]
    ]
    if tools:
        connection.execute(_TOOL_INDEX, [Jsonb(tools)])
        connection.execute(_TOOL_USAGE, [Jsonb(tools)])
