"""`gateway ask`: a question to a model, the streamed answer, its cost, and which model gave it."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from gateway import gateway_client
from gateway.gateway_client import GatewayAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.config.settings import Settings

ANSWER_SECONDS = 600.0
"""The longest silence that is waited for; a large local model loads for minutes."""


@dataclass
class Summary:
    """The line that follows an answer.

    Attributes:
        alias: that answered; its model; whether another alias was asked for.
        usage: as the gateway counted it; empty when it did not.
        first: seconds until the first piece; None when there was none.
        total: seconds until the end.
    """

    alias: str
    model: str
    fell_back: bool
    usage: Mapping[str, Any] = field(default_factory=dict)
    first: float | None = None
    total: float = 0.0

    def __str__(self) -> str:
        tokens = [str(self.usage.get(f"{kind}_tokens", "?")) for kind in ("prompt", "completion")]
        cost = self.usage.get("cost")
        return ", ".join(
            [
                f"{' + '.join(tokens)} tokens",
                "cost unknown" if cost is None else f"{cost:.8f} USD",
                f"first token {self.first or self.total:.2f} s, all {self.total:.2f} s",
                f"{self.alias} ({self.model}{', fallback' if self.fell_back else ''})",
            ]
        )


def read_question(given: str | None) -> str:
    """Return the question, from the argument or, for `-` and for none, from standard input.

    Raises:
        GatewayAnswerError: there is none.
    """
    if given in (None, "-"):
        if given is None and sys.stdin.isatty():
            raise GatewayAnswerError('no question\n    ./run ask "Was heißt Hund?"')
        given = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    question = (given or "").strip()
    if not question:
        raise GatewayAnswerError('the question is empty\n    ./run ask "Was heißt Hund?"')
    return question


def ask(settings: Settings, question: str, model: str) -> Iterator[str | Summary]:
    """Yield the pieces of the answer, then one Summary.

    Asks with the backend's virtual key, which has a budget, where there is one.

    Raises:
        GatewayAnswerError: the gateway refused, or the answer broke off.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    started = time.monotonic()
    with gateway_client.client(settings, timeout=ANSWER_SECONDS) as gateway:
        if settings.backend_virtual_key is not None:
            key = settings.backend_virtual_key.get_secret_value()
            gateway.headers["authorization"] = f"Bearer {key}"
        try:
            with gateway.stream("POST", "/v1/chat/completions", json=body) as response:
                if not response.is_success:
                    response.read()
                    raise GatewayAnswerError(f"no answer: {gateway_client.said(response)}")
                summary = _summary(response.headers, model)
                for piece in _pieces(response, summary):
                    if summary.first is None:
                        summary.first = time.monotonic() - started
                    yield piece
        except httpx.HTTPError as error:
            raise gateway_client.unreachable(gateway, error) from error
    summary.total = time.monotonic() - started
    yield summary


def _summary(headers: Mapping[str, str], asked: str) -> Summary:
    return Summary(
        alias=headers.get("x-gateway-alias", asked),
        model=headers.get("x-gateway-model", "model unknown"),
        fell_back=headers.get("x-gateway-fallback", "false") != "false",
    )


def _pieces(response: httpx.Response, summary: Summary) -> Iterator[str]:
    """Yield the text of an event stream in OpenAI's form."""
    for line in response.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if "error" in event:
            raise GatewayAnswerError(f"the answer broke off: {event['error'].get('message')}")
        summary.usage = event.get("usage") or summary.usage
        for choice in event.get("choices") or []:
            text = choice["delta"].get("content")
            if text:
                yield text
    raise GatewayAnswerError("the answer broke off: the gateway closed the connection")
