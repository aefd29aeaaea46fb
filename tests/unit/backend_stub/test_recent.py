"""GET /requests: the last extractions and explanations, as the log has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from support.fake_gateway import FakeGateway, Stream, chunk, completion, error, usage_chunk
from support.wait import until

ITEMS = '{"items": [{"type": "vocabulary", "text": "der Geheimtext", "translation": "secret"}]}'


def recent(client: httpx.Client, number: int) -> list[dict[str, Any]]:
    """Return the last requests, once there are that many: they are noted after their answer."""

    def found() -> list[dict[str, Any]] | None:
        requests: list[dict[str, Any]] = client.get("/requests").json()["requests"]
        return requests if len(requests) >= number else None

    return until(found, seconds=10, what=f"{number} requests")


def test_empty(client: httpx.Client) -> None:
    """Before the first request there is none; looking at things is not one."""
    client.get("/health")
    client.get("/")
    client.post("/nothing")

    assert client.get("/requests").json() == {"requests": []}


def test_requests(client: httpx.Client, gateway: FakeGateway) -> None:
    """The newest comes first; each has its path, status, model, tokens, cost, time and id."""
    gateway.will(
        completion(ITEMS, x_litellm_response_cost="0.5"),
        Stream(chunk("a", "stop"), usage_chunk(cost=0.25), "[DONE]").response,
        error(429, "slow down"),
    )
    accept = {"accept": "text/event-stream"}
    ids = [
        client.post("/extract", json={"text": "Geheimtext"}).headers["x-request-id"],
        client.post("/explain", json={"item": "Geheimtext"}, headers=accept).headers[
            "x-request-id"
        ],
        client.post("/extract", json={"text": "Geheimtext"}).headers["x-request-id"],
    ]

    found = recent(client, 3)

    for each in found:
        age = datetime.now(UTC) - datetime.fromisoformat(each.pop("time"))
        assert timedelta(0) <= age < timedelta(minutes=1)
        assert each.pop("duration_ms") >= 0
    answered = {"status": 200, "error": None, "model": "ollama_chat/llama3.2"}
    nothing = dict.fromkeys(("model", "prompt_tokens", "completion_tokens", "cost_usd"))
    assert found == [
        {
            "path": "/extract",
            "status": 429,
            "error": "rate_limited",
            **nothing,
            "request_id": ids[2],
        },
        {
            "path": "/explain",
            **answered,
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "cost_usd": 0.25,
            "request_id": ids[1],
        },
        {
            "path": "/extract",
            **answered,
            "prompt_tokens": 11,
            "completion_tokens": 7,
            "cost_usd": 0.5,
            "request_id": ids[0],
        },
    ]
    assert "Geheimtext" not in client.get("/requests").text


def test_only_the_last(client: httpx.Client) -> None:
    """No more than 20 are kept: what a service remembers does not grow."""
    ids = [client.post("/extract", json={}).headers["x-request-id"] for _ in range(23)]

    until(
        lambda: [each["request_id"] for each in recent(client, 20)] == ids[:2:-1],
        seconds=10,
        what="the last 20 requests, newest first",
    )
