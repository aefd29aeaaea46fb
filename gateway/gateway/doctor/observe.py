"""What can be seen from inside the stack's network: settings, providers, Ollama, the clock.

Every request here is free: lists of models, and 16 tokens of a local model that is in memory.
"""

from __future__ import annotations

import asyncio
import os
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from gateway.config.deployment import Protocol
from gateway.config.document import parse_config
from gateway.config.key_strength import weakness
from gateway.config.known_keys import FALLBACKS
from gateway.config.models import build_models
from gateway.config.problems import ConfigurationError, Problem
from gateway.config.providers import referenced
from gateway.config.render import EffectiveConfig, render
from gateway.config.settings import load_settings
from gateway.database.url import database_problems
from gateway.doctor.seen import DeploymentSeen, Observed, OllamaSeen, WrongSetting
from gateway.ollama_api import with_tag
from gateway.routing.reachability import check_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.config.deployment import Deployment
    from gateway.doctor.facts import Facts

CONFIG = Path("litellm/litellm_config.yaml")
CHECK_SECONDS = 3.0
SPEED_SECONDS = 10.0
SPEED_TOKENS = 16
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def observe(facts: Facts, environment: Mapping[str, str] = os.environ) -> Observed:
    """Return what was seen; this takes 3 s as a rule, and at most 30."""
    given = {name: environment.get(name) or environment.get(name.lower()) for name in PROXIES}
    proxies = {name: value for name, value in given.items() if value}
    service = facts.services.get("gateway")
    if service is None or facts.config is None:
        why = "compose could not read its files" if facts.engine.version else "no engine answers"
        reason = f"providers and models: {why}"
        return Observed(proxies=proxies, not_checked=(reason,))
    variables = _variables(facts, service.environment)
    try:
        settings = load_settings(variables)
        effective = render(parse_config(CONFIG, facts.config), settings, variables)
    except ConfigurationError as error:
        reason = "providers and models: the settings above come first"
        wrong = _wrong([*_key_problems(facts), *error.problems])
        return Observed(proxies=proxies, wrong=wrong, not_checked=(reason,))
    wrong = _wrong([*_key_problems(facts), *database_problems(settings)])
    deployments = build_models(effective, settings, variables).deployments
    return asyncio.run(_look_around(facts, effective, deployments, wrong, proxies))


def _variables(facts: Facts, started: Mapping[str, str]) -> dict[str, str]:
    """Return the gateway's environment, without what only its own container can read."""
    kept = {k: v for k, v in started.items() if k != "DB_HOST" and not k.endswith("_FILE")}
    return kept | {"OLLAMA_MODEL": facts.model}


def _wrong(problems: list[Problem]) -> tuple[WrongSetting, ...]:
    return tuple(WrongSetting(each.where, each.found, each.fix) for each in problems)


def _key_problems(facts: Facts) -> list[Problem]:
    service = facts.services.get("secrets")
    key = service.environment.get("LITELLM_MASTER_KEY") if service else None
    reason = weakness(key) if key else None
    if reason is None:
        return []
    fix = 'remove it, or set it to "sk-$(openssl rand -hex 24)"'
    return [Problem("LITELLM_MASTER_KEY", f"the key given {reason}", fix)]


async def _look_around(
    facts: Facts,
    effective: EffectiveConfig,
    deployments: Sequence[Deployment],
    wrong: tuple[WrongSetting, ...],
    proxies: dict[str, str],
) -> Observed:
    entries = effective.config["model_list"]
    async with httpx.AsyncClient(timeout=CHECK_SECONDS) as client:
        checks = check_all(deployments, CHECK_SECONDS)
        bases = sorted({d.base for d in deployments if d.base and d.protocol is Protocol.OLLAMA})
        seen = asyncio.gather(*(_observe_ollama(base, facts.model, client) for base in bases))
        offset = _clock_offset(_paid_base(deployments, entries), client)
        reached, ollamas, clock = await asyncio.gather(checks, seen, offset)
    known = {(each.alias, each.model): each for each in facts.deployments}
    seen_deployments = [
        _deployment(deployment, entry, found.reachable.value, known)
        for deployment, entry, found in zip(deployments, entries, reached, strict=True)
    ]
    seen_deployments += [
        DeploymentSeen(
            each.alias, each.model.partition("/")[0], each.model, each.variable,
            condition="left out",
        )
        for each in effective.left_out
    ]  # fmt: skip
    return Observed(
        wrong=wrong,
        aliases=effective.aliases,
        fallbacks=_fallbacks(effective.config["router_settings"]),
        deployments=tuple(seen_deployments),
        ollamas=tuple(each for each, _ in ollamas),
        timeout=effective.config["router_settings"].get("timeout"),
        clock_offset=clock,
        proxies=proxies,
        not_checked=tuple(reason for _, reason in ollamas if reason),
    )


def _deployment(
    deployment: Deployment,
    entry: Mapping[str, Any],
    reachable: str,
    known: Mapping[tuple[str, str], DeploymentSeen],
) -> DeploymentSeen:
    model = entry["litellm_params"]["model"]
    running = known.get((deployment.alias, model))
    variable = referenced(entry["litellm_params"].get("api_key"))
    return DeploymentSeen(
        alias=deployment.alias,
        provider=deployment.provider,
        model=model,
        key=variable or ("in the file" if deployment.key else "not needed"),
        base=deployment.base,
        reachable=reachable,
        condition=running.condition if running else "",
        reason=running.reason if running else "",
    )


def _fallbacks(router: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for kind in FALLBACKS:
        for entry in router.get(kind) or ():
            for alias, others in entry.items():
                found[alias] = (*found.get(alias, ()), *others)
    return found


async def _observe_ollama(
    base: str, model: str, client: httpx.AsyncClient
) -> tuple[OllamaSeen, str | None]:
    """Return what an Ollama shows, and why its speed could not be measured.

    https://github.com/ollama/ollama/blob/main/docs/api.md
    """
    try:
        listed = (await client.get(f"{base}/api/tags")).raise_for_status().json()["models"]
        loaded = (await client.get(f"{base}/api/ps")).raise_for_status().json()["models"]
        version = str((await client.get(f"{base}/api/version")).json()["version"])
        models = {str(each["name"]): int(each.get("size") or 0) for each in listed}
        names = tuple(str(each["name"]) for each in loaded)
    except httpx.HTTPError as error:
        return OllamaSeen(base, error=str(error) or type(error).__name__), None
    except (ValueError, KeyError, TypeError):
        return OllamaSeen(base, error="what answers is not Ollama"), None
    if with_tag(model) not in names:
        return OllamaSeen(base, None, models, names, version), None
    speed = await _speed(base, model, client)
    reason = None if speed else f"the speed of {model}: it was busy for {SPEED_SECONDS:.0f} s"
    return OllamaSeen(base, None, models, names, version, speed), reason


async def _speed(base: str, model: str, client: httpx.AsyncClient) -> float | None:
    """Return the tokens a second that a loaded model makes now; None when it does not answer."""
    body = {
        "model": model,
        "prompt": "Der Hund schläft im Garten, weil",
        "stream": False,
        "options": {"num_predict": SPEED_TOKENS, "temperature": 0},
    }
    try:
        response = await client.post(f"{base}/api/generate", json=body, timeout=SPEED_SECONDS)
        counted: dict[str, Any] = response.raise_for_status().json()
        return float(counted["eval_count"] / (counted["eval_duration"] / 1e9))
    except (httpx.HTTPError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None


def _paid_base(deployments: Sequence[Deployment], entries: list[dict[str, Any]]) -> str | None:
    """Return a provider that is asked anyway, whose answers have a date."""
    for deployment, entry in zip(deployments, entries, strict=True):
        has_key = referenced(entry["litellm_params"].get("api_key")) is not None
        if has_key and deployment.base and deployment.base.startswith("https://"):
            return deployment.base
    return None


async def _clock_offset(base: str | None, client: httpx.AsyncClient) -> float | None:
    """Return the seconds that this clock is ahead of the date in an answer's header."""
    if base is None:
        return None
    try:
        date = (await client.head(base)).headers["date"]
        return time.time() - parsedate_to_datetime(date).timestamp()
    except (httpx.HTTPError, KeyError, ValueError, TypeError):
        return None
