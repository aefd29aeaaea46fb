"""`gateway ask`: the answer as it comes, and one line about it; errors in words."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from gateway.ask import Summary, ask, read_question
from gateway.config.settings import load_settings
from gateway.gateway_client import GatewayAnswerError

PIECES = ["Äpfel ", "heißt ", "apples"]
CHUNKS = [{"choices": [{"delta": {"content": piece}}]} for piece in PIECES]
USAGE = {"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 9, "cost": 0.0}}


class Gateway:
    """A gateway that answers one thing.

    Attributes:
        status, body: what it answers; a list is a stream of events.
        asked: bodies of the requests.
        keys: their Authorization headers.
    """

    def __init__(self) -> None:
        self.status = 200
        self.body: Any = [*CHUNKS, USAGE, "[DONE]"]
        self.asked: list[Any] = []
        self.keys: list[str] = []
        self.port = 0


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Yield a gateway on a free port."""
    played = Gateway()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            played.asked.append(json.loads(self.rfile.read(length)))
            played.keys.append(self.headers["authorization"])
            self.send_response(played.status)
            self.send_header("x-gateway-alias", "second")
            self.send_header("x-gateway-model", "openai/gpt-4o-mini")
            self.send_header("x-gateway-fallback", "true; from=first")
            self.end_headers()
            body = played.body
            if isinstance(body, list):
                events = [each if isinstance(each, str) else json.dumps(each) for each in body]
                self.wfile.write("".join(f"data: {event}\n\n" for event in events).encode())
            else:
                self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    played.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield played
    server.shutdown()
    thread.join()
    server.server_close()


def answer(gateway: Gateway, **variables: str) -> list[str | Summary]:
    """Return all that a question gives."""
    settings = load_settings({"PORT": str(gateway.port), **variables})
    return list(ask(settings, "Was heißt Äpfel?", "first"))


def test_the_answer_comes_in_pieces_and_ends_with_its_summary(gateway: Gateway) -> None:
    """Umlauts arrive whole; tokens, cost, seconds and which model answered are one line."""
    *pieces, summary = answer(gateway, BACKEND_VIRTUAL_KEY="sk-backend-0123456789abcdef")

    assert pieces == PIECES
    assert gateway.asked[0]["messages"] == [{"role": "user", "content": "Was heißt Äpfel?"}]
    assert gateway.keys == ["Bearer sk-backend-0123456789abcdef"]
    assert str(summary).startswith("4 + 9 tokens, 0.00000000 USD, first token 0.")
    assert str(summary).endswith(", second (openai/gpt-4o-mini, fallback)")


def test_an_unknown_cost_is_not_called_zero(gateway: Gateway) -> None:
    """Where the gateway tells no cost, the line says so."""
    gateway.body = [*CHUNKS, "[DONE]"]
    assert "? + ? tokens, cost unknown" in str(answer(gateway)[-1])


def test_a_refusal_quotes_the_gateway(gateway: Gateway) -> None:
    """Status and message, not a traceback."""
    gateway.status, gateway.body = 403, {"error": {"message": "no such\nmodel"}}
    with pytest.raises(GatewayAnswerError, match=r"no answer: no such model \(403\)"):
        answer(gateway)


@pytest.mark.parametrize(
    ("end", "said"),
    [([{"error": {"message": "the model's answer was cut off"}}], "cut off"), ([], "closed")],
)
def test_an_answer_that_breaks_off_is_an_error(gateway: Gateway, end: list[Any], said: str) -> None:
    """A short answer is never taken for a whole one."""
    gateway.body = [*CHUNKS, *end]
    with pytest.raises(GatewayAnswerError, match=f"the answer broke off: .*{said}"):
        answer(gateway)


def test_a_gateway_that_is_away_is_said(gateway: Gateway) -> None:
    """The message has the address and what to look at."""
    settings = load_settings({"PORT": "1"})
    with pytest.raises(GatewayAnswerError, match=r"127.0.0.1:1 does not answer(.|\n)*run status"):
        list(ask(settings, "x", "first"))
    assert gateway.asked == []


@pytest.mark.parametrize("given", [None, "-"])
def test_the_question_is_read_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """A dash or nothing takes standard input, as UTF-8 whatever the locale."""
    piped = io.TextIOWrapper(io.BytesIO("Grüße?\n".encode()), encoding="ascii")
    monkeypatch.setattr(sys, "stdin", piped)
    assert read_question(given) == "Grüße?"


def test_no_question_is_an_error() -> None:
    """An empty question asks nobody."""
    with pytest.raises(GatewayAnswerError, match="the question is empty"):
        read_question(" ")
