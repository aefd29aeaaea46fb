"""Every table and column of LiteLLM's that the journal writes, and the one table of its own.

The columns are those of LiteLLM's schema.prisma. A contract test compares them with the shipped
migrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.database.connection import Connection

SPEND_LOGS = "LiteLLM_SpendLogs"

SPEND_LOG_DEFAULTS: dict[str, object] = {
    "request_id": "",
    "call_type": "",
    "api_key": "",
    "spend": 0.0,
    "total_tokens": 0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "startTime": None,
    "endTime": None,
    "request_duration_ms": None,
    "completionStartTime": None,
    "model": "",
    "model_id": "",
    "model_group": "",
    "custom_llm_provider": "",
    "api_base": "",
    "user": "",
    "metadata": {},
    "cache_hit": "False",
    "cache_key": "Cache OFF",
    "request_tags": [],
    "team_id": "",
    "organization_id": "",
    "end_user": "",
    "requester_ip_address": None,
    "messages": {},
    "response": {},
    "session_id": None,
    "status": "success",
    "mcp_namespaced_tool_name": None,
    "billing_agent_id": None,
    "agent_id": None,
    "proxy_server_request": {},
    "litellm_call_id": None,
}
"""A row's columns, each with the value that LiteLLM writes when a record does not set it."""

SPENDERS: dict[str, tuple[str, str]] = {
    "user": ("LiteLLM_UserTable", "user_id"),
    "end_user": ("LiteLLM_EndUserTable", "user_id"),
    "key": ("LiteLLM_VerificationToken", "token"),
    "team": ("LiteLLM_TeamTable", "team_id"),
    "team_member": ("LiteLLM_TeamMembership", "user_id"),
    "organization": ("LiteLLM_OrganizationTable", "organization_id"),
    "organization_member": ("LiteLLM_OrganizationMembership", "user_id"),
    "project": ("LiteLLM_ProjectTable", "project_id"),
    "tag": ("LiteLLM_TagTable", "tag_name"),
    "model_access_group": ("LiteLLM_ModelAccessGroupBudgetTable", "access_group_name"),
    "agent": ("LiteLLM_AgentsTable", "agent_id"),
}
"""What can be charged: LiteLLM's name of the kind, its table, and the column of its id.

The order is the one in which LiteLLM locks the tables (_SPEND_TABLE_COMMIT_ORDER in
litellm/proxy/db/db_spend_update_writer.py). Locking them in another order can cause a deadlock with
LiteLLM.
"""

SPENDER_COLUMNS: dict[str, tuple[str, ...]] = {
    **{table: ("spend", "updated_at") for table, _ in SPENDERS.values()},
    "LiteLLM_EndUserTable": ("user_id", "spend", "blocked"),
    "LiteLLM_VerificationToken": ("spend", "total_spend", "last_active", "updated_at"),
    "LiteLLM_TeamMembership": ("user_id", "team_id", "spend", "total_spend"),
    "LiteLLM_OrganizationMembership": ("spend",),
}
"""The columns that are written in the tables above."""

DAILY: dict[str, tuple[str, str]] = {
    "user": ("LiteLLM_DailyUserSpend", "user_id"),
    "team": ("LiteLLM_DailyTeamSpend", "team_id"),
    "org": ("LiteLLM_DailyOrganizationSpend", "organization_id"),
    "end_user": ("LiteLLM_DailyEndUserSpend", "end_user_id"),
    "agent": ("LiteLLM_DailyAgentSpend", "agent_id"),
    "tag": ("LiteLLM_DailyTagSpend", "tag"),
}
"""The daily tables, in LiteLLM's order (daily_spend_bulk_upsert.py), and the column of the id."""

DAILY_KEY = (
    "date",
    "api_key",
    "model",
    "custom_llm_provider",
    "mcp_namespaced_tool_name",
    "endpoint",
)
"""The columns of the unique index, besides the column of the id; none of them may be null."""

DAILY_COUNTERS = (
    "prompt_tokens",
    "completion_tokens",
    "api_requests",
    "successful_requests",
    "failed_requests",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "compression_saved_tokens",
    "total_response_time_ms",
    "timed_requests",
)
DAILY_SPEND = (
    "spend",
    "compression_savings_spend",
    "prompt_caching_savings_spend",
    "gateway_injected_caching_savings_spend",
    "autorouter_savings_spend",
)

MODEL_USAGE = "LiteLLM_DailyModelUsage"
MODEL_USAGE_KEY = ("date", "model_group", "model", "custom_llm_provider", "task_type")
MODEL_USAGE_COUNTERS = (
    "spend",
    "prompt_tokens",
    "completion_tokens",
    "request_count",
    "successful_requests",
    "failed_requests",
)

REQUESTS = "LiteLLM_DailyGatewayRequests"
REQUESTS_KEY = ("date", "category", "route")
REQUESTS_COUNTERS = ("successful_requests", "failed_requests")
FAILED_REQUESTS = "LiteLLM_DailyGatewayFailedRequests"
FAILED_REQUESTS_KEY = (*REQUESTS_KEY, "status_code")
CALLER_ERRORS = "LiteLLM_DailyRequestErrors"
CALLER_ERRORS_KEY = ("date", "api_key", "team_id", "user_id", "model_group", "status_code")
FAILED_COUNTERS = ("failed_requests",)
"""The two tables of failures: by path, and by caller. LiteLLM's page of usage shows both."""

LLM_REQUEST = "llm"
"""The category under which LiteLLM counts what its own server answers, for its usage page:
`BillableCategory` in litellm/proxy/middleware/billable_request_metrics_middleware.py."""

TOOL_INDEX = "LiteLLM_SpendLogToolIndex"
TOOL_INDEX_COLUMNS = ("request_id", "tool_name", "start_time")
TOOL_SPEND = "LiteLLM_DailyToolSpend"
TOOL_SPEND_KEY = ("date", "tool_name")
TOOL_SPEND_COUNTERS = ("spend", "total_tokens", "request_count")

POSITIONS = "gateway_data.journal_position"
"""How far each journal is in the database. Reading spend and this in one snapshot shows which
records the spend includes."""

_CREATE = """
CREATE SCHEMA IF NOT EXISTS gateway_data;
CREATE TABLE IF NOT EXISTS gateway_data.journal_position (
    journal text PRIMARY KEY,
    at bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50)
"""


def written() -> dict[str, tuple[str, ...]]:
    """Return every column of LiteLLM's that is written or used in a condition, by table."""
    daily = (*DAILY_KEY, "id", "model_group", *DAILY_COUNTERS, *DAILY_SPEND, "updated_at")
    return {
        SPEND_LOGS: tuple(SPEND_LOG_DEFAULTS),
        **{
            table: tuple(dict.fromkeys((column, *SPENDER_COLUMNS[table])))
            for table, column in SPENDERS.values()
        },
        **{
            table: (column, *daily, *(("request_id",) if kind == "tag" else ()))
            for kind, (table, column) in DAILY.items()
        },
        MODEL_USAGE: (*MODEL_USAGE_KEY, *MODEL_USAGE_COUNTERS, "updated_at"),
        REQUESTS: (*REQUESTS_KEY, *REQUESTS_COUNTERS, "updated_at"),
        FAILED_REQUESTS: (*FAILED_REQUESTS_KEY, *FAILED_COUNTERS, "updated_at"),
        CALLER_ERRORS: (*CALLER_ERRORS_KEY, *FAILED_COUNTERS, "updated_at"),
        TOOL_INDEX: TOOL_INDEX_COLUMNS,
        TOOL_SPEND: (*TOOL_SPEND_KEY, *TOOL_SPEND_COUNTERS, "updated_at"),
    }


def create_tables(connection: Connection) -> None:
    """Create the journal's own schema and table where they are missing; for `migrate`.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not create a schema.
    """
    with connection.transaction():
        connection.execute(_CREATE)
