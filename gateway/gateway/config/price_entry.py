"""Which price holds for a deployment: its own, or that of LiteLLM's list.

As LiteLLM has it, so that both book the same (1.106.2): names are looked up as in
`get_model_info_helper` (utils.py:6177), with the provider's check (utils.py:5900); a price in the
configuration makes an entry of its own, which takes over what Router._deployment_model_cost_payload
(router.py:10409) takes over, and nothing else; without one, `base_model` comes before the model
(`select_model_name_for_cost_calc`, cost_calculator.py:891).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.config.prices import COST, price_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Entry = Mapping[str, Any]

_INHERITED_CACHE = (
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_1hr",
    "cache_creation_input_token_cost_above_200k_tokens",
    "cache_read_input_token_cost",
    "cache_read_input_token_cost_above_200k_tokens",
)
_SERVICE_TIERS = ("_flex", "_balanced", "_priority", "_ultrafast")
_BASE_PRICES = ("input_cost_per_token", "input_cost_per_second", "cost_per_second")
_BY_NO_TOKEN = frozenset(
    {
        *("cost_per_second", "input_cost_per_second", "output_cost_per_second"),
        *("input_cost_per_query", "tiered_pricing"),
    }
)
_OTHERS = frozenset(
    {
        *("tiered_pricing", "off_peak_pricing", "provider_specific_entry"),
        *("web_search_billing_unit", "mode", "litellm_provider"),
    }
)
_UNUSED = re.compile(r"_batches$|_pixel$|^ocr_|^annotation_|_decisions$|_audio_token_priority$")
"""Prices that no bill of ours needs, and one kind that LiteLLM lists and does not ask."""
_FEATURES = frozenset({"litellm_provider", "default_reasoning_effort"})
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_VERSION = re.compile(r"-\d+$")
_FINE_TUNED = re.compile(r"(:[^:]*){3}$")


def price_of(provider: str, model: str, parameters: Entry, info: Entry) -> dict[str, Any]:
    """Return everything that says what a deployment costs; {} when no price is known.

    Args:
        provider: LiteLLM's name of the provider.
        model: the provider's name of the model.
        parameters: its litellm_params.
        info: its model_info.
    """
    base = info.get("base_model") or parameters.get("base_model")
    names = [str(name) for name in (base, model) if name]
    own = _own(parameters, info)
    if own and _prices_tokens(own):
        backend = lookup(provider, names[0])
        return _slice(_with_inherited(own, backend))
    for name in names:
        entry = lookup(provider, name)
        if provider == "together_ai" and "input_cost_per_token" not in entry:
            entry = price_list().get(_together_size(name), entry)
        if entry:
            return _slice(entry)
    return {}


def lookup(provider: str, model: str) -> Entry:
    """Return LiteLLM's entry of a provider's model; {} for none."""
    known = price_list()
    candidates = list(_candidates(provider, model))
    for name in candidates:
        entry = known.get(name)
        if entry is not None and _is_of(entry, provider):
            return entry
    wanted = [name.lower() for name in candidates]
    lowered = {name.lower(): entry for name, entry in known.items() if name.lower() in wanted}
    return next((lowered[n] for n in wanted if n in lowered and _is_of(lowered[n], provider)), {})


def features_in(entry: Entry) -> dict[str, Any]:
    """Return what an entry says besides prices: whose the model is, and what it can."""
    return {
        name: value
        for name, value in entry.items()
        if value is not None and (name.startswith("supports_") or name in _FEATURES)
    }


def _together_size(model: str) -> str:
    """Return the entry for Together's unlisted models of this size (llms/together_ai)."""
    size = re.search(r"(\d+)b", model.lower())
    sizes = (
        *((4, "up-to-4b"), (8, "4.1b-8b"), (21, "8.1b-21b")),
        *((41, "21.1b-41b"), (80, "41.1b-80b"), (110, "81.1b-110b")),
    )
    fits = (name for most, name in sizes if size is not None and int(size[1]) <= most)
    return f"together-ai-{next(fits, '')}"


def provider_of_bare(model: str) -> str | None:
    """Return the provider of a model that is written without one; None for an unknown model."""
    found = price_list().get(model, {}).get("litellm_provider")
    return str(found) if found else None


def _candidates(provider: str, model: str) -> Iterator[str]:
    bare = model.removeprefix(f"{provider}/")
    stripped = _stripped(provider, bare)
    yield f"{provider}/{bare}"
    yield bare
    yield f"{provider}/{stripped}"
    yield stripped
    yield f"{provider}/{provider}/{bare}"
    if provider == "fireworks_ai":
        yield f"fireworks_ai/accounts/fireworks/models/{bare}"
    if provider == "databricks":
        yield f"databricks/databricks-{bare}"
    if "/" in bare:
        yield bare.partition("/")[2]


def _stripped(provider: str, model: str) -> str:
    if provider in {"vertex_ai", "gemini", "databricks"}:
        return _VERSION.sub("", model)
    if "ft:" in model:
        return _FINE_TUNED.sub("", model)
    return _DATE.sub("", model)


def _is_of(entry: Entry, provider: str) -> bool:
    of = entry.get("litellm_provider")
    if of is None or of == provider:
        return True
    families = ("vertex_ai", "fireworks_ai", "bedrock")
    if any(provider.startswith(name) and of.startswith(name) for name in families):
        return True
    if provider == "azure_ai":
        return of in {"azure", "openai"}
    return provider in {"litellm_proxy", "github", "nadir"}


def _own(parameters: Entry, info: Entry) -> dict[str, Any]:
    """Return the prices that the configuration holds; those of litellm_params come first."""
    prices = {name: value for name, value in parameters.items() if value is not None}
    found = {name: value for name, value in prices.items() if _is_price(name)}
    of_info = {name: value for name, value in info.items() if value is not None}
    if not found and not any(_is_price(name) or name == "off_peak_pricing" for name in of_info):
        return {}
    return {**of_info, **found}


def _is_price(name: str) -> bool:
    return COST in name or (name.startswith("cache_") and "_cost" in name) or name in _BY_NO_TOKEN


def _prices_tokens(own: Entry) -> bool:
    """Return whether LiteLLM takes these prices for an entry of their own.

    cost_calculator.py:830; a schedule of off-peak prices takes the listed ones with it.
    """
    return bool(own.get("off_peak_pricing")) or any(
        value is not None and (name in _BY_NO_TOKEN or (COST in name and "token" in name))
        for name, value in own.items()
    )


def _with_inherited(own: dict[str, Any], backend: Entry) -> dict[str, Any]:
    """Return the deployment's own prices, and what they take over of the listed model's."""
    given = {name: value for name, value in backend.items() if value is not None}
    has_base = any(own.get(name) is not None for name in (*_BASE_PRICES, "tiered_pricing"))
    if own.get("off_peak_pricing") and not has_base:
        return given | own
    names: set[str] = set()
    if own.get("input_cost_per_token") is not None:
        names.update(_INHERITED_CACHE)
    if any(own.get(f"{side}_cost_per_token") is not None for side in ("input", "output")):
        names.update(name for name in given if name.endswith(_SERVICE_TIERS))
    if own.get("tiered_pricing") and own.get("output_cost_per_token") is None:
        names.add("output_cost_per_token")
    return {name: given[name] for name in names if name in given} | own


def _slice(entry: Entry) -> dict[str, Any]:
    """Return what a bill reads; the list itself is not kept in memory."""
    return {
        name: value
        for name, value in entry.items()
        if value is not None
        and ("cost" in name or "uplift" in name or name in _OTHERS)
        and not _UNUSED.search(name)
    }
