"""Whether a deployment's provider can be reached now, checked at an endpoint that costs nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import aiohttp

from gateway.config.deployment import Protocol
from gateway.routing.failure import FailureKind
from gateway.routing.health_check import HealthChecker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.deployment import Deployment


class Reachability(str, Enum):
    """Whether a free health check reached the provider."""

    YES = "yes"
    NO = "no"
    KEY_REFUSED = "key refused"
    UNKNOWN = "unknown"  # only LiteLLM knows where the provider is


@dataclass(frozen=True)
class HealthCheckResult:
    """The result of a free health check.

    Attributes:
        reachable: whether the provider answers; an Ollama must also have the model.
        context: the context, in tokens, of a model that Ollama holds in memory; None otherwise.
    """

    reachable: Reachability
    context: int | None = None


async def check_all(deployments: Sequence[Deployment], seconds: float) -> list[HealthCheckResult]:
    """Return whether each deployment answers.

    This takes one or two free requests for each, and at most `seconds` for one request.
    """
    checker = HealthChecker(seconds)
    limit = aiohttp.ClientTimeout(total=seconds)
    try:
        async with aiohttp.ClientSession(timeout=limit, trust_env=True) as client:
            checks = (_check(deployment, checker, client) for deployment in deployments)
            return await asyncio.gather(*checks)
    finally:
        await checker.close()


async def _check(
    deployment: Deployment, checker: HealthChecker, client: aiohttp.ClientSession
) -> HealthCheckResult:
    if deployment.base is None:
        return HealthCheckResult(Reachability.UNKNOWN)
    if not await checker.is_healthy(deployment, FailureKind.UNREACHABLE):
        return HealthCheckResult(Reachability.NO)
    if deployment.protocol is Protocol.OLLAMA:
        return HealthCheckResult(Reachability.YES, await _loaded_context(deployment, client))
    if not await checker.is_healthy(deployment, FailureKind.UNAUTHORISED):
        return HealthCheckResult(Reachability.KEY_REFUSED)
    return HealthCheckResult(Reachability.YES)


async def _loaded_context(deployment: Deployment, client: aiohttp.ClientSession) -> int | None:
    """Return the context, in tokens, of a model that Ollama holds in memory; None if unknown.

    https://github.com/ollama/ollama/blob/main/docs/api.md#list-running-models
    """
    try:
        async with client.get(f"{deployment.base}/api/ps") as response:
            loaded = (await response.json(content_type=None))["models"]
        lengths = {model["name"]: model.get("context_length") for model in loaded}
    except (aiohttp.ClientError, asyncio.TimeoutError, ValueError, KeyError, TypeError):
        return None  # an older Ollama, or a proxy in between that lets only chats pass
    found = lengths.get(deployment.model, lengths.get(f"{deployment.model}:latest"))
    return found if isinstance(found, int) else None
