"""What is counted of each request, and under which labels."""

from __future__ import annotations

import timeit
from typing import TYPE_CHECKING

import pytest
from gateway.failover.failure import Failure, FailureKind
from gateway.failover.record import Attempt, RequestRecord

from gateway.metrics.requests import RequestMetrics, outcome_of

from .conftest import OLLAMA, OPENAI

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.failover.registry import Registry
    from gateway.failover.target import Target
    from prometheus_client import CollectorRegistry

    from .conftest import Value

AT_OLLAMA = {"alias": "extraction", "model": "ollama_chat/llama3.2", "deployment": "oooooooo"}
AT_OPENAI = {"alias": "spare", "model": "openai/gpt-4o-mini", "deployment": "spare-1"}
MOST_MICROSECONDS = 250
"""Ten times what a request takes on a quiet machine, and half of what the journal may cost it."""


@pytest.fixture
def metrics(collected: CollectorRegistry, deployments: Registry) -> RequestMetrics:
    """Returns the counters."""
    return RequestMetrics(collected, deployments)


def attempt(target: Target, kind: FailureKind | None = None) -> Attempt:
    """Returns an attempt that was answered, or failed so."""
    failure = Failure(kind) if kind else None
    return Attempt(target.alias, target.deployment, target.full_model, failure)


def fallback() -> RequestRecord:
    """Returns a request that Ollama did not take and OpenAI answered."""
    attempts = [attempt(OLLAMA, FailureKind.UNREACHABLE), attempt(OPENAI)]
    return RequestRecord("extraction", attempts=attempts)


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
    assert value("gateway_first_token_seconds_count", alias="extraction") is None


def test_a_stream_has_the_time_to_its_first_token(metrics: RequestMetrics, value: Value) -> None:
    """Only a stream has one; it is counted in seconds from the request's beginning."""
    record = RequestRecord("spare", attempts=[attempt(OPENAI)])
    record.first_token = record.started + 3

    metrics.finished(record, 200)

    assert value("gateway_first_token_seconds_sum", alias="spare") == pytest.approx(3)
    assert value("gateway_first_token_seconds_bucket", alias="spare", le="2.0") == 0
    assert value("gateway_first_token_seconds_bucket", alias="spare", le="4.0") == 1


def test_a_request_that_nobody_answers_is_counted_all_the_same(
    metrics: RequestMetrics, value: Value
) -> None:
    """Its failure is counted under its alias, and no time of an answer that there was not."""
    metrics.finished(RequestRecord("spare"), 503)

    assert value("gateway_requests_total", alias="spare", outcome="failed") == 1
    assert value("gateway_answer_seconds_count", alias="spare") is None


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
    """US dollars and tokens of LiteLLM's payload; what it leaves out counts 0."""
    full = {"response_cost": 0.25, "prompt_tokens": 10, "completion_tokens": 3}
    metrics.billed({"model_id": OPENAI.deployment, **full})
    metrics.billed({"model_id": OPENAI.deployment, "response_cost": None})

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
        own = Attempt(name, f"deployment-{name}", f"openai/{name}")
        metrics.finished(RequestRecord(name, attempts=[own]), 404)
        metrics.billed({"model_id": f"deployment-{name}", "response_cost": 0.1})

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
    metrics.prepare()

    for labels in (AT_OLLAMA, AT_OPENAI):
        for outcome in ("ok", "caller", "failed"):
            assert value("gateway_requests_total", alias=labels["alias"], outcome=outcome) == 0
        assert value("gateway_attempts_total", **labels, outcome="unreachable") == 0
        assert value("gateway_cost_usd_total", **labels) == 0
        for name in ("fallbacks_total", "answer_seconds_count", "first_token_seconds_count"):
            assert value(f"gateway_{name}", alias=labels["alias"]) == 0


def test_counting_takes_microseconds(
    metrics: RequestMetrics, counted: Callable[[str], None]
) -> None:
    """All that a request with a fallback adds, on the event loop."""
    record = fallback()
    payload = {"model_id": OPENAI.deployment, "response_cost": 0.1, "prompt_tokens": 9}

    def count() -> None:
        metrics.finished(record, 200)
        metrics.billed(payload)

    best = min(timeit.repeat(count, number=500, repeat=5)) / 500 * 1e6

    counted(f"metrics: {best:.0f} µs a request")
    assert best < MOST_MICROSECONDS
