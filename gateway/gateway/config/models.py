"""The effective configuration as what the other rooms work with: deployments and their router."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.config.deployment import Deployment, LiteLLMOnly, Models, Protocol
from gateway.config.deployments import make_deployment, protocol_of
from gateway.config.environment import Environment
from gateway.config.litellm_only import LIBRARY, litellm_only, litellm_only_of_deployment
from gateway.config.prices import price_list
from gateway.config.providers import referenced
from gateway.config.router import router_settings_of
from gateway.config.wildcards import Wildcards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.config.render import EffectiveConfig
    from gateway.config.settings import Settings

    Lookup = Callable[[str], str | None]

GATEWAY, WORKER, LITELLM = "gateway", "worker", "LiteLLM's proxy"
"""The ways that a request may go: what `./run models` shows."""

DEFAULT_MAX_BODY = 32 << 20


def build_models(
    effective: EffectiveConfig,
    settings: Settings,
    variables: Mapping[str, str] | None = None,
) -> Models:
    """Return the typed form of a configuration.

    Args:
        effective: from `render`.
        settings: the gateway's own.
        variables: the environment; the process's own when it is left out.
    """
    lookup = Environment(os.environ if variables is None else variables).get
    config = effective.config
    general = config.get("general_settings") or {}
    library = config.get("litellm_settings") or {}
    router = config.get("router_settings") or {}
    shared = {**router, **library}
    entries = [
        _resolved(entry, partial(_value, effective.variables, lookup))
        for entry in config["model_list"]
    ]
    models = Models(
        deployments=tuple(make_deployment(entry, shared, lookup) for entry in entries),
        router=router_settings_of(config, settings),
        litellm_only=litellm_only(config),
        litellm_only_by_alias=_litellm_only_by_alias(entries),
        store_prompts=bool(general.get("store_prompts_in_spend_logs")),
        disable_spend_logs=bool(general.get("disable_spend_logs")),
        access_groups=_access_groups(entries),
        max_body_bytes=_max_body(general),
        wildcards=_wildcards(entries, shared, lookup),
        library={name: library[name] for name in LIBRARY if name in library},
    )
    if models.wildcards is None:  # else a price may be asked for with every new name
        price_list.cache_clear()
    return models


def route_of(models: Models, alias: str) -> tuple[str, str]:
    """Return the way that requests for an alias go, and why.

    If several deployments of an alias go different ways, this is the way through LiteLLM, with the
    reason of the first deployment that needs it.
    """
    everywhere = (
        *models.litellm_only,
        *models.litellm_only_by_alias.get(_name_in_list(models, alias), ()),
    )
    if everywhere:
        return LITELLM, f"{everywhere[0].what}: {everywhere[0].why}"
    deployments = models.match(alias)
    if not deployments:
        deployments = models.of_alias(alias)
    reasons = [(each, _reason(each)) for each in deployments]
    for deployment, reason in reasons:
        if deployment.protocol is Protocol.WORKER:
            return WORKER, reason
    return GATEWAY, ", ".join(dict.fromkeys(reason for _, reason in reasons))


def _reason(deployment: Deployment) -> str:
    return protocol_of(
        deployment.provider,
        deployment.model,
        deployment.base,
        deployment.mode,
        deployment.parameters,
    )[1]


def _name_in_list(models: Models, alias: str) -> str:
    return models.router.group_aliases.get(alias, (alias, False))[0]


def _resolved(entry: Mapping[str, Any], lookup: Lookup) -> dict[str, Any]:
    return {
        name: _with_values(value, lookup) if name in {"litellm_params", "model_info"} else value
        for name, value in entry.items()
    }


def _value(variables: Mapping[str, str], lookup: Lookup, name: str) -> str | None:
    return variables[name] if name in variables else lookup(name)


def _with_values(value: Any, lookup: Lookup) -> Any:  # noqa: ANN401 -- YAML
    """Return a value with references in place; true and false become what they say, as in LiteLLM.

    get_secret and str_to_bool, litellm/secret_managers/main.py: the id of a deployment is a hash
    of these values, so that "true" and True are not the same.
    """
    if isinstance(value, dict):
        return {name: _with_values(each, lookup) for name, each in value.items()}
    if isinstance(value, list):
        return [_with_values(each, lookup) for each in value]
    name = referenced(value)
    if name is None:
        return value
    found = lookup(name)
    return {"true": True, "false": False}.get((found or "").strip().lower(), found)


def _litellm_only_by_alias(
    entries: Iterable[Mapping[str, Any]],
) -> dict[str, tuple[LiteLLMOnly, ...]]:
    found: dict[str, tuple[LiteLLMOnly, ...]] = {}
    for entry in entries:
        reasons = litellm_only_of_deployment(entry)
        if reasons:
            alias = str(entry["model_name"])
            found[alias] = found.get(alias, ()) + reasons
    return found


def _access_groups(entries: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, dict[str, None]] = {}
    for entry in entries:
        for group in (entry.get("model_info") or {}).get("access_groups") or ():
            groups.setdefault(str(group), {})[str(entry["model_name"])] = None
    return {group: tuple(aliases) for group, aliases in groups.items()}


def _wildcards(
    entries: Iterable[Mapping[str, Any]], shared: Mapping[str, Any], lookup: Lookup
) -> Wildcards | None:
    found = [
        (
            str(entry["model_name"]),
            str(entry["litellm_params"]["model"]),
            partial(_concrete, entry, shared, lookup),
        )
        for entry in entries
        if "*" in entry["model_name"]
    ]
    return Wildcards(found) if found else None


def _concrete(
    entry: Mapping[str, Any], shared: Mapping[str, Any], lookup: Lookup, name: str, model: str
) -> Deployment:
    return make_deployment(entry, shared, lookup, alias=name, model=model)


def _max_body(general: Mapping[str, Any]) -> int:
    given = general.get("max_request_size_mb")
    return DEFAULT_MAX_BODY if given is None else int(float(given) * (1 << 20))
