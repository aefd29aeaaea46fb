"""One entry of the model list as a deployment: where it is, how it is asked, what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.deployment import Deployment, Protocol
from gateway.config.model_id import deployment_id
from gateway.config.price_entry import features_in, lookup, price_of, provider_of_bare
from gateway.config.prices import COST
from gateway.config.provider_table import (
    OLLAMA_BASE,
    OLLAMA_PROVIDERS,
    OPENAI_PROVIDERS,
    needs_translation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Lookup = Callable[[str], str | None]

_NOT_FOR_THE_MODEL = frozenset(
    {
        *("model", "custom_llm_provider", "api_key", "api_base", "base_url", "base_model"),
        *("organization", "extra_headers", "headers", "timeout", "stream_timeout", "max_retries"),
        *("rpm", "tpm", "weight", "order", "tags", "max_parallel_requests", "drop_params"),
        *("model_info", "use_in_pass_through", "use_litellm_proxy", "use_chat_completions_api"),
        *("litellm_trace_id", "input_cost_per_token", "output_cost_per_token", "num_retries"),
        *("tiered_pricing", "cooldown_time", "max_file_size_mb", "keepalive_seconds"),
        *("allow_client_keepalive_override", "region_name", "tokenizer"),
    }
)
_FOR_LITELLM = frozenset(
    {
        *("mock_response", "api_version", "additional_drop_params", "allowed_openai_params"),
        *("extra_query", "azure_ad_token", "tenant_id", "client_id", "client_secret"),
        *("merge_reasoning_content_in_choices", "cache_control_injection_points", "fastest"),
        *("ssl_verify", "ssl_certificate", "proxy", "hf_model_name", "custom_prompt_dict"),
        *("initial_prompt_value", "roles", "final_prompt_value", "bos_token", "eos_token"),
        *("supports_system_message", "use_xai_oauth", "model_id", "text_completion"),
    }
)
"""Parameters that only LiteLLM's library understands: with one of them, the worker asks."""

_FOR_LITELLM_PREFIXES = ("aws_", "vertex_", "azure_", "gcs_", "s3_", "watsonx_", "mock_")


def make_deployment(
    entry: Mapping[str, Any],
    settings: Mapping[str, Any],
    variable: Lookup,
    *,
    alias: str | None = None,
    model: str | None = None,
) -> Deployment:
    """Return the deployment of an entry.

    Args:
        entry: of the effective model list, its references resolved.
        settings: litellm_settings and router_settings, for what a deployment leaves out.
        variable: looks a variable of the environment up.
        alias: the name that was asked for, instead of a wildcard.
        model: what it stands for, as LiteLLM writes it.
    """
    parameters = entry["litellm_params"]
    info = entry.get("model_info") or {}
    provider, name = split_model(model or str(parameters["model"]), parameters)
    base = _base(provider, parameters, variable)
    listed = lookup(provider, str(info.get("base_model") or parameters.get("base_model") or name))
    mode = str(info.get("mode") or listed.get("mode") or "chat")
    protocol, _ = protocol_of(provider, name, base, mode, parameters)
    wanted = parameters if model is None else {**parameters, "model": model}
    return Deployment(
        id=deployment_id(str(entry["model_name"]), parameters, info),
        alias=alias or str(entry["model_name"]),
        provider=provider,
        model=name,
        protocol=protocol,
        base=base,
        key=_key(provider, parameters, variable),
        mode=mode,
        price={**price_of(provider, name, parameters, info), **_surcharge(provider, settings)},
        features=features_in(listed),
        max_input_tokens=_whole(info, parameters, listed, "max_input_tokens"),
        max_output_tokens=_whole(info, parameters, listed, "max_output_tokens", "max_tokens"),
        defaults={
            key: value
            for key, value in parameters.items()
            if value is not None and not _is_control(key)
        },
        headers=_headers(parameters),
        timeout=_number(parameters.get("timeout")),
        stream_timeout=_number(parameters.get("stream_timeout")),
        weight=_number(parameters.get("weight")),
        rpm=_limit("rpm", parameters, info),
        tpm=_limit("tpm", parameters, info),
        max_parallel=_max_parallel(parameters, settings),
        order=int(parameters.get("order") or 0),
        tags=tuple(str(tag) for tag in parameters.get("tags") or ()),
        drop_params=_drops(parameters, settings),
        parameters=wanted,
        info=info,
    )


def split_model(model: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return the provider and its name of the model, as LiteLLM's get_llm_provider does."""
    given = parameters.get("custom_llm_provider")
    if given:
        return str(given), model.removeprefix(f"{given}/")
    provider, slash, name = model.partition("/")
    if slash:
        return provider, name
    return _FAMILIES.get(found := provider_of_bare(model) or "openai", found), model


_FAMILIES = {
    "bedrock_converse": "bedrock",
    "vertex_ai-language-models": "vertex_ai",
    "vertex_ai-anthropic_models": "vertex_ai",
    "vertex_ai-embedding-models": "vertex_ai",
}


def protocol_of(
    provider: str, model: str, base: str | None, mode: str, parameters: Mapping[str, Any]
) -> tuple[Protocol, str]:
    """Return how a deployment is spoken to, and why."""
    special = next((name for name in parameters if _is_for_litellm(name)), None)
    if special is not None and parameters[special] is not None:
        return Protocol.WORKER, f"{special} is for LiteLLM's library"
    if provider in OLLAMA_PROVIDERS:
        return Protocol.OLLAMA, "Ollama's own protocol"
    if provider not in OPENAI_PROVIDERS:
        return Protocol.WORKER, f"LiteLLM's library translates for {provider}"
    if base is None:
        return Protocol.WORKER, "it has no api_base"
    why = needs_translation(provider, model, base, mode)
    return (Protocol.WORKER, why) if why else (Protocol.OPENAI, "OpenAI's protocol")


def _is_for_litellm(name: str) -> bool:
    return name in _FOR_LITELLM or name.startswith(_FOR_LITELLM_PREFIXES)


def _is_control(name: str) -> bool:
    return (
        name in _NOT_FOR_THE_MODEL
        or _is_for_litellm(name)
        or COST in name
        or (name.startswith("cache_") and "_cost" in name)
    )


def _base(provider: str, parameters: Mapping[str, Any], variable: Lookup) -> str | None:
    given = parameters.get("api_base") or parameters.get("base_url")
    if given:
        return str(given).rstrip("/")
    if provider in OLLAMA_PROVIDERS:
        return (variable("OLLAMA_API_BASE") or OLLAMA_BASE).rstrip("/")
    known = OPENAI_PROVIDERS.get(provider)
    if known is None:
        return None
    from_variables = (variable(name) for name in known.base_variables)
    found = next((value for value in from_variables if value), known.base)
    return found.rstrip("/") if found else None


def _key(provider: str, parameters: Mapping[str, Any], variable: Lookup) -> str | None:
    if parameters.get("api_key"):
        return str(parameters["api_key"])
    known = OPENAI_PROVIDERS.get(provider)
    if known is None or known.key_variable is None:
        return None
    return variable(known.key_variable) or known.placeholder


def _headers(parameters: Mapping[str, Any]) -> dict[str, str]:
    headers = {**(parameters.get("headers") or {}), **(parameters.get("extra_headers") or {})}
    if isinstance(parameters.get("organization"), str):
        headers.setdefault("OpenAI-Organization", parameters["organization"])
    return {str(name): str(value) for name, value in headers.items()}


def _surcharge(provider: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the discount and the margin of litellm_settings (cost_calculator.py:1211, 1245)."""
    margins = settings.get("cost_margin_config") or {}
    margin = margins.get(provider, margins.get("global"))
    percent = fixed = 0.0
    if isinstance(margin, dict):
        percent, fixed = float(margin.get("percentage", 0)), float(margin.get("fixed_amount", 0))
    elif margin is not None:
        percent = float(margin)
    discount = float((settings.get("cost_discount_config") or {}).get(provider, 0))
    if not (percent or fixed or discount):
        return {}
    return {"cost_multiplier": (1 - discount) * (1 + percent), "cost_fixed": fixed}


def _drops(parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Follow get_optional_params (utils.py): a deployment can begin to drop, but not stop."""
    given = (settings.get("drop_params"), parameters.get("drop_params"))
    return any(str(value).lower() == "true" for value in given)


def _max_parallel(parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> int | None:
    """Follow calculate_max_parallel_requests (utils.py:5346): Azure's six a 1,000 tokens."""
    for name in ("max_parallel_requests", "rpm"):
        if parameters.get(name) is not None:
            return int(parameters[name])
    if parameters.get("tpm") is not None:
        return int(int(parameters["tpm"]) / 1000 / 6) or 1
    default = settings.get("default_max_parallel_requests")
    return None if default is None else int(default)


def _limit(name: str, *sources: Mapping[str, Any]) -> int | None:
    found = next((source[name] for source in sources if source.get(name) is not None), None)
    return None if found is None else int(found)


def _whole(
    info: Mapping[str, Any], parameters: Mapping[str, Any], listed: Mapping[str, Any], *names: str
) -> int | None:
    for source in (info, listed, {**parameters, "max_tokens": None}):
        for name in names:
            value = source.get(name)
            if isinstance(value, (int, float)) and value > 0:
                return int(value)
    return None


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
