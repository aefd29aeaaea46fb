"""The backend's virtual key, made through LiteLLM's API."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import pytest

from gateway.backend_key import ALIAS, BackendKey, KeyApiError, ensure, keep_trying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Answer = TypeVar("Answer")
KEY = BackendKey("sk-backend", 10.0, "30d", ("extraction-model", "explanation-model"))


class KeyApi:
    """LiteLLM's key routes, with a memory."""

    def __init__(self, *keys: dict[str, Any], failures: int = 0) -> None:
        self.keys = list(keys)
        self.failures = failures
        self.calls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        if self.failures:
            self.failures -= 1
            return httpx.Response(503, json={})
        if request.url.path == "/key/list":
            return httpx.Response(200, json={"keys": self._found(dict(request.url.params))})
        self.calls.append(request.url.path)
        body = json.loads(request.content)
        if request.url.path == "/key/delete":
            self.keys = [key for key in self.keys if key["key_alias"] not in body["key_aliases"]]
        elif request.url.path == "/key/generate":
            self.keys.append({**body, "token": BackendKey(body["key"], 0, "", ()).token})
        return httpx.Response(200, json={})

    def _found(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        alias, token = filters.get("key_alias"), filters.get("key_hash")
        return [
            key
            for key in self.keys
            if (alias is None or key["key_alias"] == alias)
            and (token is None or key["token"] == token)
        ]


def run(api: KeyApi, action: Callable[[httpx.AsyncClient], Awaitable[Answer]]) -> Answer:
    """Runs `action` with a client of that API."""

    async def _run() -> Answer:
        transport = httpx.MockTransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await action(client)

    return asyncio.run(_run())


def stored(**changes: object) -> dict[str, Any]:
    """Returns the key as LiteLLM lists it."""
    return {"token": KEY.token, **KEY.limits(), **changes}


def test_missing_key_is_created_with_its_limits() -> None:
    """The value, alias, budget and models all reach LiteLLM."""
    api = KeyApi()
    assert "created" in run(api, lambda client: ensure(client, KEY))
    assert api.keys[0]["key"] == "sk-backend"
    assert api.keys[0]["max_budget"] == 10
    assert api.keys[0]["key_alias"] == ALIAS
    assert api.keys[0]["models"] == ["extraction-model", "explanation-model"]


def test_key_as_it_should_be_is_left_alone() -> None:
    """A second start changes nothing, whatever the order of the models."""
    api = KeyApi(stored(models=["explanation-model", "extraction-model"]))
    assert "ready" in run(api, lambda client: ensure(client, KEY))
    assert api.calls == []


@pytest.mark.parametrize(
    "change", [{"max_budget": 5}, {"budget_duration": "7d"}, {"models": ["extraction-model"]}]
)
def test_changed_setting_updates_the_key(change: dict[str, Any]) -> None:
    """Another budget, period or list of models is written to the key that exists."""
    api = KeyApi(stored(**change))
    assert "updated" in run(api, lambda client: ensure(client, KEY))
    assert api.calls == ["/key/update"]


def test_new_value_replaces_the_old_key() -> None:
    """When the secrets volume was made anew, the key before it stops being valid."""
    api = KeyApi(stored(token="of-another-key"))
    run(api, lambda client: ensure(client, KEY))
    assert api.calls == ["/key/delete", "/key/generate"]
    assert [key["token"] for key in api.keys] == [KEY.token]


def test_refusal_names_the_route_and_not_the_key() -> None:
    """An error can be logged: it holds no key."""
    with pytest.raises(KeyApiError) as raised:
        run(KeyApi(failures=1), lambda client: ensure(client, KEY))
    assert str(raised.value) == "/key/list answered 503"


def test_it_is_tried_until_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health stays red while LiteLLM refuses, and turns green without a restart."""
    monkeypatch.setattr("gateway.backend_key.RETRY_SECONDS", 0)
    pending = {"backend key": "not yet"}
    said: list[str] = []
    api = KeyApi(failures=3)
    run(api, lambda client: keep_trying(client, KEY, pending, said.append))
    assert pending == {}
    assert said[0].startswith("the backend's virtual key is not set up: ")
    assert "created" in said[-1]
    assert len(said) == 2
