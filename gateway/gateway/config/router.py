"""router_settings of the effective configuration as values, with LiteLLM's own defaults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.config.deployment import RouterSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.settings import Settings

NO_TIMEOUT_GIVEN = 6000.0
"""Seconds; litellm.constants.DEFAULT_REQUEST_TIMEOUT_SECONDS."""

EVERY_ALIAS = "*"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mo": 30 * 86400}


def router_settings_of(config: Mapping[str, Any], settings: Settings) -> RouterSettings:
    """Return how deployments are chosen.

    Some settings stand in litellm_settings as well; those of router_settings come first, as in
    Router.__init__ (router.py of 1.106.2).
    """
    router = config.get("router_settings") or {}
    general = config.get("litellm_settings") or {}

    def first(name: str, default: Any, other: str | None = None) -> Any:  # noqa: ANN401 -- settings are of many types
        for section, key in ((router, name), (general, other or name)):
            if section.get(key) is not None:
                return section[key]
        return default

    chains = {
        name: _chains(first(name, ()))
        for name in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
    }
    default_fallbacks = tuple(first("default_fallbacks", ()))
    default_fallbacks = chains["fallbacks"].get(EVERY_ALIAS, ()) or default_fallbacks
    stream_timeout = router.get("stream_timeout")
    return RouterSettings(
        strategy=str(router.get("routing_strategy") or "simple-shuffle"),
        num_retries=int(first("num_retries", 2)),
        timeout=float(first("timeout", NO_TIMEOUT_GIVEN, "request_timeout")),
        stream_timeout=float(stream_timeout) if stream_timeout is not None else None,
        connect_timeout=settings.connect_timeout,
        retry_after=float(router.get("retry_after") or 0),
        fallbacks=chains["fallbacks"],
        context_window_fallbacks=chains["context_window_fallbacks"],
        content_policy_fallbacks=chains["content_policy_fallbacks"],
        default_fallbacks=default_fallbacks,
        max_fallbacks=int(_or(router.get("max_fallbacks"), 5)),
        retry_policy=_retries(router.get("retry_policy")),
        alias_retry_policies={
            alias: _retries(policy)
            for alias, policy in (router.get("model_group_retry_policy") or {}).items()
        },
        allowed_fails=int(_or(router.get("allowed_fails"), 3)),
        cooldown=float(_or(router.get("cooldown_time"), 5)),
        provider_budgets=_budgets(router.get("provider_budget_config")),
        strategy_args=router.get("routing_strategy_args") or {},
        group_aliases=_group_aliases(router.get("model_group_alias")),
        enable_tag_filtering=bool(router.get("enable_tag_filtering")),
        enable_pre_call_checks=bool(router.get("enable_pre_call_checks")),
    )


def seconds_of(duration: str) -> float:
    """Return how long a duration is: 30s, 5m, 1h, 2d, 1w, 1mo (30 days).

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(\d+)(s|m|h|d|w|mo)", duration.strip())
    if match is None:
        raise ValueError(duration)
    return float(int(match[1]) * _UNITS[match[2]])


def _chains(entries: Any) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 -- YAML, checked before
    return {
        str(alias): tuple(targets) for entry in entries or () for alias, targets in entry.items()
    }


def _retries(policy: Mapping[str, Any] | None) -> dict[str, int]:
    return {name: int(count) for name, count in (policy or {}).items() if count is not None}


def _budgets(budgets: Mapping[str, Any] | None) -> dict[str, tuple[float, float]]:
    """Return provider → (USD, seconds); LiteLLM knows both names of each (types/router.py)."""
    return {
        provider: (
            float(_or(budget.get("budget_limit"), budget.get("max_budget"))),
            seconds_of(str(budget.get("time_period") or budget.get("budget_duration"))),
        )
        for provider, budget in (budgets or {}).items()
    }


def _group_aliases(aliases: Mapping[str, Any] | None) -> dict[str, tuple[str, bool]]:
    return {
        name: (str(target["model"]), bool(target.get("hidden")))
        if isinstance(target, dict)
        else (str(target), False)
        for name, target in (aliases or {}).items()
    }


def _or(value: Any, otherwise: Any) -> Any:  # noqa: ANN401 -- as above
    return otherwise if value is None else value
