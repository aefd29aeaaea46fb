"""Spans on their way to a collector that is there, says no, hangs or is away."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest
from gateway.failover.failure import Failure, FailureKind
from gateway.failover.record import Attempt, RequestRecord
from gateway.failover.report import Bill

from gateway.traces import exporter
from gateway.traces.exporter import Traces
from gateway.traces.settings import TraceSettings
from support.collector import Collector
from support.stack import free_port
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Start = Callable[[int], tuple[Traces, list[str]]]

TRACE = "9f0c2b4e0d5b4c1e8a516d1c2f3a4b5c"
PARENT = "00f067aa0ba902b7"
TOKEN = "Bearer made-up-token"


@pytest.fixture
def traces() -> Iterator[Start]:
    """Yield a function that starts sending to a port: what writes traces, and what is said."""
    made: list[Traces] = []
    logger = logging.getLogger("opentelemetry")
    before = (logger.handlers, logger.propagate)

    def start(port: int) -> tuple[Traces, list[str]]:
        said: list[str] = []
        settings = TraceSettings(
            f"http://127.0.0.1:{port}/v1/traces", "unit", {"authorization": TOKEN}
        )
        made.append(Traces(settings, lambda message, _: said.append(message)))
        return made[-1], said

    yield start
    for each in made:
        each.close()
    logger.handlers, logger.propagate = before


def request(sampled: str = "01") -> RequestRecord:
    """Return a request that Ollama did not take, and that OpenAI answered at the second try."""
    now = time.monotonic()
    refused = Attempt("primary", "o1", "ollama_chat/llama3.2", started=now - 3)
    refused.failed(Failure(FailureKind.FAILING, 503))
    refused.ended = now - 2.5
    attempts = [
        refused,
        Attempt("backup", "a1", "openai/gpt", broken_schema=True, cost=0.25, started=now - 2),
        Attempt("backup", "a1", "openai/gpt", started=now - 1),
    ]
    return RequestRecord(
        "primary",
        "id-1",
        attempts,
        call_type="acompletion",
        traceparent=f"00-{TRACE}-{PARENT}-{sampled}",
        started=now - 4,
    )


def test_a_request_is_a_span_with_one_for_each_attempt(traces: Start) -> None:
    """The caller's trace goes on, with who was asked, what came of it, tokens and cost."""
    with Collector() as collector:
        write, _ = traces(collector.port)
        write(request(), "ok", Bill(0.5, 10, 3))
        write.close()

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


def test_a_failed_request_is_a_failed_span(traces: Start) -> None:
    """Its error is the status that the caller got."""
    with Collector() as collector:
        write, said = traces(collector.port)
        write(RequestRecord("primary", "id-2"), "error 503", Bill(cost=0))
        write.close()

    assert said == []
    (span,) = collector.spans
    assert (span.failed, span.attributes["error.type"]) == (True, "503")
    assert (len(span.trace), span.parent) == (32, "")


def test_a_caller_that_keeps_no_trace_gets_none(traces: Start) -> None:
    """The flag of its traceparent is heeded."""
    with Collector() as collector:
        write, _ = traces(collector.port)
        write(request(sampled="00"), "ok", Bill())
        write.close()

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
        write, _ = traces(free_port() if broken == "refused" else collector.port)
        started = time.monotonic()
        for _ in range(1000):
            write(request(), "ok", Bill())
        assert time.monotonic() - started < 5

        started = time.monotonic()
        write.close()
        assert time.monotonic() - started < 2


def test_a_token_in_opentelemetrys_log_is_cut_out_of_ours(traces: Start) -> None:
    """Whatever the library writes of its headers, the gateway's log does not repeat it."""
    _, said = traces(free_port())

    logging.getLogger("opentelemetry").warning("could not send %s", TOKEN)

    (line,) = said
    assert "could not send …" in line


def test_what_is_not_delivered_is_said_once(traces: Start) -> None:
    """A collector that refuses is named in the log, and requests go on."""
    with Collector(status=401) as collector:
        write, said = traces(collector.port)
        write(request(), "ok", Bill())
        until(lambda: said, seconds=20, what="the log to say it")
        logging.getLogger("opentelemetry").warning("again")

    (line,) = said
    assert f"127.0.0.1:{collector.port}/v1/traces" in line
    assert "401" in line
