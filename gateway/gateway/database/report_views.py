"""The views that reports and BI tools read, in a schema of their own.

The views have their own schema for two reasons. Prisma checks only LiteLLM's schema. And a
read-only role can be given rights on this schema alone, so that it sees these views and no table
(`./run spend role NAME`). The views are rebuilt when their text changes. They are dropped before
migrations, because a migration cannot change a column that a view shows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from gateway.database.connection import Connection

SCHEMA = "gateway_reports"

# Costs are stored in double precision. As numeric they are summed exactly, without invented digits.
# Times are in UTC, as LiteLLM writes them. Rows have the gateway's markers only where they apply.
REQUESTS = """
SELECT logs.request_id,
       logs.litellm_call_id AS call_id,
       coalesce(logs.metadata #>> '{gateway,request_id}', logs.litellm_call_id)
           AS gateway_request_id,
       logs."startTime" AS started_at,
       logs."startTime"::date AS day,
       coalesce(nullif(logs.model_group, ''), logs.model) AS alias,
       logs.model,
       logs.custom_llm_provider AS provider,
       coalesce(keys.key_alias,
                nullif(logs.metadata ->> 'user_api_key_alias', ''),
                CASE logs.api_key WHEN 'litellm_proxy_master_key' THEN 'master key' END,
                'unknown key ' || left(nullif(logs.api_key, ''), 8),
                'no key') AS key,
       logs.api_key AS key_hash,
       coalesce(logs.status, '') = 'failure' AS failed,
       logs.prompt_tokens,
       logs.completion_tokens,
       logs.spend::numeric AS cost_usd,
       coalesce(logs.metadata #>> '{gateway,usage_counted}' = 'true', false) AS usage_counted,
       coalesce(logs.metadata #>> '{gateway,unpriced}' = 'true', false) AS unpriced,
       coalesce(logs.metadata #>> '{gateway,reconciled}' = 'true', false) AS reconciled
FROM "LiteLLM_SpendLogs" AS logs
LEFT JOIN "LiteLLM_VerificationToken" AS keys ON keys.token = logs.api_key
"""

DAILY = """
SELECT day, alias, model, provider, key,
       count(*) AS requests,
       count(*) FILTER (WHERE failed) AS failed,
       sum(prompt_tokens) AS prompt_tokens,
       sum(completion_tokens) AS completion_tokens,
       sum(cost_usd) AS cost_usd,
       count(*) FILTER (WHERE usage_counted) AS usage_counted,
       count(*) FILTER (WHERE unpriced) AS unpriced,
       count(*) FILTER (WHERE reconciled) AS reconciled
FROM gateway_reports.requests
GROUP BY day, alias, model, provider, key
"""

VIEWS = {"requests": REQUESTS, "daily": DAILY}
FINGERPRINT = hashlib.sha256("".join(VIEWS.values()).encode()).hexdigest()
"""The hash of the views' SQL; the schema's comment has it, to show what they were made from."""


def are_current(connection: Connection) -> bool:
    """Return whether the views exist and were made from this SQL."""
    row = connection.execute(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s", [SCHEMA]
    ).fetchone()
    return row is not None and row[0] == FINGERPRINT


def drop(connection: Connection) -> None:
    """Drop the views. The schema stays, with the rights on views to be created in it."""
    with connection.transaction():
        for name in reversed(VIEWS):
            connection.execute(
                sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(SCHEMA, name))
            )
        connection.execute(
            sql.SQL(
                "DO $$ BEGIN IF to_regnamespace({name}) IS NOT NULL THEN"
                " COMMENT ON SCHEMA {schema} IS NULL; END IF; END $$"
            ).format(name=sql.Literal(SCHEMA), schema=sql.Identifier(SCHEMA))
        )


def create(connection: Connection) -> None:
    """Create the schema and the views, all of them or none.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not create a schema.
    """
    with connection.transaction():
        drop(connection)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
        for name, text in VIEWS.items():
            connection.execute(
                sql.SQL("CREATE VIEW {} AS ").format(sql.Identifier(SCHEMA, name)) + sql.SQL(text)
            )
        connection.execute(
            sql.SQL("COMMENT ON SCHEMA {} IS {}").format(
                sql.Identifier(SCHEMA), sql.Literal(FINGERPRINT)
            )
        )
