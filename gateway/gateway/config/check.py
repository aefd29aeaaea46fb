"""What can be wrong in litellm_config.yaml as it is written, before any variable is looked at.

LiteLLM accepts most of these silently, and fails at the first request or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config import known_keys
from gateway.config.fallbacks import Chain, cycles, unknown_aliases
from gateway.config.problems import Problem
from gateway.config.providers import referenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.document import ConfigDocument, Key

SECRET_SETTINGS = {"master_key": "LITELLM_MASTER_KEY", "database_url": "DATABASE_URL"}


def check_document(document: ConfigDocument) -> list[Problem]:
    """Return everything that is wrong with the file, in the order of its sections."""
    problems = [
        *_unknown(document, (), known_keys.TOP_LEVEL),
        *_check_sections(document),
        *_check_model_list(document),
    ]
    if not problems:
        problems.extend(_check_router(document))
        problems.extend(_check_settings(document))
    return problems


def aliases(document: ConfigDocument) -> list[str]:
    """Return every name a request may give as its model, in the order of the file."""
    names = [deployment["model_name"] for deployment in document.data["model_list"]]
    names.extend(section(document, "router_settings").get("model_group_alias") or {})
    return list(dict.fromkeys(names))


def section(document: ConfigDocument, name: str) -> dict[str, Any]:
    """Return one section of the file; an empty one when it is missing or has no content."""
    return document.data.get(name) or {}


def chains_of(document: ConfigDocument, setting: str) -> list[Chain]:
    """Return the fallback chains that router_settings holds under `setting`."""
    return [
        Chain(alias, tuple(targets), document.where("router_settings", setting, index, alias))
        for index, entry in enumerate(section(document, "router_settings").get(setting) or [])
        for alias, targets in entry.items()
    ]


def _check_sections(document: ConfigDocument) -> Iterator[Problem]:
    for name in ("router_settings", "litellm_settings", "general_settings"):
        if not isinstance(section(document, name), dict):
            yield _problem(
                document, (name,), f"{name} is not a mapping", "write `key: value` lines"
            )


def _check_model_list(document: ConfigDocument) -> Iterator[Problem]:
    deployments = document.data.get("model_list")
    if not isinstance(deployments, list) or not deployments:
        yield _problem(
            document,
            ("model_list",),
            "model_list is missing or empty",
            "list at least one deployment: model_name, and litellm_params with its model",
        )
        return
    seen: dict[str, str] = {}
    for index, deployment in enumerate(deployments):
        problems = list(_check_deployment(document, index, deployment))
        yield from problems
        if problems:
            continue
        where = document.where("model_list", index)
        # The same alias twice is load balancing; the same deployment twice is a slip.
        first = seen.setdefault(repr(deployment), where)
        if first != where:
            yield Problem(
                where,
                f"'{deployment['model_name']}' is defined here exactly as in {first}",
                "remove one, or let the two differ in model or api_base to balance load",
            )


def _check_deployment(
    document: ConfigDocument, index: int, deployment: object
) -> Iterator[Problem]:
    at: tuple[Key, ...] = ("model_list", index)
    if not isinstance(deployment, dict):
        yield _problem(document, at, "a deployment is not a mapping", "write model_name: …")
        return
    yield from _unknown(document, at, known_keys.DEPLOYMENT)
    if not isinstance(deployment.get("model_name"), str) or not deployment["model_name"]:
        yield _problem(document, at, "a deployment has no model_name", "give it an alias")
    parameters = deployment.get("litellm_params")
    if not isinstance(parameters, dict) or not isinstance(parameters.get("model"), str):
        yield _problem(
            document,
            (*at, "litellm_params"),
            "the deployment has no litellm_params.model",
            "write model: PROVIDER/MODEL, or model: os.environ/VARIABLE",
        )


def _check_router(document: ConfigDocument) -> Iterator[Problem]:
    router = section(document, "router_settings")
    yield from _unknown(document, ("router_settings",), known_keys.ROUTER)
    strategy = router.get("routing_strategy")
    if strategy is not None and strategy not in known_keys.STRATEGIES:
        yield _problem(
            document,
            ("router_settings", "routing_strategy"),
            f"'{strategy}' is not a routing strategy",
            f"use one of: {', '.join(known_keys.STRATEGIES)}",
        )
    for name in known_keys.NUMBERS:
        if name in router and not _is_number(router[name]):
            yield _problem(
                document,
                ("router_settings", name),
                f"{name} is '{router[name]}'",
                "give a number, 0 or more",
            )
    for name in known_keys.FALLBACKS:
        yield from _check_fallbacks(document, name)


def _check_fallbacks(document: ConfigDocument, setting: str) -> Iterator[Problem]:
    value = section(document, "router_settings").get(setting) or []
    if not isinstance(value, list) or not all(map(_is_fallback, value)):
        yield _problem(
            document,
            ("router_settings", setting),
            f"{setting} is not a list of `alias: [alias, …]`",
            'write lines such as `- extraction-model: ["extraction-model-openai"]`',
        )
        return
    chains = chains_of(document, setting)
    yield from unknown_aliases(chains, aliases(document))
    yield from cycles(chains)


def _check_settings(document: ConfigDocument) -> Iterator[Problem]:
    for name, variable in SECRET_SETTINGS.items():
        if name in section(document, "litellm_settings"):
            yield _problem(
                document,
                ("litellm_settings", name),
                f"LiteLLM ignores {name} in litellm_settings",
                f"remove it, and set {variable}",
            )
        value = section(document, "general_settings").get(name)
        if value is not None and referenced(value) != variable:
            yield _problem(
                document,
                ("general_settings", name),
                f"{name} is written into the file",
                f"remove the line, and set {variable} or {variable}_FILE",
            )
    if "api_base" in section(document, "litellm_settings"):
        yield _problem(
            document,
            ("litellm_settings", "api_base"),
            "this api_base would replace that of every deployment",
            "set api_base in the deployment's litellm_params",
        )


def _unknown(
    document: ConfigDocument, at: tuple[Key, ...], known: frozenset[str]
) -> Iterator[Problem]:
    value: Any = document.data
    for step in at:
        value = value[int(step)] if isinstance(value, list) else value.get(step) or {}
    for key in value:
        if key not in known:
            yield _problem(
                document,
                (*at, key),
                f"'{key}' is not a key that LiteLLM knows here",
                f"use one of: {', '.join(sorted(known))}",
            )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_fallback(entry: object) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(targets, list) and all(isinstance(target, str) for target in targets)
        for targets in entry.values()
    )


def _problem(document: ConfigDocument, at: tuple[Key, ...], found: str, fix: str) -> Problem:
    return Problem(document.where(*at), found, fix)
