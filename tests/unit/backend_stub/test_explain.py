"""POST /explain: whole, or as server-sent events that never end short without saying so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from support.fake_gateway import HANG, FakeGateway, Stream, chunk, completion, error, usage_chunk

ASK = {"item": "weil", "context": "Er schläft, weil er müde ist."}
ACCEPT = {"accept": "text/event-stream"}


def events(text: str) -> list[tuple[str, Any]]:
    """Return the names and data of server-sent events."""
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_whole(client: httpx.Client, gateway: FakeGateway) -> None:
    """Without the accept header the explanation comes as one JSON object."""
    gateway.will(completion("'weil' sends the verb to the end."))

    response = client.post("/explain", json=ASK)

    assert response.json() == {
        "explanation": "'weil' sends the verb to the end.",
        "model": "ollama_chat/llama3.2",
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "cost_usd": None},
        "request_id": response.headers["x-request-id"],
        "truncated": False,
        "route": None,
    }
    assert gateway.body()["model"] == "explanation-model"
    assert gateway.body()["messages"][1]["content"] == f"Item: weil\nContext: {ASK['context']}"
    assert gateway.call_ids == [response.headers["x-request-id"]]


def test_no_context(client: httpx.Client, gateway: FakeGateway) -> None:
    """The context may be left out."""
    gateway.will(completion("because"))

    assert client.post("/explain", json={"item": "weil"}).status_code == 200
    assert gateway.body()["messages"][1]["content"] == "Item: weil"


def test_whole_but_truncated(client: httpx.Client, gateway: FakeGateway) -> None:
    """An answer that reached the token limit is marked as truncated."""
    answer = completion("because, and")
    body = json.loads(answer.content)
    body["choices"][0]["finish_reason"] = "length"
    gateway.will(httpx.Response(200, json=body))

    assert client.post("/explain", json=ASK).json()["truncated"] is True


def test_stream(client: httpx.Client, gateway: FakeGateway) -> None:
    """With it, each piece is a delta event, and done ends them with model, usage and request id."""
    stream = Stream(
        chunk("Die "), chunk("Bäume"), chunk("", "stop"), usage_chunk(cost=0.5), "[DONE]"
    )
    gateway.will(stream.response)

    response = client.post("/explain", json=ASK, headers=ACCEPT)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    done = {
        "model": "ollama_chat/llama3.2",
        "usage": {"prompt_tokens": 20, "completion_tokens": 9, "cost_usd": 0.5},
        "request_id": response.headers["x-request-id"],
        "truncated": False,
        "route": None,
    }
    assert events(response.text) == [
        ("delta", {"text": "Die "}),
        ("delta", {"text": "Bäume"}),
        ("done", done),
    ]
    assert gateway.body()["stream_options"] == {"include_usage": True}
    assert gateway.call_ids == [response.headers["x-request-id"]]
    assert stream.closed.is_set()


@pytest.mark.parametrize("headers", [{}, ACCEPT])
def test_model_of_the_request(
    client: httpx.Client, gateway: FakeGateway, headers: dict[str, str]
) -> None:
    """A request's own `model` goes before the setting, whole or streamed."""
    gateway.will(
        Stream(chunk("a", "stop"), "[DONE]").response if headers else completion("because")
    )

    client.post("/explain", json={**ASK, "model": "explanation-model-hf"}, headers=headers)

    assert gateway.body()["model"] == "explanation-model-hf"


def test_stream_pieces_arrive_at_once(client: httpx.Client, gateway: FakeGateway) -> None:
    """A piece is sent on before the next one exists."""
    gateway.will(Stream(chunk("erstes"), Stream.HANG).response)

    with client.stream("POST", "/explain", json=ASK, headers=ACCEPT) as response:
        assert next(response.iter_text()) == 'event: delta\ndata: {"text":"erstes"}\n\n'


def test_stream_cost_unknown(client: httpx.Client, gateway: FakeGateway) -> None:
    """A cost that the gateway does not tell for a stream is null, not 0."""
    gateway.will(Stream(chunk("a", "stop"), usage_chunk(), "[DONE]").response)

    text = client.post("/explain", json=ASK, headers=ACCEPT).text

    assert events(text)[-1][1]["usage"]["cost_usd"] is None


def test_stream_truncated(client: httpx.Client, gateway: FakeGateway) -> None:
    """A stream that reached the token limit is marked as truncated."""
    gateway.will(Stream(chunk("a"), chunk("", "length"), usage_chunk(), "[DONE]").response)

    text = client.post("/explain", json=ASK, headers=ACCEPT).text

    assert events(text)[-1][1]["truncated"] is True


def test_stream_fails_before_the_first_piece(client: httpx.Client, gateway: FakeGateway) -> None:
    """An error before the first piece is an ordinary error answer with its status."""
    gateway.will(error(429, "slow down", headers={"retry-after": "7"}))

    response = client.post("/explain", json=ASK, headers=ACCEPT)

    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.json()["error"]["code"] == "rate_limited"


def test_stream_fails_in_its_first_event(client: httpx.Client, gateway: FakeGateway) -> None:
    """That holds for an error which the gateway sends as the first event of a stream, too."""
    body = {"error": {"message": "litellm.Timeout: x", "type": "", "code": "408"}}
    gateway.will(Stream(body, "[DONE]").response)

    assert client.post("/explain", json=ASK, headers=ACCEPT).status_code == 504


@pytest.mark.parametrize(
    ("break_off", "code"),
    [
        ({"error": {"message": "x", "type": "", "code": "500"}}, "provider_failed"),
        ({"error": {"message": "x", "type": "", "code": "429"}}, "rate_limited"),
        (httpx.RemoteProtocolError("peer closed"), "answer_broken"),
        (httpx.ReadTimeout("slow"), "gateway_timeout"),
        ("{not json", "answer_broken"),
        ("[DONE]", "answer_broken"),
    ],
)
def test_stream_breaks_midway(
    client: httpx.Client, gateway: FakeGateway, break_off: object, code: str
) -> None:
    """After the first piece every way to break off, an early end included, is an error event."""
    gateway.will(Stream(chunk("Die "), break_off).response)

    response = client.post("/explain", json=ASK, headers=ACCEPT)

    first, last = events(response.text)
    assert first == ("delta", {"text": "Die "})
    assert last[0] == "error"
    assert last[1]["error"]["code"] == code
    assert last[1]["error"]["request_id"] == response.headers["x-request-id"]


def test_stream_ends_without_done_marker(client: httpx.Client, gateway: FakeGateway) -> None:
    """A connection that closes cleanly before the model has finished is an error event."""
    gateway.will(Stream(chunk("Die ")).response)

    text = client.post("/explain", json=ASK, headers=ACCEPT).text

    assert events(text)[-1][0] == "error"


def test_client_leaves_a_stream(client: httpx.Client, gateway: FakeGateway) -> None:
    """A client that leaves ends the call upstream, even between two pieces."""
    stream = Stream(chunk("Die "), Stream.HANG)
    gateway.will(stream.response)

    with client.stream("POST", "/explain", json=ASK, headers=ACCEPT) as response:
        pieces = response.iter_text()
        next(pieces)
        assert not stream.closed.is_set()

    assert stream.closed.wait(5)


@pytest.mark.parametrize("headers", [{}, ACCEPT])
@pytest.mark.parametrize("path", ["/explain", "/extract"])
def test_client_leaves_before_the_answer(
    client: httpx.Client, gateway: FakeGateway, path: str, headers: dict[str, str]
) -> None:
    """A client that leaves while the model still thinks ends the call upstream, too."""
    gateway.will(HANG)
    body = ASK if path == "/explain" else {"text": "Der Hund"}

    with pytest.raises(httpx.ReadTimeout):
        client.post(path, json=body, headers=headers, timeout=0.3)

    assert gateway.cancelled.wait(5)


def test_slow_stream(serve: Callable[..., httpx.Client], gateway: FakeGateway) -> None:
    """The gateway gets LITELLM_TIMEOUT as the longest pause between two pieces."""
    gateway.will(Stream(chunk("a", "stop"), usage_chunk(), "[DONE]").response)

    serve(litellm_timeout=42).post("/explain", json=ASK, headers=ACCEPT)

    assert gateway.requests[0].extensions["timeout"]["read"] == 42
