"""Settings of a key that only LiteLLM's proxy honours: a request with one of them goes there.

`docs/reference/litellm.md` is generated from these lists. A setting that is neither listed here nor
read in `identity.py` changes no request: names, timestamps, alerts, soft budgets, rotation,
`key_type` (only a label: `allowed_routes` decides), `model_spend` (nothing reads it), and metadata
of other APIs (files, batches, MCP, vector stores).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.config.deployment import LiteLLMOnly

if TYPE_CHECKING:
    from collections.abc import Iterator

Rows = Mapping[str, Mapping[str, Any]]
"""The rows behind a caller, by their names in `columns.py`."""


@dataclass(frozen=True)
class Rule:
    """A column, or a field of a metadata column, that sends a request to LiteLLM when it is set.

    Attributes:
        rows: the rows that have it, by their names in `columns.py`.
        field: the column or the metadata field.
        why: one phrase for people.
        only: the one value that sends a request to LiteLLM; None when every value does.
    """

    rows: tuple[str, ...]
    field: str
    why: str
    only: str | None = None


_BUDGETS = ("key_budget", "end_user_budget", "end_user_default")

COLUMNS = (
    Rule(
        ("key", "team", "owner", "organization", "end_user"),
        "object_permission_id",
        "permissions on MCP servers, vector stores, agents and tools",
    ),
    Rule(("key", "team", "owner"), "policies", "policies choose guardrails"),
    Rule(("key", "team"), "router_settings", "its own router settings"),
    Rule(("key",), "config", "its own model list"),
    Rule(("key",), "permissions", "permissions for guardrails"),
    Rule(("key",), "allowed_cache_controls", "LiteLLM's cache"),
    Rule(
        ("key", "team", "owner", *_BUDGETS),
        "model_max_budget",
        "a budget for one model",
    ),
    Rule(("key", "team"), "budget_limits", "several budgets at once"),
    Rule(("key",), "budget_fallbacks", "another model once a budget is spent"),
    Rule(("key", "team", *_BUDGETS), "tpd_limit", "tokens a day"),
    Rule(("key",), "project_id", "projects and their budgets"),
    Rule(("key",), "agent_id", "agents and their policies"),
    Rule(("end_user",), "allowed_model_region", "models of one region"),
    Rule(("end_user",), "default_model", "a model instead of those of other regions"),
)

_KEY_OR_TEAM = ("key", "team")
METADATA = (
    Rule(_KEY_OR_TEAM, "guardrails", "guardrails"),
    Rule(_KEY_OR_TEAM, "disable_global_guardrails", "guardrails"),
    Rule(_KEY_OR_TEAM, "opted_out_global_guardrails", "guardrails"),
    Rule(_KEY_OR_TEAM, "policies", "policies choose guardrails"),
    Rule(_KEY_OR_TEAM, "logging", "callbacks"),
    Rule(_KEY_OR_TEAM, "callback_settings", "callbacks"),
    Rule(_KEY_OR_TEAM, "litellm_disabled_callbacks", "callbacks"),
    Rule(_KEY_OR_TEAM, "prompts", "prompt management"),
    Rule(_KEY_OR_TEAM, "cache", "LiteLLM's cache"),
    Rule(_KEY_OR_TEAM, "enable_prompt_caching", "adds marks for a provider's cache"),
    Rule(_KEY_OR_TEAM, "model_config", "its own credentials for a model"),
    Rule(_KEY_OR_TEAM, "priority", "shares of a deployment's rate limit"),
    Rule(("key", "team", "organization"), "model_rpm_limit", "a limit for one model"),
    Rule(("key", "team", "organization"), "model_tpm_limit", "a limit for one model"),
    Rule(_KEY_OR_TEAM, "model_itpm_limit", "a limit for one model"),
    Rule(_KEY_OR_TEAM, "model_otpm_limit", "a limit for one model"),
    Rule(_KEY_OR_TEAM, "tag_rpm_limit", "a limit for one tag"),
    Rule(_KEY_OR_TEAM, "rpm_limit_type", "a limit only while a model fails", only="dynamic"),
    Rule(_KEY_OR_TEAM, "tpm_limit_type", "a limit only while a model fails", only="dynamic"),
    Rule(_KEY_OR_TEAM, "default_estimated_output_tokens", "how tokens are reserved"),
    Rule(_KEY_OR_TEAM, "default_estimated_output_tokens_per_model", "how tokens are reserved"),
    Rule(_KEY_OR_TEAM, "throttle_on_budget_exceeded", "slower instead of refused"),
    Rule(_KEY_OR_TEAM, "enforced_params", "required parameters"),
    Rule(_KEY_OR_TEAM, "allowed_tools", "allowed tools"),
    Rule(_KEY_OR_TEAM, "disable_fallbacks", "fallbacks are switched off"),
    Rule(_KEY_OR_TEAM, "max_iterations", "a limit for one session"),
    Rule(_KEY_OR_TEAM, "max_budget_per_session", "a budget for one session"),
    Rule(_KEY_OR_TEAM, "billing_agent_id", "agents and their policies"),
    Rule(_KEY_OR_TEAM, "allow_client_mock_response", "a control of the request's own"),
    Rule(_KEY_OR_TEAM, "allow_client_pricing_override", "a control of the request's own"),
    Rule(
        _KEY_OR_TEAM,
        "allow_client_message_redaction_opt_out",
        "a control of the request's own",
    ),
)

TAG_BUDGET = "a budget of a tag"
GROUP_BUDGET = "a budget of a model access group"
PROVIDER_WILDCARD = "a wildcard, which LiteLLM reads with its own model map"

_OWNERS = {
    "owner": "user",
    "key_budget": "key",
    "end_user_budget": "end_user",
    "end_user_default": "end_user",
}
"""A row's name for people, where the statement has another name for it."""


def found(rows: Rows) -> Iterator[LiteLLMOnly]:
    """Yield each setting of the rows that only LiteLLM's proxy honours."""
    for rule in COLUMNS:
        for name in rule.rows:
            if is_set(rows.get(name, {}).get(rule.field)):
                yield LiteLLMOnly(f"{_OWNERS.get(name, name)}.{rule.field}", rule.why)
    for rule in METADATA:
        for name in rule.rows:
            value = json_object(rows.get(name, {}).get("metadata")).get(rule.field)
            if is_set(value) and rule.only in (None, value):
                yield LiteLLMOnly(f"{name}.metadata.{rule.field}", rule.why)


def is_set(value: object) -> bool:
    """Return whether a value is set; LiteLLM also writes objects that hold nothing but nulls."""
    if isinstance(value, Mapping):
        return any(map(is_set, value.values()))
    if isinstance(value, bool):
        return value
    return value not in (None, "", [])


def json_object(value: object) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else {}."""
    return value if isinstance(value, dict) else {}
