"""Whether a deployment has a price: its own, or one in the list that LiteLLM ships.

LiteLLM itself books a model without one at 0, and says nothing.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

COST = "cost_per"
"""Part of the name of every price: input_cost_per_token, output_cost_per_image …"""

WORD = "_COST_PER_1M_TOKENS"
TOKENS = 1_000_000


@functools.cache
def price_list() -> Mapping[str, Mapping[str, Any]]:
    """Return LiteLLM's own list, without importing LiteLLM.

    The same file that it reads itself, see NO_CALLS_HOME in proxy/configuration.py.
    """
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("litellm is not installed")
    folder = Path(spec.submodule_search_locations[0])
    path = folder / "model_prices_and_context_window_backup.json"
    found: Mapping[str, Mapping[str, Any]] = orjson.loads(path.read_bytes())
    return found


def is_priced(deployment: Mapping[str, Any]) -> bool:
    """Return whether LiteLLM will know what an answer of this deployment costs.

    A model that holds a * is known when it is asked for, and not before.
    """
    parameters = deployment["litellm_params"]
    info = deployment.get("model_info") or {}
    if _has_price(parameters) or _has_price(info):
        return True
    names = [parameters["model"], info.get("base_model"), parameters.get("base_model")]
    return any(_is_listed(name) for name in names if name)


def listed(model: str) -> Mapping[str, Any]:
    """Return what LiteLLM's list says of a model, with or without its provider; {} for nothing."""
    provider, slash, name = model.partition("/")
    if model in price_list():
        return price_list()[model]
    entry = price_list().get(name if slash else model, {})
    is_of_provider = not slash or str(entry.get("litellm_provider", "")).startswith(provider)
    return entry if is_of_provider else {}


def per_token(text: str) -> tuple[float, float]:
    """Return the prices of a token of input and of output, in USD.

    Args:
        text: USD for a million tokens: one number for both, or two with a comma between them.

    Raises:
        ValueError: it is neither, or below 0.
    """
    prices = [float(part) for part in text.split(",")]
    if len(prices) not in (1, 2) or not all(0 <= price < TOKENS for price in prices):
        raise ValueError(text)
    return prices[0] / TOKENS, prices[-1] / TOKENS


def price_settings(variable: str, value: str) -> dict[str, float]:
    """Return the price in a variable as LiteLLM's settings of a deployment.

    Raises:
        ConfigurationError: it is no price; names the variable.
    """
    try:
        given, taken = per_token(value)
    except ValueError:
        advice = "set USD for a million tokens: 0.5, or 0.15,0.60 for input and output"
        raise ConfigurationError([Problem(variable, f"'{value}' cannot be used", advice)]) from None
    return {"input_cost_per_token": given, "output_cost_per_token": taken}


def unpriced(where: str, model: str, provider: str | None) -> Problem:
    """Return what is wrong with a model without a price, and each way to mend it.

    Args:
        where: the deployment's file and line.
        model: as LiteLLM writes it.
        provider: whose variables set the model; None when it is written into the file.
    """
    setting = f"set {provider}{WORD} (USD), or " if provider is not None else ""
    return Problem(
        where,
        f"no price of '{model}' is known, so its answers would be booked at 0 USD",
        f"{setting}add `input_cost_per_token: …` and `output_cost_per_token: …` (USD) to "
        "its litellm_params, or set ALLOW_UNPRICED_MODELS=true",
    )


def _has_price(values: Mapping[str, Any]) -> bool:
    return any(COST in name and value is not None for name, value in values.items())


def _is_listed(model: str) -> bool:
    return "*" in model or _has_price(listed(model))
