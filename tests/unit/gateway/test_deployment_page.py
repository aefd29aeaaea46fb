"""GET /gateway/deployments: how each deployment is, for the holder of the master key alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gateway.deployment_page import PATH, DeploymentPage
from gateway.failover.deployment_state import DeploymentState
from gateway.failover.registry import Member
from gateway.failover.settings import FailoverSettings
from gateway.failover.target import Target
from gateway.reach import Look, Reach, look

if TYPE_CHECKING:
    from gateway.front import Message, Receive, Send

MASTER = "sk-0a1b2c3d4e5f6071829304a5b6c7d8e9"
SECRET = "sk-key-of-a-provider"
OPENAI = Target("id-1", "alias", "openai", "gpt-4o-mini", "http://openai.test/v1", SECRET)
OLLAMA = Target("id-2", "alias", "ollama_chat", "llama3.2", "http://ollama.test", None)


class Failover:
    """Stands in for failover, with one deployment that is in use."""

    registry = (Member(OPENAI, DeploymentState(FailoverSettings())),)

    def status(self) -> list[dict[str, Any]]:
        """Returns what failover says of it."""
        return [{"alias": "alias", "deployment": "id-1", "condition": "up"}]


async def behind(scope: Message, _receive: Receive, send: Send) -> None:
    """Stands in for LiteLLM."""
    await send({"type": "behind", "path": scope.get("path")})


def scope(authorization: str | None) -> dict[str, Any]:
    """Returns a request for the page."""
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return {"type": "http", "method": "GET", "path": PATH, "headers": headers}


@pytest.mark.parametrize("given", [None, "", MASTER, "Bearer ", "Bearer sk-1234", "Bearer é"])
def test_without_the_master_key_nothing_is_told(given: str | None) -> None:
    """Another key, half of one or none is answered with 401 and no deployment."""
    status, body = asyncio.run(DeploymentPage(behind, Failover(), MASTER).answer(scope(given)))

    assert status == 401
    assert "deployments" not in body


def test_with_the_master_key_each_deployment_is_told_without_its_key() -> None:
    """It says that there is a provider's key, and not which."""
    status, body = asyncio.run(
        DeploymentPage(behind, Failover(), MASTER).answer(scope(f"Bearer {MASTER}"))
    )

    assert status == 200
    assert body["deployments"] == [
        {
            "alias": "alias",
            "deployment": "id-1",
            "condition": "up",
            "provider": "openai",
            "has_key": True,
        }
    ]
    assert SECRET not in str(body)


def test_a_gateway_without_a_master_key_tells_everybody() -> None:
    """Such a gateway starts on loopback only."""
    assert asyncio.run(DeploymentPage(behind, Failover(), None).answer(scope(None)))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", PATH, "http.response.start"),
        ("POST", PATH, "behind"),
        ("GET", f"{PATH}/x", "behind"),
        ("GET", "/v1/models", "behind"),
    ],
)
def test_all_other_requests_are_handed_on(method: str, path: str, kind: str) -> None:
    """It answers for its own path, and nothing else is changed."""
    sent: list[Message] = []

    async def ask() -> None:
        async def receive() -> Message:
            return {}

        async def send(message: Message) -> None:
            sent.append(message)

        page = DeploymentPage(behind, Failover(), MASTER)
        await page(scope(None) | {"method": method, "path": path}, receive, send)

    asyncio.run(ask())
    assert sent[0]["type"] == kind


def seen(target: Target, answers: dict[str, httpx.Response]) -> Look:
    """Returns what a look shows where these paths have these answers, and others do not connect."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path not in answers:
            raise httpx.ConnectError("refused")
        return answers[request.url.path]

    async def once() -> Look:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await look(target, client)

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("answers", "reachable"),
    [
        ({"/v1/models": httpx.Response(200)}, Reach.YES),
        ({"/v1/models": httpx.Response(401)}, Reach.KEY_REFUSED),
        ({"/v1/models": httpx.Response(503)}, Reach.NO),
        ({}, Reach.NO),
    ],
)
def test_a_look_tells_a_refused_key_from_a_dead_provider(
    answers: dict[str, httpx.Response], reachable: Reach
) -> None:
    """The model list of an OpenAI-like server costs nothing and wants the key."""
    assert seen(OPENAI, answers) == Look(reachable)


def test_a_look_at_ollama_finds_the_context_of_a_loaded_model() -> None:
    """What Ollama holds in memory has the window that it was loaded with."""
    tags = httpx.Response(200, json={"models": [{"name": "llama3.2:latest"}]})
    loaded = {"models": [{"name": "llama3.2:latest", "context_length": 4096}]}

    with_it = seen(OLLAMA, {"/api/tags": tags, "/api/ps": httpx.Response(200, json=loaded)})
    without = seen(OLLAMA, {"/api/tags": tags, "/api/ps": httpx.Response(404)})

    assert with_it == Look(Reach.YES, 4096)
    assert without == Look(Reach.YES, None)


def test_an_ollama_without_the_model_is_not_reachable() -> None:
    """A model that is not pulled yet cannot answer."""
    tags = httpx.Response(200, json={"models": []})
    assert seen(OLLAMA, {"/api/tags": tags}).reachable is Reach.NO
