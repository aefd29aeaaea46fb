"""What LiteLLM's proxy does, as its supervisor says it: for /health, which must ask nobody."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import orjson

from gateway.providers.http_client import HttpClient
from gateway.providers.reply import Timeouts
from gateway.providers.target import Target
from gateway.proxy.front import HEALTH
from gateway.routing.failure import AttemptFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

EVERY = 5.0
"""Seconds between two questions; they wake nobody."""

_PATIENCE = Timeouts(connect=3.0, answer=3.0)
_WELL = frozenset({"ready", "idle"})
"""States in which a request is answered, in the second one after LiteLLM has started."""


class Watch:
    """Asks the supervisor now and then.

    Args:
        url: LITELLM_PROXY_URL.
    """

    def __init__(self, url: str) -> None:
        self._target = Target(f"{url.rstrip('/')}{HEALTH}", {}, method="GET")
        self._http = HttpClient()
        self._trouble: str | None = "not asked yet"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to ask; to be called once, on the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._ask_again_and_again())

    async def close(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._http.close()

    def degraded(self) -> list[str]:
        """Return what does not work while LiteLLM's proxy does not answer."""
        if self._trouble is None:
            return []
        return [f"admin page and other APIs: LiteLLM's proxy is {self._trouble}"]

    async def _ask_again_and_again(self) -> None:
        while True:
            try:
                _, content = await self._http.fetch(self._target, b"", {}, _PATIENCE)
                self._trouble = _trouble_in(orjson.loads(content))
            except (AttemptFailedError, ValueError):
                self._trouble = "not there"
            await asyncio.sleep(EVERY)


def _trouble_in(answer: Mapping[str, Any]) -> str | None:
    state, why = str(answer.get("state", "not there")), answer.get("why")
    if state in _WELL:
        return None
    return f"{state}: it {why}" if why else state
