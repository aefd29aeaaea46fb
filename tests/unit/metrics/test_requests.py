"""What is counted of each request, and under which labels."""

from __future__ import annotations

import timeit
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Models, Protocol
from gateway.metrics.requests import RequestMetrics, outcome_of
from gateway.request import Attempt, Bill, Operation, Request, Usage
from gateway.routing.failure import Failure, FailureKind

from .conftest import OLLAMA, OPENAI, Value

AT_OLLAMA = {"alias": "extraction", "model": "ollama_chat/llama3.2", "deployment": "oooooooo"}
AT_OPENAI = {"alias": "spare", "model": "openai/gpt-4o-mini", "deployment": "spare-1"}
MAX_MICROSECONDS = 250
"""Ten times what a request takes on a quiet machine, and half of what the journal may cost it."""


@pytest.fixture
def metrics(collected: CollectorRegistry, models: Models) -> RequestMetrics:
    """Return the counters."""
    return RequestMetrics(collected, models)


def attempt(
    deployment: Deployment, kind: FailureKind | None = None, bill: Bill | None = None
) -> Attempt:
    """Return an attempt that was answered, or failed so."""
    return Attempt(deployment, 1, failure=Failure(kind) if kind else None, bill=bill)


def request(alias: str, *attempts: Attempt) -> Request:
    """Return a request for an alias, with its attempts."""
    made = Request("id-1", Operation.CHAT, alias, {}, 100, Caller())
    made.attempts.extend(attempts)
    return made


def fallback() -> Request:
    """Return a request that Ollama did not take and OpenAI answered."""
    answered = attempt(OPENAI, bill=Bill(Usage(9, 3), 0.1))
    return request("extraction", attempt(OLLAMA, FailureKind.UNREACHABLE), answered)


def test_a_fallback_is_counted_for_who_was_asked_and_who_answered(
    metrics: RequestMetrics, value: Value
) -> None:
    """The request has the alias that its caller named; each attempt has its own deployment."""
    metrics.finished(fallback(), 200)

    assert value("gateway_requests_total", alias="extraction", outcome="ok") == 1
    assert value("gateway_fallbacks_total", alias="extraction") == 1
    assert value("gateway_attempts_total", **AT_OLLAMA, outcome="unreachable") == 1
    assert value("gateway_attempts_total", **AT_OPENAI, outcome="answered") == 1
    assert value("gateway_answer_seconds_count", alias="extraction") == 1
    assert value("gateway_first_token_seconds_count", alias="extraction") == 0


def test_a_stream_has_the_time_to_its_first_token(metrics: RequestMetrics, value: Value) -> None:
    """Only a stream has one; it is counted in seconds from the request's beginning."""
    answered = attempt(OPENAI)
    asked = request("spare", answered)
    answered.first_token = asked.started + 3

    metrics.finished(asked, 200)

    assert value("gateway_first_token_seconds_sum", alias="spare") == pytest.approx(3)
    assert value("gateway_first_token_seconds_bucket", alias="spare", le="2.0") == 0
    assert value("gateway_first_token_seconds_bucket", alias="spare", le="4.0") == 1


def test_a_request_that_nobody_answers_is_counted_all_the_same(
    metrics: RequestMetrics, value: Value
) -> None:
    """Its failure is counted under its alias, and no time of an answer that there was not."""
    metrics.finished(request("spare"), 503)

    assert value("gateway_requests_total", alias="spare", outcome="failed") == 1
    assert value("gateway_answer_seconds_count", alias="spare") == 0


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((200, "ok"), (400, "caller"), (404, "caller"), (408, "failed"), (429, "failed")),
        *((500, "failed"), (503, "failed")),
    ],
)
def test_an_error_is_the_callers_or_not(status: int, outcome: str) -> None:
    """Time-outs and limits are no fault of the caller's; other 4xx are."""
    assert outcome_of(status) == outcome


def test_what_an_answer_cost_is_counted_for_who_gave_it(
    metrics: RequestMetrics, value: Value
) -> None:
    """US dollars and tokens of its bill; an attempt without one counts 0."""
    metrics.finished(request("spare", attempt(OPENAI, bill=Bill(Usage(10, 3), 0.25))), 200)
    metrics.finished(request("spare", attempt(OPENAI)), 200)

    assert value("gateway_cost_usd_total", **AT_OPENAI) == 0.25
    assert value("gateway_tokens_total", **AT_OPENAI, direction="input") == 10
    assert value("gateway_tokens_total", **AT_OPENAI, direction="output") == 3


def test_callers_cannot_make_series(
    metrics: RequestMetrics, collected: CollectorRegistry, value: Value
) -> None:
    """Whatever alias or deployment callers name that is not configured, it is `other`."""

    def series() -> int:
        return sum(len(metric.samples) for metric in collected.collect())

    def ask(name: str) -> None:
        own = Deployment(f"deployment-{name}", name, "openai", name, Protocol.OPENAI)
        metrics.finished(request(name, attempt(own, bill=Bill(Usage(), 0.1))), 404)

    ask("made-up")
    before = series()
    for number in range(50):
        ask(f"made-up-{number}")

    assert series() == before
    assert value("gateway_requests_total", alias="other", outcome="caller") == 51


def test_every_deployment_has_its_series_before_its_first_request(
    metrics: RequestMetrics, value: Value
) -> None:
    """A series that began with its first failure would have no increase to be alarmed by."""
    assert metrics

    for labels in (AT_OLLAMA, AT_OPENAI):
        for outcome in ("ok", "caller", "failed"):
            assert value("gateway_requests_total", alias=labels["alias"], outcome=outcome) == 0
        assert value("gateway_attempts_total", **labels, outcome="unreachable") == 0
        assert value("gateway_cost_usd_total", **labels) == 0
        for name in ("fallbacks_total", "answer_seconds_count", "first_token_seconds_count"):
            assert value(f"gateway_{name}", alias=labels["alias"]) == 0


def test_a_canary_request_is_an_attempt_that_costs_and_no_request(
    metrics: RequestMetrics, value: Value
) -> None:
    """No caller asked for it, but its cost was paid."""
    canary = request("spare", attempt(OPENAI, bill=Bill(Usage(5, 1), 0.5)))
    canary.is_canary = True

    metrics.finished(canary, 200)

    assert value("gateway_requests_total", alias="spare", outcome="ok") == 0
    assert value("gateway_attempts_total", **AT_OPENAI, outcome="answered") == 1
    assert value("gateway_cost_usd_total", **AT_OPENAI) == 0.5


def test_counting_takes_microseconds(
    metrics: RequestMetrics, counted: Callable[[str], None]
) -> None:
    """All that a request with a fallback adds, on the event loop."""
    asked = fallback()

    best = min(timeit.repeat(lambda: metrics.finished(asked, 200), number=500, repeat=5))
    microseconds = best / 500 * 1e6

    counted(f"metrics: {microseconds:.0f} µs a request")
    assert microseconds < MAX_MICROSECONDS
