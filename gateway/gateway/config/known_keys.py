"""Which keys LiteLLM 1.106.2 knows, where a misspelt one would be ignored silently.

general_settings and litellm_settings are left to LiteLLM: it takes any attribute of its own there.
`include` is missing on purpose: what it names would not be checked.
Sources: proxy_server.py `load_config`, types/router.py `Deployment`, router.py `Router.__init__`.
"""

from __future__ import annotations

TOP_LEVEL = frozenset(
    {
        "agent_list",
        "agents",
        "assistant_settings",
        "callback_settings",
        "cli_plugins",
        "credential_list",
        "environment_variables",
        "files_settings",
        "finetune_settings",
        "general_settings",
        "guardrails",
        "litellm_settings",
        "mcp_aliases",
        "mcp_servers",
        "mcp_tools",
        "model_list",
        "policies",
        "policy_attachments",
        "prompts",
        "router_settings",
        "sandbox_tools",
        "search_tools",
        "vector_store_registry",
        "worker_registry",
    }
)

DEPLOYMENT = frozenset({"model_name", "litellm_params", "model_info", "blocked"})

ROUTER = frozenset(
    {
        "alerting_config",
        "allowed_fails",
        "allowed_fails_policy",
        "background_health_check_model_groups",
        "cache_kwargs",
        "cache_responses",
        "caching_groups",
        "client_ttl",
        "content_policy_fallbacks",
        "context_window_fallbacks",
        "cooldown_time",
        "debug_level",
        "default_fallbacks",
        "default_litellm_params",
        "default_max_parallel_requests",
        "default_priority",
        "deployment_affinity_ttl_seconds",
        "disable_cooldowns",
        "enable_health_check_routing",
        "enable_pre_call_checks",
        "enable_tag_filtering",
        "enable_weighted_failover",
        "fallbacks",
        "health_check_ignore_transient_errors",
        "health_check_staleness_threshold",
        "max_fallbacks",
        "model_group_affinity_config",
        "model_group_alias",
        "model_group_retry_policy",
        "num_retries",
        "optional_pre_call_checks",
        "plugins",
        "polling_interval",
        "provider_budget_config",
        "redis_db",
        "redis_host",
        "redis_password",
        "redis_port",
        "redis_url",
        "retry_after",
        "retry_policy",
        "routing_groups",
        "routing_strategy",
        "routing_strategy_args",
        "set_verbose",
        "stream_timeout",
        "tag_filtering_match_any",
        "tag_routing_prefix",
        "timeout",
    }
)

STRATEGIES = (
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "cost-based-routing",
    "usage-based-routing",
    "usage-based-routing-v2",
    "provider-budget-routing",
)

NUMBERS = ("num_retries", "timeout", "stream_timeout", "allowed_fails", "cooldown_time")
"""Settings of the router that must be numbers, 0 or more."""

FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
"""Settings of the router that map an alias to the aliases to try next."""
