"""What only LiteLLM's proxy does: a configuration that asks for it has its requests go there.

The lists are data; docs are generated from `RULES`. Three sorts of settings are no reason: what the
gateway does itself (`NATIVE`), what only LiteLLM's own pages, APIs and jobs depend on
(`NO_REQUEST`), and what is switched off (false, empty, none). Every other setting, one that this
version does not know among them, sends all requests to LiteLLM's proxy: better slow than half done.
Sources: proxy_server.py `load_config`, proxy/_types.py `ConfigGeneralSettings`, router.py
`Router.__init__`, types/router.py `LiteLLM_Params`, of LiteLLM 1.106.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.deployment import LiteLLMOnly

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNKNOWN = "the gateway does not know this setting"

NATIVE: Mapping[str, frozenset[str]] = {
    "": frozenset({"model_list", "router_settings", "litellm_settings", "general_settings"}),
    "router_settings": frozenset(
        {
            *("routing_strategy", "routing_strategy_args", "num_retries", "retry_after"),
            *("timeout", "stream_timeout", "allowed_fails", "cooldown_time", "max_fallbacks"),
            *("fallbacks", "default_fallbacks", "context_window_fallbacks"),
            *("content_policy_fallbacks", "retry_policy", "model_group_retry_policy"),
            *("model_group_alias", "provider_budget_config", "default_max_parallel_requests"),
            *("enable_tag_filtering", "enable_pre_call_checks"),
        }
    ),
    "litellm_settings": frozenset(
        {
            *("drop_params", "request_timeout", "num_retries", "fallbacks", "default_fallbacks"),
            *("context_window_fallbacks", "content_policy_fallbacks"),
            *("cost_discount_config", "cost_margin_config"),
        }
    ),
    "general_settings": frozenset(
        {
            *("master_key", "database_url", "store_prompts_in_spend_logs", "disable_spend_logs"),
            *("max_request_size_mb", "trusted_proxy_ranges", "use_x_forwarded_for"),
            *("maximum_spend_logs_retention_period", "maximum_spend_logs_retention_interval"),
        }
    ),
}
"""What the gateway reads and does itself, by section; "" is the file's top."""

LIBRARY = frozenset({"modify_params", "ssl_verify", "ssl_certificate"})
"""litellm_settings of LiteLLM's library, which the worker sets on it; other providers need none."""

NO_REQUEST: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {
            *("agent_list", "agents", "assistant_settings", "callback_settings", "cli_plugins"),
            *("credential_list", "environment_variables", "files_settings", "finetune_settings"),
            *("mcp_aliases", "mcp_servers", "mcp_tools", "sandbox_tools", "search_tools"),
            *("vector_store_registry", "worker_registry"),
        }
    ),
    "router_settings": frozenset(
        {
            *("background_health_check_model_groups", "cache_kwargs", "caching_groups"),
            *("client_ttl", "debug_level", "disable_cooldowns", "polling_interval", "set_verbose"),
            *("redis_db", "redis_host", "redis_password", "redis_port", "redis_url"),
            *("health_check_ignore_transient_errors", "health_check_staleness_threshold"),
            *("alerting_config", "deployment_affinity_ttl_seconds", "default_priority"),
        }
    ),
    "litellm_settings": frozenset(
        {
            *("set_verbose", "json_logs", "telemetry", "cache_params", "suppress_debug_info"),
            *("default_internal_user_params", "default_max_internal_user_budget"),
            *("max_internal_user_budget", "internal_user_budget_duration", "max_ui_session_budget"),
            *("upperbound_key_generate_params", "default_key_generate_params"),
            *("key_generation_settings", "key_alias_pattern", "public_model_groups"),
            *("public_model_groups_links", "ui_theme_config", "audit_log_callbacks"),
            *("store_audit_logs", "s3_audit_callback_params", "service_callback", "responses"),
            *("budget_reset_time", "turn_off_message_logging", "custom_prometheus_metadata_labels"),
            *("prometheus_initialize_budget_metrics", "enable_redis_auth_cache"),
        }
    ),
    "general_settings": frozenset(
        {
            *("alert_to_webhook_url", "alert_type_config", "alert_types", "alerting_args"),
            *("alerting_threshold", "allow_cli_sso_verification_uri_complete"),
            *("allow_public_health_readiness_details", "auto_redirect_ui_login_to_sso"),
            *("background_health_checks", "background_health_check_model_groups"),
            *("control_plane_url", "coordination_redis", "custom_key_generate"),
            *("custom_key_update", "custom_sso", "custom_team_metadata_validate"),
            *("custom_ui_sso_sign_in_handler", "database_args", "database_connect_timeout"),
            *("database_connection_pool_limit", "database_connection_pool_timeout"),
            *("database_connection_timeout", "database_disable_prepared_statements"),
            *("database_extra_connection_params", "database_max_idle_connection_lifetime"),
            *("database_socket_timeout", "database_type", "default_team_disabled"),
            *("disable_auto_add_proxy_admin_to_teams", "disable_budget_reservation"),
            *("disable_custom_api_keys", "disable_env_credential_login", "disable_error_logs"),
            *("disable_key_generate_for_org_admin", "disable_master_key_return"),
            *("disable_password_login_when_sso_enabled", "disable_prisma_schema_update"),
            *("disable_reset_budget", "disable_responses_id_security", "disable_spend_updates"),
            *("drain_endpoint_token", "enable_drain_endpoint", "enable_mcp_registry"),
            *("enable_public_model_hub", "fail_closed_budget_enforcement"),
            *("failed_login_block_seconds", "failed_login_window_seconds"),
            *("health_check_concurrency", "health_check_details", "health_check_interval"),
            *("health_check_skip_disabled_background_models", "hide_default_credentials_hint"),
            *("infer_model_from_keys", "litellm_license", "max_batch_file_records"),
            *("max_batch_file_size_mb", "max_batch_file_uploads_per_day", "max_file_size_mb"),
            *("max_file_downloads_per_minute", "max_failed_login_attempts_per_source"),
            *("max_failed_login_attempts_per_source_overrides", "mcp_advertised_versions"),
            *("mcp_allowed_clients", "mcp_client_id_header", "mcp_internal_ip_ranges"),
            *("mcp_required_fields", "mcp_trusted_proxy_ranges", "mcp_xff_num_trusted_hops"),
            *("maximum_autorouter_session_retention_period", "maximum_spend_logs_cleanup_cron"),
            *("maximum_daily_tag_spend_retention_period", "maximum_health_check_retention_period"),
            *("maximum_spend_logs_cleanup_batch_size", "maximum_spend_logs_cleanup_batch_timeout"),
            *("maximum_spend_logs_cleanup_max_batches", "maximum_spend_logs_cleanup_run_budget"),
            *("pass_through_endpoints", "pass_through_request_timeout"),
            *("password_policy_check_breached_passwords", "password_policy_min_length"),
            *("password_policy_require_lowercase", "password_policy_require_numbers"),
            *("password_policy_require_special_characters", "password_policy_require_uppercase"),
            *("proxy_batch_polling_interval", "proxy_batch_write_at"),
            *("proxy_budget_rescheduler_max_time", "proxy_budget_rescheduler_min_time"),
            *("proxy_config_reload_interval_seconds", "scheduled_job_stagger"),
            *("spend_report_frequency", "store_model_in_db", "supported_db_objects"),
            *("team_metadata_schema", "ui_access_mode", "user_api_key_cache_max_size"),
            *("user_api_key_cache_ttl", "user_mcp_management_mode", "use_spend_logs_partitioning"),
        }
    ),
}
"""What no request that the gateway takes depends on."""

RULES: Mapping[str, Mapping[str, str]] = {
    "": {
        "guardrails": "guardrails read and change prompts and answers",
        "policies": "policies choose guardrails",
        "policy_attachments": "policies choose guardrails",
        "prompts": "LiteLLM assembles prompts",
    },
    "router_settings": {
        "allowed_fails_policy": "failures are counted by the kind of error",
        "cache_responses": "answers come from a cache",
        "default_litellm_params": "every request takes parameters from here",
        "enable_health_check_routing": "LiteLLM's own health checks choose deployments",
        "enable_weighted_failover": "failover by weight",
        "model_group_affinity_config": "a caller stays with one deployment",
        "optional_pre_call_checks": "checks of LiteLLM's router before each request",
        "plugins": "plugins choose deployments",
        "routing_groups": "strategies of a single model group",
        "tag_filtering_match_any": "tags are matched in another way",
        "tag_routing_prefix": "tags are matched in another way",
    },
    "litellm_settings": {
        "cache": "answers come from a cache",
        "callbacks": "callbacks see, and may change, every request",
        "success_callback": "a callback is notified of every answer",
        "failure_callback": "a callback is notified of every failure",
        "default_team_settings": "callbacks of a single team",
        "global_prompt_directory": "LiteLLM assembles prompts",
        "global_bitbucket_config": "LiteLLM assembles prompts",
        "global_gitlab_config": "LiteLLM assembles prompts",
        "guardrails": "guardrails read and change prompts and answers",
        "max_budget": "one budget holds for all keys together",
        "max_end_user_budget": "a budget holds for every end user",
        "model_group_settings": "settings of a single model group",
        "post_call_rules": "rules check answers",
        "pre_call_rules": "rules check prompts",
        "priority_reservation": "capacity is kept for some keys",
        "priority_reservation_settings": "capacity is kept for some keys",
        "custom_provider_map": "a custom provider, in Python",
    },
    "general_settings": {
        "alerting": "LiteLLM sends alerts about slow and failing requests",
        "allow_client_side_credentials": "callers bring their own provider keys",
        "allow_user_auth": "other ways to log in",
        "allowed_ips": "only some addresses may send requests",
        "allowed_routes": "only some paths are allowed",
        "always_include_stream_usage": "streams carry more than was asked for",
        "apply_user_budget_to_team_keys": "budgets are charged in another way",
        "completion_model": "one model answers every request, whatever model it names",
        "custom_auth": "custom code checks keys",
        "custom_key_policy": "custom code checks keys",
        "enable_jwt_auth": "callers authenticate with another service's tokens",
        "enforce_rbac": "roles decide who may send requests",
        "enforce_user_param": "a request without `user` is refused",
        "enforced_params": "requests without certain fields are refused",
        "forward_client_headers_to_llm_api": "callers' headers go to providers",
        "forward_llm_provider_auth_headers": "callers' headers go to providers",
        "forward_openai_org_id": "callers' headers go to providers",
        "global_max_parallel_requests": "one limit holds for all keys together",
        "key_management_system": "keys are in a secret manager",
        "litellm_jwtauth": "callers authenticate with another service's tokens",
        "litellm_key_header_name": "keys come in another header",
        "max_parallel_requests": "one limit holds for every key",
        "max_response_size_mb": "long answers are refused",
        "missing_session_id": "requests without a session are refused, or get one",
        "public_routes": "some paths need no key",
        "reject_clientside_metadata_tags": "requests with tags are refused",
        "role_permissions": "roles decide who may send requests",
        "token_rate_limit_type": "tokens a minute are counted in another way",
        "user_header_mappings": "a header says who the end user is",
        "user_header_name": "a header says who the end user is",
    },
    "litellm_params": {
        **dict.fromkeys(
            (
                *("auto_router_config", "auto_router_config_path", "complexity_router_config"),
                *("adaptive_router_config", "quality_router_config"),
            ),
            "the prompt decides which model answers",
        ),
        "budget_duration": "the deployment has a budget",
        "max_budget": "the deployment has a budget",
        "configurable_clientside_auth_params": "callers bring their own provider keys",
        "default_api_key_rpm_limit": "every key has a limit for this model",
        "default_api_key_tpm_limit": "every key has a limit for this model",
        "guardrails": "guardrails read and change prompts and answers",
        "itpm": "input and output tokens have separate limits",
        "otpm": "input and output tokens have separate limits",
        "litellm_credential_name": "its key is in LiteLLM's list of credentials",
        "prompt_id": "LiteLLM assembles prompts",
        "stream_timeout_by_service_tier": "timeouts by service tier",
        "tag_regex": "headers are matched against tags",
        "timeout_by_service_tier": "timeouts by service tier",
    },
    "model_info": {
        "access_windows": "it may be used at certain hours only",
        "cost_per_ptu_per_hour": "it is paid by the hour",
        "ptu_count": "it is paid by the hour",
        "enable_tag_filtering": "tags are matched for each alias",
        "supported_environments": "it runs in some environments only",
        "team_id": "it belongs to one team",
    },
}
"""Section → setting → what it asks for: why its requests go to LiteLLM's proxy."""

SEEN_BY_THE_GATEWAY = frozenset({"prometheus"})
"""Callbacks that change nothing, and whose figures the gateway has itself."""

_CALLBACKS = frozenset({"callbacks", "success_callback", "failure_callback"})
_SECTIONS = ("router_settings", "litellm_settings", "general_settings")


def litellm_only(config: Mapping[str, Any]) -> tuple[LiteLLMOnly, ...]:
    """Return why every request goes to LiteLLM's proxy; () when none has to."""
    found = list(_of_section("", config))
    for section in _SECTIONS:
        found.extend(_of_section(section, config.get(section) or {}))
    return tuple(found)


def litellm_only_of_deployment(entry: Mapping[str, Any]) -> tuple[LiteLLMOnly, ...]:
    """Return why the requests of one entry of the model list go there."""
    found = [
        LiteLLMOnly(name, why)
        for section in ("litellm_params", "model_info")
        for name, why in RULES[section].items()
        if _is_on((entry.get(section) or {}).get(name))
    ]
    if str(entry["litellm_params"].get("model", "")).startswith("auto_router/"):
        found.append(LiteLLMOnly("auto_router", "the prompt decides which model answers"))
    if _is_on(entry.get("blocked")) or _is_on((entry.get("model_info") or {}).get("blocked")):
        found.append(LiteLLMOnly("blocked", "it is paused in LiteLLM"))
    return tuple(found)


def _of_section(section: str, settings: Mapping[str, Any]) -> Iterable[LiteLLMOnly]:
    harmless = NATIVE[section] | NO_REQUEST[section]
    if section == "litellm_settings":
        harmless |= LIBRARY
    rules = RULES[section]
    for name, value in settings.items():
        if name in harmless or not _is_on(value):
            continue
        if name in _CALLBACKS and section and _names(value) <= SEEN_BY_THE_GATEWAY:
            continue
        yield LiteLLMOnly(f"{section}.{name}" if section else name, rules.get(name, UNKNOWN))


def _is_on(value: object) -> bool:
    return not (value is None or value is False or (hasattr(value, "__len__") and not value))


def _names(value: object) -> frozenset[object]:
    values = value if isinstance(value, list) else [value]
    return frozenset(str(each) for each in values)
