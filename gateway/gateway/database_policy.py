"""What the gateway does while its database is away, and how long rows of requests are kept.

Both are settings of LiteLLM's own, whose names and defaults hide what they do. Sources in 1.106.2:
proxy_server.py `get_current_spend`, spend_tracking/budget_reservation.py,
db/db_transaction_queue/spend_log_cleanup.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config.settings import Settings

SERVE = {
    # A key that was used since the start stays known for a day; changes through the API take it
    # out of memory, and this process is the only one.
    "user_api_key_cache_ttl": 86_400,
    "user_api_key_cache_max_size": 10_000,
}
REFUSE = {
    # Seconds for which a key is used without a look into the database.
    "user_api_key_cache_ttl": 5,
    # What was spent must be read there too, and a request whose highest cost does not fit is
    # refused, where else the last one may pass the budget.
    "fail_closed_budget_enforcement": True,
}
POLICIES: dict[str, dict[str, Any]] = {"serve": SERVE, "refuse": REFUSE}

CLEANUP = {
    "maximum_spend_logs_cleanup_batch_size": 1_000,
    "maximum_spend_logs_cleanup_max_batches": 100_000,  # the time bounds a run, not this
    "maximum_spend_logs_cleanup_run_budget": "5m",
}


def keep_members_known(config: dict[str, Any]) -> None:
    """Lets a team member stay known for as long as its key; LiteLLM is imported.

    LiteLLM forgets after 5 s what a member may spend, and then refuses the keys of members while
    the database is away. A change through the API is noticed all the same: it evicts the member
    (management_endpoints/team_endpoints.py, invalidate_team_member_spend_state).
    """
    from litellm.proxy.auth import auth_object_prefetch  # noqa: PLC0415 -- imported long before

    seconds = config["general_settings"]["user_api_key_cache_ttl"]
    auth_object_prefetch._TEAM_MEMBERSHIP_AUTH_TTL = seconds  # noqa: SLF001 -- has no setting


def add_database_policy(config: dict[str, Any], settings: Settings) -> None:
    """Adds both to a configuration; what its general_settings say of the policy stays."""
    general = {**POLICIES[settings.database_down_policy], **(config.get("general_settings") or {})}
    if settings.spend_retention is not None:
        general = {
            **CLEANUP,
            **general,
            "maximum_spend_logs_retention_period": settings.spend_retention,
            "maximum_spend_logs_cleanup_cron": settings.spend_retention_cron,
        }
    config["general_settings"] = general
