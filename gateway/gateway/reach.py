"""Whether a deployment's provider can be reached now, seen at an endpoint that costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import httpx

from gateway.failover.failure import FailureKind
from gateway.failover.probe import OLLAMA, looks_good

if TYPE_CHECKING:
    from gateway.failover.target import Target


class Reach(str, Enum):
    """What a look showed."""

    YES = "yes"
    NO = "no"
    KEY_REFUSED = "key refused"
    UNKNOWN = "unknown"  # only LiteLLM knows where the provider is


@dataclass(frozen=True)
class Look:
    """What a look showed.

    Attributes:
        reachable: whether it answers; an Ollama has to have the model.
        context: tokens, of a model that Ollama holds in memory; None elsewhere.
    """

    reachable: Reach
    context: int | None = None


async def look(target: Target, client: httpx.AsyncClient) -> Look:
    """Returns how a deployment looks; makes one or two free requests."""
    if target.base is None:
        return Look(Reach.UNKNOWN)
    if not await looks_good(target, FailureKind.UNREACHABLE, client):
        return Look(Reach.NO)
    if target.provider in OLLAMA:
        return Look(Reach.YES, await _loaded_context(target, client))
    if not await looks_good(target, FailureKind.UNAUTHORISED, client):
        return Look(Reach.KEY_REFUSED)
    return Look(Reach.YES)


async def _loaded_context(target: Target, client: httpx.AsyncClient) -> int | None:
    """https://github.com/ollama/ollama/blob/main/docs/api.md#list-running-models."""
    try:
        loaded = (await client.get(f"{target.base}/api/ps")).json()["models"]
        lengths = {model["name"]: model.get("context_length") for model in loaded}
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None  # an older Ollama, or something between that lets only chats pass
    found = lengths.get(target.model, lengths.get(f"{target.model}:latest"))
    return found if isinstance(found, int) else None
