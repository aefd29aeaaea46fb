"""Checks of the providers: aliases, keys, addresses."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.doctor.finding import Finding
from gateway.doctor.seen import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.doctor.facts import Facts
    from gateway.doctor.seen import DeploymentSeen

KEYS = {
    "OPENAI_API_KEY": "sk-",
    "GEMINI_API_KEY": "",
    "ANTHROPIC_API_KEY": "sk-ant-",
    "HUGGINGFACE_API_KEY": "hf_",
}
"""The providers' keys, and how their own begin."""
EXAMPLES = re.compile(r"\.\.\.|…|your|change-?me|example|placeholder|xxx|<|>", re.IGNORECASE)
GATEWAY = "gateway"


def settings_right(facts: Facts) -> Iterator[Finding]:
    """Find a setting, or a line of litellm_config.yaml, that stops the gateway's start."""
    for wrong in facts.observed.wrong:
        yield Finding(f"{wrong.where} stops the start", wrong.found, wrong.fix)


def aliases_exist(facts: Facts) -> Iterator[Finding]:
    """Find an alias of the backend that does not exist, or whose key is unset."""
    left_out = {d.alias: d for d in facts.observed.deployments if d.condition == "left out"}
    for variable, alias in facts.asked.items():
        if not facts.observed.aliases or alias in facts.observed.aliases:
            continue
        if alias in left_out:
            key = left_out[alias].key
            yield Finding(
                f"{alias} has no key",
                f"{variable} asks for it, and {key} is unset",
                f"{key}=… in .env, then ./run up",
            )
            continue
        near = get_close_matches(alias, facts.observed.aliases, n=1, cutoff=0.6)
        known = ", ".join(facts.observed.aliases)
        yield Finding(
            f"{alias} is not an alias of litellm_config.yaml",
            f"{variable} asks for it; there are {known}",
            f"{variable}={near[0] if near else facts.observed.aliases[0]} in .env, then ./run up",
        )


def keys_look_right(facts: Facts) -> Iterator[Finding]:
    """Find a key that cannot be right: an example, one with blanks, or another provider's."""
    for variable, start in KEYS.items():
        key = facts.setting(GATEWAY, variable)
        if not key:
            continue
        own_base = facts.setting(GATEWAY, variable.replace("_API_KEY", "_API_BASE"))
        if EXAMPLES.search(key):
            seen = "is an example, not a key"
        elif re.search(r"\s", key) or key[0] in "\"'":
            seen = "holds blanks or quotes"
        elif not own_base and start and not key.startswith(start):
            seen = f"does not start with {start}"
        else:
            continue
        yield Finding(
            f"{variable} cannot be right",
            f"the value {seen} ({len(key)} characters)",
            f"copy the key from the provider's page into .env: {variable}=…; then ./run up",
        )


def keys_accepted(facts: Facts) -> Iterator[Finding]:
    """Find a key that the provider refuses: wrong, expired, or withdrawn."""
    reported: set[str] = set()
    for deployment in facts.observed.deployments:
        recorded = deployment.reason if deployment.condition == "unauthorised" else ""
        refused = recorded or deployment.reachable == "key refused"
        if refused and deployment.key not in reported:
            reported.add(deployment.key)
            yield Finding(
                f"the provider refuses the key in {deployment.key}",
                f"{deployment.alias} ({deployment.model}): "
                f"{recorded or 'its list of models is answered with 401 or 403'}",
                f"create a new key on the provider's page, set {deployment.key} in .env, ./run up",
            )


def providers_reachable(facts: Facts) -> Iterator[Finding]:
    """Find a provider that is in use and cannot be reached."""
    reported: set[str | None] = set()
    for deployment in facts.observed.deployments:
        silent = deployment.reachable == "no" and not deployment.provider.startswith("ollama")
        if silent and _is_wanted(deployment, facts) and deployment.base not in reported:
            reported.add(deployment.base)
            behind = [name for name in ("HTTPS_PROXY", "https_proxy") if facts.exported.get(name)]
            yield Finding(
                f"{deployment.base or deployment.provider} cannot be reached",
                f"{deployment.alias} ({deployment.model}) asks there, and nothing answered in 3 s",
                "containers do not use the shell's proxy: put it under proxies in "
                "~/.docker/config.json, then ./run up"
                if behind
                else "check the network and the firewall, or set the provider's *_API_BASE",
            )


def bases_from_inside(facts: Facts) -> Iterator[Finding]:
    """Find an address such as localhost that, in a container, means the container itself."""
    service = facts.services.get(GATEWAY)
    names = service.environment if service else {}
    for variable in sorted(name for name in names if name.endswith("_API_BASE")):
        base = facts.setting(GATEWAY, variable)
        host = urlsplit(base).hostname if "://" in base else None
        if host in LOOPBACK:
            yield Finding(
                f"{variable} points to the gateway's own container",
                f"it is {base}; inside a container, {host} is the container",
                f"{variable}={base.replace(host, 'host.docker.internal', 1)} in .env, "
                "then ./run up",
            )


CHECKS = (
    settings_right,
    aliases_exist,
    keys_look_right,
    keys_accepted,
    providers_reachable,
    bases_from_inside,
)


def _is_wanted(deployment: DeploymentSeen, facts: Facts) -> bool:
    """Return whether a deployment matters: in use, a fallback of one in use, or given a key."""
    return deployment.alias in facts.aliases_in_use or deployment.key.isupper()
