"""The spans of one request, made of its record when it has ended.

Names and attributes are those of OpenTelemetry's conventions where they have one:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. A prompt, an answer, a provider's
message or a key is in none of them: an error is told by its kind and its status.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from gateway.failover.record import Attempt, RequestRecord
    from gateway.failover.report import Bill

_OPERATIONS = {
    "acompletion": "chat",
    "aembedding": "embeddings",
    "atext_completion": "text_completion",
}
"""LiteLLM's kinds of call, by their names in the conventions."""

_ERROR = 400
"""The first status of an error in HTTP."""


def write_spans(tracer: Tracer, record: RequestRecord, status: str, bill: Bill) -> None:
    """Writes a span for the request, and under it one for each attempt."""
    now = time.monotonic()
    operation = _OPERATIONS.get(record.call_type, record.call_type or "request")
    span = tracer.start_span(
        operation,
        _parent(record),
        SpanKind.SERVER,
        start_time=_wall_clock(record.started),
        attributes=_of_request(record, operation, bill),
    )
    if status != "ok":
        span.set_status(StatusCode.ERROR, status)
        span.set_attribute("error.type", status.removeprefix("error "))
    under_it = set_span_in_context(span)
    following = [attempt.started for attempt in record.attempts[1:]]
    # strict would not do: a request that nobody could be asked for has no attempt, and still an end
    for attempt, next_started in zip(record.attempts, [*following, now], strict=False):
        child = tracer.start_span(
            f"{operation} {attempt.model}",
            under_it,
            SpanKind.CLIENT,
            start_time=_wall_clock(attempt.started),
            attributes=_of_attempt(record, attempt, operation),
        )
        _tell_failure(child, attempt)
        child.end(_wall_clock(attempt.ended or next_started))
    span.end(_wall_clock(now))


def _of_request(record: RequestRecord, operation: str, bill: Bill) -> dict[str, str | int | float]:
    last = record.last
    attributes: dict[str, str | int | float | None] = {
        "request_id": record.request_id,
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": record.alias,
        "gen_ai.response.model": last.model if last else None,
        "gen_ai.usage.input_tokens": bill.prompt_tokens,
        "gen_ai.usage.output_tokens": bill.completion_tokens,
        "gateway.alias": last.alias if last else None,
        "gateway.attempts": len(record.attempts),
        "gateway.fallback": record.fell_back,
        "gateway.cost_usd": None if bill.cost is None else bill.cost + record.wasted_cost,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _of_attempt(
    record: RequestRecord, attempt: Attempt, operation: str
) -> dict[str, str | int | float]:
    provider, _, model = attempt.model.partition("/")
    return {
        "request_id": record.request_id,
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model or provider,
        "gateway.alias": attempt.alias,
        "gateway.deployment": attempt.deployment,
        "gateway.outcome": attempt.outcome,
    }


def _tell_failure(span: Span, attempt: Attempt) -> None:
    failure = attempt.failure
    if failure is None and not attempt.broken_schema:
        return
    span.set_status(StatusCode.ERROR, attempt.outcome)
    span.set_attribute("error.type", attempt.outcome)
    if failure is not None and (failure.status or 0) >= _ERROR:
        span.set_attribute("http.response.status_code", failure.status or 0)


def _parent(record: RequestRecord) -> Context:
    """Returns the caller's span, if it named one."""
    return TraceContextTextMapPropagator().extract({"traceparent": record.traceparent})


def _wall_clock(monotonic: float) -> int:
    """Returns nanoseconds since 1970 for a reading of the monotonic clock."""
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)
