"""Spans on their way to a collector that is there, says no, hangs or is away."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING

import pytest

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.request import Attempt, Bill, Client, Operation, Request, Usage
from gateway.routing.failure import Failure, FailureKind
from gateway.traces import exporter
from gateway.traces.exporter import Traces
from gateway.traces.settings import TraceSettings
from support.collector import Collector
from support.stack import free_port
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.http.asgi import Message, Receive, Send

    Start = Callable[[int], Traces]

TRACE = "9f0c2b4e0d5b4c1e8a516d1c2f3a4b5c"
PARENT = "00f067aa0ba902b7"
TOKEN = "Bearer made-up-token"
OLLAMA = Deployment("o1", "primary", "ollama_chat", "llama3.2", Protocol.OLLAMA)
OPENAI = Deployment("a1", "backup", "openai", "gpt", Protocol.OPENAI)


@pytest.fixture
def traces() -> Iterator[Start]:
    """Yield a function that starts sending to a port."""
    made: list[Traces] = []
    logger = logging.getLogger("opentelemetry")
    before = (logger.handlers, logger.propagate)

    def start(port: int) -> Traces:
        url = f"http://127.0.0.1:{port}/v1/traces"
        made.append(Traces(TraceSettings(url, "unit", {"authorization": TOKEN})))
        return made[-1]

    yield start
    for each in made:
        each.close()
    until(lambda: not senders(), seconds=20, what="OpenTelemetry's threads to end")
    logger.handlers, logger.propagate = before


def request(sampled: str = "01") -> Request:
    """Return a request that Ollama did not take, and that OpenAI answered at the second try."""
    now = time.monotonic()
    refused = Failure(FailureKind.FAILING, 503)
    made = Request(
        "id-1",
        Operation.CHAT,
        "primary",
        {},
        100,
        Caller(),
        client=Client(traceparent=f"00-{TRACE}-{PARENT}-{sampled}"),
        started=now - 4,
    )
    made.attempts += [
        Attempt(OLLAMA, 1, now - 3, ended=now - 2.5, failure=refused),
        Attempt(OPENAI, 2, now - 2, broke_schema=True, bill=Bill(Usage(8, 2), 0.25)),
        Attempt(OPENAI, 3, now - 1, bill=Bill(Usage(10, 3), 0.5)),
    ]
    return made


def senders() -> list[str]:
    """Return the threads that still try to send: what they complain of is not the next test's."""
    return [each.name for each in threading.enumerate() if each.name.startswith("Otel")]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the gateway's own lines: OpenTelemetry's are not written, but pytest sees them."""
    return [each.getMessage() for each in caplog.records if each.name == exporter.LOG.name]


def nobodys(name: str) -> Request:
    """Return a request that nobody was asked for."""
    return Request(name, Operation.CHAT, "primary", {}, 100, Caller())


def test_a_request_is_a_span_with_one_for_each_attempt(traces: Start) -> None:
    """The caller's trace goes on, with who was asked, what came of it, tokens and cost."""
    with Collector() as collector:
        writing = traces(collector.port)
        writing.finished(request(), 200)
        writing.close()

    (whole,) = [span for span in collector.spans if span.parent == PARENT]
    tries = [span for span in collector.spans if span.parent == whole.id]
    assert {span.trace for span in collector.spans} == {TRACE}
    assert (whole.name, whole.service, whole.failed) == ("chat", "unit", False)
    assert whole.attributes == {
        "request_id": "id-1",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "primary",
        "gen_ai.response.model": "openai/gpt",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 3,
        "gateway.alias": "backup",
        "gateway.attempts": 3,
        "gateway.fallback": True,
        "gateway.cost_usd": 0.75,
    }
    assert [span.attributes["gateway.outcome"] for span in tries] == [
        "failing",
        "broke-schema",
        "answered",
    ]
    assert [span.failed for span in tries] == [True, True, False]
    assert [round(span.seconds, 1) for span in [whole, *tries]] == [4, 0.5, 1, 1]
    assert tries[0].attributes["http.response.status_code"] == 503
    assert tries[0].attributes["gen_ai.provider.name"] == "ollama_chat"
    assert collector.headers[0]["authorization"] == TOKEN


@pytest.mark.parametrize("status", [200, 503])
def test_what_litellm_answers_is_a_span_above_the_calls_that_it_makes(
    traces: Start, status: int
) -> None:
    """The caller's trace goes on, by the headers that LiteLLM gets."""
    given = [(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()), (b"x-litellm-call-id", b"id-4")]
    with Collector() as collector:
        writing = traces(collector.port)
        sent = forward(writing, "/v1/messages", given, status)
        forward(writing, "/ui/", given, status)
        writing.close()

    (span,) = collector.spans
    assert (span.trace, span.parent, span.failed) == (TRACE, PARENT, status != 200)
    assert span.attributes == {
        "request_id": "id-4",
        "url.path": "/v1/messages",
        "http.response.status_code": status,
    }
    assert sent[b"traceparent"] == f"00-{TRACE}-{span.id}-01".encode()


def forward(
    writing: Traces, path: str, headers: list[tuple[bytes, bytes]], status: int
) -> dict[bytes, bytes]:
    """Hand a request on to a proxy that answers with this status; return the headers it got."""
    got: list[tuple[bytes, bytes]] = []

    async def proxy(scope: Message, _: Receive, send: Send) -> None:
        got.extend(scope["headers"])
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def send(message: Message) -> None:
        assert message["status"] == status

    async def receive() -> Message:
        return {}

    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}

    async def ask() -> None:
        await writing.around(proxy)(scope, receive, send)

    asyncio.run(ask())
    assert len(dict(got)) == len(got)
    return dict(got)


def test_a_failed_request_is_a_failed_span(traces: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Its error is the status that the caller got."""
    with Collector() as collector:
        writing = traces(collector.port)
        writing.finished(nobodys("id-2"), 503)
        writing.close()

    assert said(caplog) == []
    (span,) = collector.spans
    assert (span.failed, span.attributes["error.type"]) == (True, "503")
    assert (len(span.trace), span.parent) == (32, "")


def test_a_caller_that_keeps_no_trace_gets_none(traces: Start) -> None:
    """The flag of its traceparent is heeded."""
    with Collector() as collector:
        writing = traces(collector.port)
        writing.finished(request(sampled="00"), 200)
        writing.close()

    assert collector.spans == []


def test_a_canary_request_has_no_trace(traces: Start) -> None:
    """No caller asked for it."""
    canary = request()
    canary.is_canary = True
    with Collector() as collector:
        writing = traces(collector.port)
        writing.finished(canary, 200)
        writing.close()

    assert collector.spans == []


@pytest.mark.parametrize("broken", ["refused", "hanging"])
def test_a_collector_that_is_away_costs_nobody_anything(
    traces: Start,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    """Writing takes no longer, more than the queue holds is no error, and the stop is bounded."""
    monkeypatch.setattr(exporter, "STOP_SECONDS", 0.2)
    with Collector() as collector:
        collector.hang.clear()
        writing = traces(free_port() if broken == "refused" else collector.port)
        started = time.monotonic()
        for _ in range(1000):
            writing.finished(request(), 200)
        assert time.monotonic() - started < 5

        started = time.monotonic()
        writing.close()
        assert time.monotonic() - started < 2


def test_a_token_in_opentelemetrys_log_is_cut_out_of_ours(
    traces: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the library writes of its headers, the gateway's log does not repeat it."""
    traces(free_port())

    logging.getLogger("opentelemetry").warning("could not send %s", TOKEN)

    (line,) = said(caplog)
    assert "could not send …" in line


def test_what_is_not_delivered_is_said_once(
    traces: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector that refuses is named in the log, and requests go on."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # milliseconds, for 5 s
    with Collector(status=401) as collector:
        writing = traces(collector.port)
        writing.finished(request(), 200)
        until(lambda: said(caplog), seconds=20, what="the log to say it")
        logging.getLogger("opentelemetry").warning("again")

    (line,) = said(caplog)
    assert f"127.0.0.1:{collector.port}/v1/traces" in line
    assert "401" in line
