"""Parts of a row that have to be computed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.request import Attempt, Bill

MAX_SECONDS = 600
_SECONDS: dict[int, str] = {}
"""Seconds since the epoch as text: formatting one takes longer than the rest of a row's times."""


def agent_tags(user_agent: str) -> list[str]:
    """Return LiteLLM's tags: _get_user_agent_tags in litellm_core_utils/litellm_logging.py."""
    whole = f"User-Agent: {user_agent}"
    name, slash, _ = user_agent.partition("/")
    return [f"User-Agent: {name}", whole] if slash else [whole]


def trace_id(traceparent: str) -> str:
    """Return the id of a trace: https://www.w3.org/TR/trace-context/#traceparent-header."""
    parts = traceparent.split("-")
    return parts[1] if len(parts) > 3 else ""  # noqa: PLR2004 -- version, trace, parent, flags


def usage_object(bill: Bill) -> dict[str, Any]:
    """Return the usage in OpenAI's form, with the provider's own keys."""
    usage = bill.usage
    known = {
        **usage.raw,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
    if (usage.cached or usage.cache_written) and "prompt_tokens_details" not in known:
        known["prompt_tokens_details"] = {
            "cached_tokens": usage.cached,
            "cache_creation_tokens": usage.cache_written,
        }
    return known


def cost_breakdown(bill: Bill) -> dict[str, float]:
    """Return the parts of a cost that LiteLLM's pages show, in US dollars."""
    known = {"total_cost": bill.cost, "original_cost": bill.cost}
    if bill.input_cost is not None:
        known["input_cost"] = bill.input_cost
        known["output_cost"] = bill.cost - bill.input_cost
    return known


def cache_savings(attempt: Attempt, bill: Bill) -> float:
    """Return what the prompt cache saved: the discount on reads less the premium on writes.

    This follows calculate_prompt_caching_savings in
    litellm/litellm_core_utils/llm_cost_calc/utils.py, at the deployment's ordinary prices. This one
    statistic ignores price tiers by length and hour.
    """
    price = attempt.deployment.price
    base = price.get("input_cost_per_token") or 0.0
    read = price.get("cache_read_input_token_cost")
    write = price.get("cache_creation_input_token_cost") or base
    discount = max(base - (base if read is None else read), 0.0)
    return float(bill.usage.cached * discount - bill.usage.cache_written * (write - base))


def iso(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601, in UTC, to the millisecond."""
    whole = int(seconds)
    text = _SECONDS.get(whole)
    if text is None:
        if len(_SECONDS) >= MAX_SECONDS:
            _SECONDS.clear()
        text = _SECONDS[whole] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    return f"{text}.{int((seconds - whole) * 1000):03d}Z"
