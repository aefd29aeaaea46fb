"""What LiteLLM's proxy is started with: its configuration file and its environment.

Each switch names the place in LiteLLM 1.108.7 that reads it (proxy/… unless said otherwise).
Whatever of the user's file is for LiteLLM (guardrails, callbacks, cache, prompts, MCP servers …) is
passed on unchanged; its models are replaced by calls to the gateway.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.deployment import Deployment, Models

CALLBACK = "gateway.proxy.callback.signed_identity"
"""Of `litellm_settings.callbacks`; types_utils/utils.py:15 imports it."""

TOKEN = "identity-is-in-a-signed-header"  # noqa: S105 -- says nothing on purpose
"""The API key that LiteLLM sends to the gateway; the internal endpoint does not look at it."""

ALMOST_FREE = 1e-12
"""USD a token. At 0 LiteLLM skips every budget check (auth/auth_checks.py); the real cost is
reckoned and written by the gateway."""

GENERAL: dict[str, Any] = {
    # the gateway writes every row and total, and does these jobs itself
    "disable_spend_logs": True,  # proxy_server.py:6993
    "disable_spend_updates": True,  # utils.py:8332
    "disable_error_logs": True,  # hooks/proxy_track_cost_callback.py:810
    "disable_reset_budget": True,  # proxy_server.py:10861
    "maximum_spend_logs_retention_period": None,  # proxy_server.py:11116: no deletion
    "alerting": None,  # proxy_server.py, _initialize_slack_alerting_jobs: spend reports
    "health_check_interval": None,
    "background_health_checks": False,  # it would call every model
    "store_model_in_db": False,  # models added in the pages would be called past the gateway
    "disable_model_info_refresh": True,  # proxy_server.py:1706: asks every provider each 5 min
    # limits: what a key may do is judged by rows that the gateway writes
    "fail_closed_budget_enforcement": True,  # proxy_server.py:3054, 3129: reads them each time
    "user_api_key_cache_ttl": 2,  # proxy_server.py:6846; seconds until a change by SQL is seen
    # whom it believes
    "allow_client_side_credentials": False,  # auth/auth_utils.py:563
    "forward_client_headers_to_llm_api": False,  # litellm_pre_call_utils.py:1587
    "use_x_forwarded_for": True,  # the gateway sets it, and nobody else reaches LiteLLM
    "trusted_proxy_ranges": ["127.0.0.1/32"],  # the supervisor; auth/network.py:79
    # sends the start of a hash of each password of its pages to haveibeenpwned.com
    "password_policy_check_breached_passwords": False,  # auth/password_policy.py:146
}
"""Of `general_settings`; the user's file cannot change these."""

LITELLM: dict[str, Any] = {
    "budget_exceeded_status_code": 429,  # litellm/__init__.py:413; what the gateway answers too
    "disable_hf_tokenizer_download": True,
    "num_retries": 0,
    # llms/anthropic/pass_through/messages/handler.py:103. Without it /v1/messages goes by way of
    # /v1/responses, and a plain answer comes back with an empty content.
    "use_chat_completions_url_for_anthropic_messages": True,
}
"""Of `litellm_settings`; the user's file cannot change these either."""

ROUTER: dict[str, Any] = {
    "num_retries": 0,
    "disable_cooldowns": True,  # a model's 404 would take its alias away from everybody
    "enable_pre_call_checks": False,
    "routing_strategy": "simple-shuffle",
}
"""All of `router_settings`: there is one deployment to an alias, and the gateway routes."""

NOT_FOR_LITELLM = frozenset(
    {"model_list", "router_settings", "credential_list", "environment_variables"}
)
"""Top-level keys of the user's file that are the gateway's, or hold provider keys."""

OF_ROUTING = (
    "num_retries",
    "request_timeout",
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "default_fallbacks",
    "allowed_fails",
    "cooldown_time",
)
"""Of `litellm_settings`: the gateway's too."""

NO_CALLS_HOME = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price map, from GitHub at every start
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # a list of headers, from GitHub at start
    "LITELLM_LOCAL_BLOG_POSTS": "True",  # news for its pages
    "LITELLM_LOCAL_POLICY_TEMPLATES": "true",  # the same, for its policy page
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",  # the same, for its router page
    "LITELLM_TELEMETRY_DISABLED": "true",  # telemetry/settings.py:46, cannot be chosen either
    "HF_HUB_OFFLINE": "1",  # tokenizers, from Hugging Face's hub
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""What LiteLLM, as a proxy or a library, would ask others unasked, switched off."""

ENVIRONMENT = {
    **NO_CALLS_HOME,
    "DISABLE_SCHEMA_UPDATE": "true",  # `gateway migrate` does that; its own deadlocks
    "PROXY_BATCH_POLLING_ENABLED": "false",  # constants.py:1885: asks providers about batches
    "LITELLM_MODE": "PRODUCTION",  # reads no .env by itself
    "STORE_MODEL_IN_DB": "false",  # proxy_server.py:10959
    # LiteLLM asks the database periodically, and reconnects when it does not answer. Its
    # own 30 s and 15 s leave keys refused for up to a minute after an outage.
    "PRISMA_HEALTH_WATCHDOG_INTERVAL_SECONDS": "5",
    "PRISMA_HEALTH_WATCHDOG_PROBE_TIMEOUT_SECONDS": "3",
    "PRISMA_RECONNECT_COOLDOWN_SECONDS": "5",
    "PRISMA_WATCHDOG_RECONNECT_TIMEOUT_SECONDS": "15",
}
"""What LiteLLM would else do unasked, switched off, and how fast it recovers."""


def render(models: Models, document: Mapping[str, Any], internal_url: str) -> dict[str, Any]:
    """Return the content of LiteLLM's configuration file.

    Args:
        models: what can be asked.
        document: the user's litellm_config.yaml as it was read, references and all.
        internal_url: the base URL of the gateway's internal endpoint, with /v1.
    """
    kept = {
        name: copy.deepcopy(value)
        for name, value in document.items()
        if name not in NOT_FOR_LITELLM
    }
    litellm_settings = dict(kept.get("litellm_settings") or {})
    for name in OF_ROUTING:
        litellm_settings.pop(name, None)
    litellm_settings["callbacks"] = [*_names(litellm_settings.get("callbacks")), CALLBACK]
    litellm_settings |= LITELLM
    general = {**(kept.get("general_settings") or {}), **GENERAL}
    for secret in ("master_key", "database_url"):  # it finds both in its environment
        general.pop(secret, None)
    return {
        **kept,
        "model_list": [_deployment(models, alias, internal_url) for alias in _aliases(models)],
        "router_settings": _router(models),
        "litellm_settings": litellm_settings,
        "general_settings": general,
    }


def environment(
    given: Mapping[str, str], provider_variables: frozenset[str], secret: bytes
) -> dict[str, str]:
    """Return the environment of LiteLLM's process.

    Args:
        given: of this process.
        provider_variables: names of variables that hold providers' keys; none of them is passed on.
        secret: with which identities are signed.
    """
    kept = {
        name: value
        for name, value in given.items()
        # Compose passes on what is unset as empty; LiteLLM would parse some of it as numbers.
        if value
        and name not in provider_variables
        and name.removesuffix("_FILE") not in provider_variables
    }
    return {**kept, **ENVIRONMENT, "GATEWAY_IDENTITY_SECRET": secret.hex()}


def _aliases(models: Models) -> list[str]:
    return list(dict.fromkeys(deployment.alias for deployment in models.deployments))


def _deployment(models: Models, alias: str, internal_url: str) -> dict[str, Any]:
    """Return LiteLLM's only deployment of an alias: the gateway."""
    deployments = models.of_alias(alias)
    first = deployments[0]
    return {
        "model_name": alias,
        "litellm_params": {
            "model": f"openai/{alias}",
            "api_base": internal_url,
            "api_key": TOKEN,
            "use_chat_completions_api": True,  # responses/main.py:463: /responses → chat
            "input_cost_per_token": ALMOST_FREE,
            "output_cost_per_token": ALMOST_FREE,
            "num_retries": 0,
            "max_retries": 0,
        },
        "model_info": {
            "id": f"gateway/{alias}",
            "mode": first.mode,
            **_facts(deployments),
            **_groups(models, alias),
        },
    }


def _facts(deployments: tuple[Deployment, ...]) -> dict[str, Any]:
    """Return what LiteLLM's pages show of an alias: the least that each of its deployments can."""
    facts: dict[str, Any] = {"gateway_models": sorted({each.full_model for each in deployments})}
    for name in ("max_input_tokens", "max_output_tokens"):
        known = [value for each in deployments if (value := getattr(each, name)) is not None]
        if known:
            facts[name] = min(known)
    first = deployments[0]
    facts |= {n: v for n, v in first.features.items() if n.startswith("supports_")}
    price = {
        n: first.price[n]
        for n in ("input_cost_per_token", "output_cost_per_token")
        if n in first.price
    }
    return facts | ({"gateway_price": price} if price else {})


def _groups(models: Models, alias: str) -> dict[str, Any]:
    groups = [group for group, aliases in models.access_groups.items() if alias in aliases]
    return {"access_groups": groups} if groups else {}


def _router(models: Models) -> dict[str, Any]:
    if not models.router.group_aliases:
        return dict(ROUTER)
    names = {
        name: {"model": alias, "hidden": hidden}
        for name, (alias, hidden) in models.router.group_aliases.items()
    }
    return {**ROUTER, "model_group_alias": names}


def _names(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(name) for name in value] if isinstance(value, list) else []
