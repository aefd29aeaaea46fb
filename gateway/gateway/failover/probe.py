"""A look at a deployment that is out of use, at an endpoint that costs nothing.

Never a completion. Ollama lists its models, so one whose model is not pulled yet stays out; servers
that speak OpenAI's protocol list theirs, and say at once whether they take the key; of the rest, a
connection is all there is to see.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from gateway.failover.failure import FailureKind

if TYPE_CHECKING:
    from gateway.failover.target import Target

OLLAMA = frozenset({"ollama", "ollama_chat"})
OPENAI_LIKE = frozenset(
    {"openai", "hosted_vllm", "lm_studio", "custom_openai", "huggingface", "openai_like"}
)
KEY_HEADERS = {
    "anthropic": ("/v1/models", "x-api-key"),
    "gemini": ("/v1beta/models", "x-goog-api-key"),
}
"""Where the others list their models, and the header of the key."""
NOT_THERE = 404
UNAUTHORISED = frozenset({401, 403})
SERVER_ERROR = 500


async def looks_good(target: Target, reason: FailureKind, client: httpx.AsyncClient) -> bool:
    """Returns whether a deployment could be back.

    Args:
        target: the deployment.
        reason: why it is out of use.
        client: makes the request; its timeout holds for a bare connection too.
    """
    if reason is FailureKind.LIMITED or target.base is None:
        return True  # only time tells
    try:
        if target.provider in OLLAMA:
            return await _ollama_has_model(target, client)
        if target.provider in OPENAI_LIKE:
            headers = {"authorization": f"Bearer {target.key}"} if target.key else {}
            return await _answers(f"{target.base}/models", headers, reason, client)
        if reason is FailureKind.UNAUTHORISED and target.provider in KEY_HEADERS:
            path, name = KEY_HEADERS[target.provider]
            headers = {name: target.key or "", "anthropic-version": "2023-06-01"}
            return await _answers(f"{target.base}{path}", headers, reason, client)
        return await _connects(target.base, client.timeout.connect)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return False


async def _answers(
    url: str, headers: dict[str, str], reason: FailureKind, client: httpx.AsyncClient
) -> bool:
    status = (await client.get(url, headers=headers)).status_code
    if reason is FailureKind.UNAUTHORISED and status in UNAUTHORISED:
        return False
    return status < SERVER_ERROR


async def _ollama_has_model(target: Target, client: httpx.AsyncClient) -> bool:
    """https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models."""
    response = await client.get(f"{target.base}/api/tags")
    if response.status_code == NOT_THERE:  # something between us and Ollama lets only chats pass
        return True
    if response.status_code >= SERVER_ERROR:
        return False
    listed: dict[str, Any] = response.json()
    names = {model.get("name") for model in listed.get("models") or []}
    return _with_tag(target.model) in names


def _with_tag(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


async def _connects(base: str, seconds: float | None) -> bool:
    url = urlsplit(base)
    port = url.port or (443 if url.scheme == "https" else 80)
    connecting = asyncio.open_connection(url.hostname, port, ssl=url.scheme == "https" or None)
    try:
        _, writer = await asyncio.wait_for(connecting, seconds)
    except asyncio.TimeoutError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
