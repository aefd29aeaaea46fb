"""What one attempt cost.

The same figure as LiteLLM's `completion_cost` (cost_calculator.py of 1.106.2), to the tenth
decimal. `docs` lists where the two differ on purpose: the price is that of the model that is
configured, not of the name that an answer carries.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gateway.costs.extras import is_reported, reports_search, search_cost
from gateway.costs.rates import number, unit
from gateway.costs.tariff import Tariff, tariff_of
from gateway.costs.tokens import count, plain_cost, token_cost
from gateway.request import Bill, Operation

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment
    from gateway.request import Request, Usage

_SERVED_AS_STANDARD = frozenset({"default", "standard"})
_PRICED_TIERS = frozenset({"flex", "balanced", "priority", "fast", "ultrafast"})
_DASHSCOPE = frozenset({"dashscope", "qwencloud", "qwen_ai_platform"})
_REPORTS_COST = frozenset({"openrouter", "xai"})
_SPECIAL = frozenset({"openrouter", "xai", "perplexity", "vertex_ai", "anthropic", *_DASHSCOPE})
_LONG_FOR_GOOGLE = 128_000


def bill(
    deployment: Deployment,
    operation: Operation,
    usage: Usage,
    request: Request | None = None,
) -> Bill:
    """Return the bill of one attempt.

    Args:
        deployment: which answered.
        operation: what it was asked for.
        usage: what it used.
        request: knows the text to be spoken, the service tier asked for, and how long it took.
    """
    tariff = tariff_of(deployment)
    if tariff.is_free:
        return Bill(usage, 0.0, tariff.is_priced)
    if operation is Operation.SPEECH:
        cost = _speech(tariff, usage, request)
    elif operation is Operation.TRANSCRIPTION:
        cost = _transcription(tariff, usage)
    elif operation is Operation.MODERATION:
        cost = 0.0
    elif tariff.per_second is not None:
        cost = tariff.per_second * _seconds(request)
    else:
        cost = _tokens(tariff, usage, _service_tier(deployment, usage, request))
        if (usage.raw or usage.searched) and reports_search(usage):
            cost += search_cost(tariff.provider, tariff.model, tariff.price, usage, request)
    return Bill(usage, cost * tariff.multiplier + tariff.fixed, tariff.is_priced)


def _tokens(tariff: Tariff, usage: Usage, service_tier: object) -> float:  # noqa: PLR0911 -- one for each way of billing
    provider, raw = tariff.provider, usage.raw
    rates = tariff.rates(usage.prompt, service_tier)
    if provider not in _SPECIAL:
        return token_cost(rates, tariff.price, usage)
    if provider in _REPORTS_COST and is_reported(usage):
        return float(raw["cost"])
    if provider == "perplexity":
        return _perplexity(tariff, usage)
    if provider == "xai":  # reasoning costs what an answer does
        reasoning = usage.reasoning if usage.total != raw.get("total_tokens", usage.total) else 0
        return token_cost(rates, tariff.price, _without_reasoning(usage, reasoning))
    if provider in _DASHSCOPE:
        return plain_cost(rates, usage)
    if provider == "vertex_ai" and _has_long_price(tariff):
        return _google_long(tariff, usage)
    cost = token_cost(rates, tariff.price, usage)
    return cost * _anthropic_factor(tariff, usage) if provider == "anthropic" else cost


def _service_tier(deployment: Deployment, usage: Usage, request: Request | None) -> object:
    """Return the tier that was served, where the answer says so; else the one asked for."""
    served = usage.service_tier or (usage.raw.get("service_tier") if usage.raw else None)
    if isinstance(served, str):
        served = served.lower()
        if served in _PRICED_TIERS:
            return served
        if served in _SERVED_AS_STANDARD:
            return None
    asked = request.body.get("service_tier") if request is not None else None
    return asked if asked is not None else deployment.defaults.get("service_tier")


def _seconds(request: Request | None) -> float:
    last = request.last if request is not None else None
    if last is None:
        return 0.0
    return (time.monotonic() if last.ended is None else last.ended) - last.started


def _speech(tariff: Tariff, usage: Usage, request: Request | None) -> float:
    by_character = unit(tariff.price, "input_cost_per_character")
    if by_character:
        text = request.body.get("input") if request is not None else None
        return by_character * (len("".join(text.split())) if isinstance(text, str) else 0)
    return token_cost(tariff.rates(usage.prompt), tariff.price, usage)


def _transcription(tariff: Tariff, usage: Usage) -> float:
    if usage.prompt or usage.completion:
        return token_cost(tariff.rates(usage.prompt), tariff.price, usage)
    seconds = usage.raw.get("seconds") or usage.raw.get("duration")
    rate = unit(tariff.price, "output_cost_per_second")
    rate = rate or unit(tariff.price, "input_cost_per_second") or 0.0
    return rate * (number(seconds) or 0.0)


def _without_reasoning(usage: Usage, reasoning: int) -> Usage:
    raw = {name: value for name, value in usage.raw.items() if name != "completion_tokens_details"}
    return type(usage)(
        prompt=usage.prompt,
        completion=usage.completion + reasoning,
        cached=usage.cached,
        cache_written=usage.cache_written,
        raw=raw,
    )


def _perplexity(tariff: Tariff, usage: Usage) -> float:
    """Follow llms/perplexity/cost_calculator.py: no cached tokens, but citations and searches."""
    reported = usage.raw.get("cost")
    total = reported.get("total_cost") if isinstance(reported, dict) else reported
    stated = number(total)
    if stated is not None:
        return stated
    price, rates = tariff.price, tariff.rates(0)
    reasoning = usage.reasoning if price.get("output_cost_per_reasoning_token") is not None else 0
    searches = count(usage.raw.get("prompt_tokens_details"), "web_search_requests")
    by_search = price.get("search_queries_cost_per_query")
    by_search = by_search or price.get("search_context_cost_per_query")
    if isinstance(by_search, dict):
        by_search = by_search.get("search_context_size_low")
    return (
        usage.prompt * rates.prompt
        + count(usage.raw, "citation_tokens") * (unit(price, "citation_cost_per_token") or 0.0)
        + max(usage.completion - reasoning, 0) * rates.completion
        + reasoning * (unit(price, "output_cost_per_reasoning_token") or 0.0)
        + searches * (number(by_search) or 0.0)
    )


def _has_long_price(tariff: Tariff) -> bool:
    names = ("input_cost_per_token_above_128k_tokens", "output_cost_per_token_above_128k_tokens")
    return any(tariff.price.get(name) is not None for name in names)


def _google_long(tariff: Tariff, usage: Usage) -> float:
    """Follow `_handle_128k_pricing` (vertex_ai/cost_calculator.py): each side by its length."""
    cost = 0.0
    for name, tokens in (("input", usage.prompt), ("output", usage.completion)):
        standard = unit(tariff.price, f"{name}_cost_per_token") or 0.0
        long = unit(tariff.price, f"{name}_cost_per_token_above_128k_tokens", None)
        is_long = tokens > _LONG_FOR_GOOGLE and long is not None
        cost += tokens * ((long or 0.0) if is_long else standard)
    return cost


def _anthropic_factor(tariff: Tariff, usage: Usage) -> float:
    """Return the factor of a region or of fast answers; llms/anthropic/cost_calculation.py."""
    factors: Any = tariff.price.get("provider_specific_entry")
    if not factors:
        return 1.0
    factor = number(factors.get("fast")) if usage.raw.get("speed") == "fast" else None
    geo = usage.raw.get("inference_geo")
    of_geo = number(factors.get(geo.lower())) if isinstance(geo, str) else None
    return (factor or 1.0) * (of_geo or 1.0)
