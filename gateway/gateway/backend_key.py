"""The backend's virtual key: made and kept up to date through LiteLLM's own API.

The backend never gets the master key, which no budget limits.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

ALIAS = "backend-stub"
PART = "backend key"
RETRY_SECONDS = 2.0


@dataclass(frozen=True)
class BackendKey:
    """The key as it should be.

    Attributes:
        value: the key itself.
        budget: US dollars in each period.
        period: LiteLLM's notation, 30d.
        models: the aliases that it may ask for.
    """

    value: str
    budget: float
    period: str
    models: tuple[str, ...]

    def limits(self) -> dict[str, Any]:
        """Returns what is kept up to date, in the names of LiteLLM's API."""
        return {
            "key_alias": ALIAS,
            "max_budget": self.budget,
            "budget_duration": self.period,
            "models": list(self.models),
        }

    @property
    def token(self) -> str:
        """What LiteLLM stores and finds the key by: its sha256."""
        return hashlib.sha256(self.value.encode()).hexdigest()


class KeyApiError(Exception):
    """LiteLLM did not do what it was asked."""


async def keep_trying(
    client: httpx.AsyncClient,
    key: BackendKey,
    pending: MutableMapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Makes the key exist, trying again until it does; health is red as long as `pending` says."""
    reported = ""
    while True:
        try:
            say(f"{PART}: {await ensure(client, key)}")
        except (KeyApiError, httpx.HTTPError) as error:
            pending[PART] = f"the backend's virtual key is not set up: {error}"
            if pending[PART] != reported:
                reported = pending[PART]
                say(reported)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            pending.pop(PART, None)
            return


async def ensure(client: httpx.AsyncClient, key: BackendKey) -> str:
    """Makes the key exist with its limits; returns what was done, for the log.

    Raises:
        KeyApiError: LiteLLM refused, or its database is away.
    """
    present = await _find(client, key_hash=key.token)
    if present is None:
        if await _find(client, key_alias=ALIAS):
            # The secrets volume was made anew; its old key must not stay valid.
            await _post(client, "/key/delete", {"key_aliases": [ALIAS]})
        await _post(client, "/key/generate", {"key": key.value, "spend": 0, **key.limits()})
        return f"created, {key.budget:g} USD each {key.period}"
    if _differs(present, key):
        await _post(client, "/key/update", {"key": key.value, **key.limits()})
        return f"updated, {key.budget:g} USD each {key.period}"
    return f"ready, {key.budget:g} USD each {key.period}"


def _differs(present: dict[str, Any], key: BackendKey) -> bool:
    wanted = key.limits()
    models = set(present.get("models") or [])
    return models != set(wanted.pop("models")) or any(
        present.get(name) != value for name, value in wanted.items()
    )


async def _find(client: httpx.AsyncClient, **filters: str) -> dict[str, Any] | None:
    """Returns the key that the filters find; /key/info would log a traceback when there is none."""
    parameters = {**filters, "return_full_object": "true", "size": "1"}
    keys: list[dict[str, Any]] = _checked(await client.get("/key/list", params=parameters))["keys"]
    return keys[0] if keys else None


async def _post(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    _checked(await client.post(path, json=body))


def _checked(response: httpx.Response) -> dict[str, Any]:
    if response.is_success:
        data: dict[str, Any] = response.json()
        return data
    raise KeyApiError(f"{response.request.url.path} answered {response.status_code}")
