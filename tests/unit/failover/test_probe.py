"""The free look at a deployment: what is asked, and what an answer means."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway.failover.failure import FailureKind
from gateway.failover.probe import looks_good
from gateway.failover.target import Target

DOWN = FailureKind.UNREACHABLE
KEY_REFUSED = FailureKind.UNAUTHORISED
BASE = "http://provider.test"


def look(
    provider: str,
    reason: FailureKind,
    response: httpx.Response | Exception,
    model: str = "llama3.2",
) -> tuple[bool, list[httpx.Request]]:
    """Returns what a look finds when every request gets this response, and the requests."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if isinstance(response, Exception):
            raise response
        return response

    async def probe() -> bool:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await looks_good(Target("7", "a", provider, model, BASE, "sk-x"), reason, client)

    return asyncio.run(probe()), requests


def test_ollama_is_asked_for_its_models() -> None:
    """Ollama is back when it lists the model, which costs and loads nothing."""
    listed = httpx.Response(200, json={"models": [{"name": "llama3.2:latest"}]})
    good, requests = look("ollama_chat", DOWN, listed)
    assert good
    assert [(r.method, r.url.path) for r in requests] == [("GET", "/api/tags")]


@pytest.mark.parametrize("model", ["llama3.2:1b", "qwen3"])
def test_ollama_without_the_model_stays_out(model: str) -> None:
    """An Ollama that is up but still pulls the model would fail the next request."""
    listed = httpx.Response(200, json={"models": [{"name": "llama3.2:latest"}]})
    assert not look("ollama", DOWN, listed, model)[0]


def test_an_openai_server_is_asked_for_its_models() -> None:
    """Servers that speak OpenAI's protocol are asked for /models with the deployment's key."""
    good, requests = look("openai", DOWN, httpx.Response(200, json={"data": []}))
    assert good
    assert requests[0].url == f"{BASE}/models"
    assert requests[0].headers["authorization"] == "Bearer sk-x"


@pytest.mark.parametrize(("status", "good"), [(401, False), (403, False), (200, True), (404, True)])
def test_a_refused_key_is_back_when_it_is_taken(status: int, *, good: bool) -> None:
    """Only an answer other than 401 and 403 shows that the key is good again."""
    assert look("openai", KEY_REFUSED, httpx.Response(status))[0] is good
    assert look("anthropic", KEY_REFUSED, httpx.Response(status))[0] is good


def test_a_server_that_only_lacks_the_free_endpoint_is_reachable() -> None:
    """After a broken connection any answer below 500 will do."""
    assert look("openai", DOWN, httpx.Response(404))[0]
    assert not look("openai", DOWN, httpx.Response(502))[0]


@pytest.mark.parametrize("error", [httpx.ConnectError("no"), httpx.ReadTimeout("no"), OSError()])
def test_no_answer_is_no_good(error: Exception) -> None:
    """Whatever goes wrong while looking means that it is not back."""
    assert not look("ollama", DOWN, error)[0]


def test_what_is_not_http_at_all_is_no_good() -> None:
    """An Ollama that answers with something else than its list is not back."""
    assert not look("ollama", DOWN, httpx.Response(200, text="<html>"))[0]


def test_a_rate_limit_is_not_probed() -> None:
    """A provider over its limit is asked nothing; its time is all that counts."""
    assert look("openai", FailureKind.LIMITED, httpx.Response(500)) == (True, [])
