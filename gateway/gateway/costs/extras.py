"""What is paid besides the tokens: a provider's searches in the web or in maps.

As LiteLLM has it: litellm_core_utils/llm_cost_calc/tool_call_cost_tracking.py of 1.106.2, and the
`cost_calculator.py` of gemini, anthropic, xai and groq.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.costs.rates import number
from gateway.costs.tokens import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.request import Request, Usage

_GEMINI_SEARCH = 35e-3
_XAI_SEARCH = 5e-3
_GROQ_OPEN = 1e-3
_MAPS_QUERY = 14e-3
_MAPS_PROMPT = 25e-3


def search_cost(  # noqa: PLR0911 -- one for each way of asking for searches
    provider: str, model: str, price: Mapping[str, Any], usage: Usage, request: Request | None
) -> float:
    """Return the US dollars of the searches that an answer reports.

    Args:
        provider: LiteLLM's name of it.
        model: its name of the model.
        price: of the deployment.
        usage: what the provider reports.
        request: asked for the search, perhaps in `web_search_options`.
    """
    details = usage.raw.get("prompt_tokens_details")
    tools = usage.raw.get("server_tool_use")
    searches = count(details, "web_search_requests") or count(tools, "web_search_requests")
    google = provider == "gemini" or (provider.startswith("vertex_ai") and "claude" not in model)
    if google:
        maps = count(details, "google_maps_grounding_requests")
        return _google(price, searches) + _maps(price, maps)
    if provider == "anthropic" or provider.startswith("vertex_ai"):
        return count(tools, "web_search_requests") * _rate(price, "medium")
    if provider == "azure_ai" and ("claude" in model or _says(tools)):
        return count(tools, "web_search_requests") * _rate(price, "medium")
    if provider == "perplexity":  # in its bill already
        return 0.0
    if provider == "xai":
        calls = count(usage.raw.get("server_side_tool_usage_details"), "web_search_calls")
        return calls * _xai(price) if calls and not is_reported(usage) else 0.0
    if provider == "groq":
        return (
            count(tools, "web_search_requests") * _rate(price, "medium")
            + count(tools, "browser_open_requests") * _GROQ_OPEN
        )
    if usage.searched or _says(details) or _says(tools):  # LiteLLM takes a reported 0 for one, too
        return _rate(price, _size(request))
    return 0.0


def reports_search(usage: Usage) -> bool:
    """Return whether an answer says anything of searches, none among them."""
    if usage.searched:
        return True
    raw = usage.raw
    if "server_tool_use" in raw or "server_side_tool_usage_details" in raw:
        return True
    details = raw.get("prompt_tokens_details")
    return isinstance(details, dict) and (
        "web_search_requests" in details or "google_maps_grounding_requests" in details
    )


def is_reported(usage: Usage) -> bool:
    """Return whether the provider says itself what its answer cost, in `usage.cost`."""
    cost = usage.raw.get("cost")
    return isinstance(cost, (int, float)) and not isinstance(cost, bool) and 0 <= cost < 1e9  # noqa: PLR2004 -- and no infinity


def most_per_search(provider: str, price: Mapping[str, Any]) -> float:
    """Return the most US dollars that one search may cost."""
    rates = price.get("search_context_cost_per_query")
    listed = [number(rate) or 0.0 for rate in rates.values()] if isinstance(rates, dict) else []
    google = provider == "gemini" or provider.startswith("vertex_ai")
    return max(*listed, 0.0, _MAPS_PROMPT + _GEMINI_SEARCH if google else 0.0, _XAI_SEARCH)


def _says(details: object) -> bool:
    return isinstance(details, dict) and details.get("web_search_requests") is not None


def _google(price: Mapping[str, Any], searches: int) -> float:
    rates = price.get("search_context_cost_per_query") or {}
    rate = number(rates.get("search_context_size_medium", _GEMINI_SEARCH)) or 0.0
    by_query = price.get("web_search_billing_unit") == "per_query"
    return rate * (searches if by_query else min(searches, 1))


def _maps(price: Mapping[str, Any], requests: int) -> float:
    if not requests:
        return 0.0
    by_query = price.get("web_search_billing_unit") == "per_query"
    listed = number(price.get("google_maps_grounding_cost_per_query"))
    rate = listed if listed is not None else _MAPS_QUERY if by_query else _MAPS_PROMPT
    return rate * (requests if by_query else 1)


def _xai(price: Mapping[str, Any]) -> float:
    sizes = ("medium", "low", "high")
    return next((rate for size in sizes if (rate := _rate(price, size)) > 0), _XAI_SEARCH)


def _size(request: Request | None) -> str:
    options = request.body.get("web_search_options") if request is not None else None
    size = options.get("search_context_size") if isinstance(options, dict) else None
    return size if size in ("low", "high") else "medium"


def _rate(price: Mapping[str, Any], size: str) -> float:
    rates = price.get("search_context_cost_per_query")
    return (number(rates.get(f"search_context_size_{size}")) or 0.0) if rates else 0.0
