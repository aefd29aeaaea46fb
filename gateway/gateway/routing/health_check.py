"""A health check of a deployment in cooldown, at an endpoint that costs nothing.

It never asks for a completion. Ollama lists its models, so a deployment whose model is not pulled
yet stays in cooldown. Servers that speak OpenAI's protocol also list their models, and show at once
whether they accept the key. For all others the check can only connect.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

from gateway.config.deployment import Protocol
from gateway.routing.failure import FailureKind

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment

OPENAI_LIKE = frozenset(
    {"openai", "hosted_vllm", "lm_studio", "custom_openai", "huggingface", "openai_like"}
)
OLLAMA = frozenset({"ollama", "ollama_chat"})
KEY_HEADERS = {
    "anthropic": ("/v1/models", "x-api-key"),
    "gemini": ("/v1beta/models", "x-goog-api-key"),
}
"""Where other providers list their models, and the header for the key."""
NO_SUCH_ENDPOINT = frozenset({404, 405, 501})
UNAUTHORISED = frozenset({401, 403})
SERVER_ERROR = 500


class HealthChecker:
    """Makes health checks; close it after use.

    Args:
        seconds: the time that one check may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=seconds), trust_env=True
        )

    async def close(self) -> None:
        """Drop all connections."""
        await self._session.close()

    async def is_healthy(self, deployment: Deployment, reason: FailureKind) -> bool:
        """Return whether a deployment could be back.

        Args:
            deployment: the deployment.
            reason: why it is in cooldown.
        """
        if reason is FailureKind.LIMITED or deployment.base is None:
            return True  # only time tells
        try:
            return await self._check(deployment, deployment.base, reason)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError):
            return False

    async def _check(self, deployment: Deployment, base: str, reason: FailureKind) -> bool:
        if deployment.protocol is Protocol.OLLAMA or deployment.provider in OLLAMA:
            return await self._ollama_has_model(base, deployment)
        if deployment.protocol is Protocol.OPENAI or deployment.provider in OPENAI_LIKE:
            headers = {"authorization": f"Bearer {deployment.key}"} if deployment.key else {}
            return await self._answers(f"{base}/models", {**deployment.headers, **headers}, reason)
        if reason is FailureKind.UNAUTHORISED and deployment.provider in KEY_HEADERS:
            path, name = KEY_HEADERS[deployment.provider]
            headers = {name: deployment.key or "", "anthropic-version": "2023-06-01"}
            return await self._answers(f"{base}{path}", headers, reason)
        return await self._connects(base)

    async def _answers(self, url: str, headers: dict[str, str], reason: FailureKind) -> bool:
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            status = response.status
        if reason is FailureKind.UNAUTHORISED and status in UNAUTHORISED:
            return False
        return status < SERVER_ERROR or status in NO_SUCH_ENDPOINT

    async def _ollama_has_model(self, base: str, deployment: Deployment) -> bool:
        """Return whether Ollama has a deployment's model.

        https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models
        """
        async with self._session.get(f"{base}/api/tags", headers=deployment.headers) as response:
            if response.status in NO_SUCH_ENDPOINT:
                return True  # something between us and Ollama lets only chats pass
            if response.status >= SERVER_ERROR:
                return False
            listed: Any = await response.json(content_type=None)
        if not isinstance(listed, dict):
            return False
        names = {model.get("name") for model in listed.get("models") or []}
        return _with_tag(deployment.model) in names

    async def _connects(self, base: str) -> bool:
        url = urlsplit(base)
        port = url.port or (443 if url.scheme == "https" else 80)
        connecting = asyncio.open_connection(url.hostname, port, ssl=url.scheme == "https" or None)
        _, writer = await asyncio.wait_for(connecting, self._seconds)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True


def _with_tag(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"
