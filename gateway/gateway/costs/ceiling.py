"""The most that a deployment can take in, give out, and ask for: made once for each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from gateway.costs.extras import most_per_search
from gateway.costs.rates import unit
from gateway.costs.tariff import tariff_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.config.deployment import Deployment

TEMPLATE = 1024
"""Tokens that a model's template puts around all messages: a system prompt of its own, how tools
are to be called. A Modelfile's SYSTEM may have any number; a bill beyond the bound is logged."""

_PLAIN = re.compile(r"(^|[:/.])(gpt-\d|chatgpt-|o\d|gemini-)")
"""Models that add 3 tokens to a prompt, and tools as they are, which the braces of a body hold:
https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken. The name decides, because a
template belongs to a model, whichever provider serves it; gpt-oss has none of these."""

_PLAIN_WITHOUT_TOOLS = re.compile(r"(^|[:/.])claude")
"""Those that add 159 to 530 tokens to a request with tools, and nothing to others
(https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens)."""

UNKNOWN_INPUT = 1_048_576
"""Tokens, for a request with pictures or files to a model whose input nobody bounds."""

UNKNOWN_OUTPUT = 131_072
"""Tokens, for a model whose answer nobody bounds: neither the request nor LiteLLM's price map."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The highest prices and the longest texts of a deployment.

    Attributes:
        template: tokens that are put around a prompt.
        template_of_tools: the same around one with tools.
        searches: whether the model searches the web without being asked to.
        max_tokens: of an answer, where a request does not say so; 0 when nobody does.
        max_completion_tokens: the same by OpenAI's newer name.
    """

    is_free: bool
    prompt: float
    completion: float
    template: int
    template_of_tools: int
    max_input: int
    max_output: int
    context: int
    fixed: float
    per_second: float
    per_character: float
    per_search: float
    searches: bool
    multiplier: float
    max_tokens: int
    max_completion_tokens: int
    seconds: float


_CEILINGS: dict[int, tuple[Deployment, Ceiling]] = {}


def ceiling_of(deployment: Deployment) -> Ceiling:
    """Return the ceiling of a deployment; made at its first use."""
    found = _CEILINGS.get(id(deployment))
    if found is not None:  # it is held, so its id is no other's
        return found[1]
    if len(_CEILINGS) > 4096:  # noqa: PLR2004 -- many reloads later
        _CEILINGS.clear()
    ceiling = _make(deployment)
    _CEILINGS[id(deployment)] = (deployment, ceiling)
    return ceiling


def _make(deployment: Deployment) -> Ceiling:
    tariff = tariff_of(deployment)
    price = tariff.price
    bands = [rates for bands in tariff.bands.values() for rates in bands]
    factors = price.get("provider_specific_entry")
    factors = factors.values() if isinstance(factors, dict) else ()
    most_of_entry = 1.0
    for factor in factors:
        most_of_entry *= max(float(factor), 1.0)
    known = [n for n in (deployment.max_input_tokens, deployment.max_output_tokens) if n]
    seconds = (unit(price, f"{side}cost_per_second") or 0.0 for side in ("", "input_", "output_"))
    name = str(deployment.info.get("base_model") or deployment.model)
    is_plain = _PLAIN.search(name) is not None
    defaults = _defaults(deployment)
    texts = {key: value for key, value in defaults.items() if isinstance(value, (str, list, dict))}
    added = len(orjson.dumps(texts, default=str)) if texts else 0
    return Ceiling(
        is_free=tariff.is_free and tariff.fixed == 0,
        prompt=max(rates.dearest_in for rates in bands)
        + (unit(price, "citation_cost_per_token") or 0.0),
        completion=max(rates.dearest_out for rates in bands),
        template=added + (0 if is_plain or _PLAIN_WITHOUT_TOOLS.search(name) else TEMPLATE),
        template_of_tools=added + (0 if is_plain else TEMPLATE),
        max_input=deployment.max_input_tokens or UNKNOWN_INPUT,
        max_output=deployment.max_output_tokens or deployment.max_input_tokens or UNKNOWN_OUTPUT,
        context=max(known, default=UNKNOWN_INPUT),
        fixed=tariff.fixed,
        per_second=max(seconds),
        per_character=unit(price, "input_cost_per_character") or 0.0,
        per_search=most_per_search(deployment.provider, price),
        searches=deployment.provider == "perplexity" or "-search" in name,
        multiplier=tariff.multiplier * (most_of_entry if deployment.provider == "anthropic" else 1),
        max_tokens=whole(defaults, "max_tokens"),
        max_completion_tokens=whole(defaults, "max_completion_tokens"),
        seconds=deployment.timeout or 0.0,
    )


def _defaults(deployment: Deployment) -> dict[str, Any]:
    """Return what a deployment adds to a request that does not say otherwise."""
    extra = deployment.defaults.get("extra_body")
    return {**deployment.defaults, **(extra if isinstance(extra, dict) else {})}


def whole(body: Mapping[str, Any], name: str) -> int:
    """Return a number above 0 of a body, 0 for anything else."""
    value = body.get(name)
    return value if type(value) is int and value > 0 else 0
