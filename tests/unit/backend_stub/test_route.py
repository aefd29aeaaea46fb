"""Who answered and why, from the gateway's x-gateway-* headers into every kind of answer."""

from __future__ import annotations

import json

import httpx
import pytest

from backend_stub.route import route_of
from backend_stub.schemas import Route
from support.fake_gateway import FakeGateway, Stream, chunk, completion, error

FELL_BACK = {
    "x-gateway-alias": "extraction-model-openai",
    "x-gateway-deployment": "3f05eddb",
    "x-gateway-model": "openai/gpt-4o-mini",
    "x-gateway-attempts": "2",
    "x-gateway-fallback": "true; from=extraction-model",
    "x-gateway-outcomes": "missing,answered",
}
ROUTE = {
    "alias": "extraction-model-openai",
    "deployment": "3f05eddb",
    "model": "openai/gpt-4o-mini",
    "attempts": 2,
    "fallback_from": "extraction-model",
    "outcomes": ["missing", "answered"],
}
ACCEPT = {"accept": "text/event-stream"}


@pytest.mark.parametrize(
    ("path", "body", "content"),
    [
        ("/extract", {"text": "Der Hund"}, '{"items": []}'),
        ("/explain", {"item": "weil"}, "because"),
    ],
)
def test_whole_answer(
    client: httpx.Client, gateway: FakeGateway, path: str, body: dict[str, str], content: str
) -> None:
    """A whole answer tells who gave it, after which attempts, in whose place."""
    answer = completion(content)
    answer.headers.update(FELL_BACK)
    gateway.will(answer)

    assert client.post(path, json=body).json()["route"] == ROUTE


def test_stream(client: httpx.Client, gateway: FakeGateway) -> None:
    """A stream tells it in its last event."""
    answer = Stream(chunk("a", "stop"), "[DONE]").response
    answer.headers.update(FELL_BACK)
    gateway.will(answer)

    text = client.post("/explain", json={"item": "weil"}, headers=ACCEPT).text

    assert json.loads(text.split("data: ")[-1])["route"] == ROUTE


@pytest.mark.parametrize("headers", [{}, ACCEPT])
def test_error(client: httpx.Client, gateway: FakeGateway, headers: dict[str, str]) -> None:
    """An error tells who was asked in vain."""
    told = {
        "x-gateway-alias": "explanation-model",
        "x-gateway-attempts": "1",
        "x-gateway-fallback": "false",
        "x-gateway-outcomes": "limited",
    }
    gateway.will(error(429, "slow down", headers=told))

    found = client.post("/explain", json={"item": "weil"}, headers=headers).json()["error"]

    assert found["route"] == {"alias": "explanation-model", "attempts": 1, "outcomes": ["limited"]}


def test_nobody_asked() -> None:
    """A request that no deployment was asked for has no attempt and no outcome."""
    headers = {"x-gateway-alias": "a", "x-gateway-attempts": "0", "x-gateway-fallback": "false"}

    assert route_of(headers) == Route(alias="a", attempts=0)


def test_other_gateway() -> None:
    """A gateway that sends no such headers leaves the route unknown."""
    assert route_of({"x-litellm-model-name": "openai/gpt-4o-mini"}) is None


def test_headers_that_make_no_sense() -> None:
    """What cannot be read is left out instead of failing an answer that was paid for."""
    found = route_of({"x-gateway-alias": "a", "x-gateway-attempts": "many"})

    assert found == Route(alias="a", attempts=1)
