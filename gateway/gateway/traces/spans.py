"""The spans of one request, made of its record when it has ended.

Names and attributes are those of OpenTelemetry's conventions where they have one:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/. A prompt, an answer, a provider's
message or a key is in none of them: an error is described by its kind and its status.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.request import Operation

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from gateway.request import Attempt, Request

_OPERATIONS = {
    Operation.CHAT: "chat",
    Operation.EMBEDDING: "embeddings",
    Operation.COMPLETION: "text_completion",
}
"""Kinds of request, by their names in the conventions; others go by their path."""

_ERROR = 400
"""The first status of an error in HTTP."""


def write_spans(tracer: Tracer, request: Request, status: int) -> None:
    """Write a span for the request, and under it one for each attempt."""
    now = time.monotonic()
    operation = _OPERATIONS.get(request.operation, request.operation.path.strip("/"))
    span = tracer.start_span(
        operation,
        _parent(request),
        SpanKind.SERVER,
        start_time=_wall_clock(request.started),
        attributes=_of_request(request, operation),
    )
    if status >= _ERROR:
        span.set_status(StatusCode.ERROR, f"error {status}")
        span.set_attribute("error.type", str(status))
    under_it = set_span_in_context(span)
    following = [attempt.started for attempt in request.attempts[1:]]
    # strict would not do: a request that nobody could be asked for has no attempt, and still an end
    for attempt, next_started in zip(request.attempts, [*following, now], strict=False):
        child = tracer.start_span(
            f"{operation} {attempt.deployment.full_model}",
            under_it,
            SpanKind.CLIENT,
            start_time=_wall_clock(attempt.started),
            attributes=_of_attempt(request, attempt, operation),
        )
        _set_failure(child, attempt)
        child.end(_wall_clock(attempt.ended or next_started))
    span.end(_wall_clock(now))


def _of_request(request: Request, operation: str) -> dict[str, str | int | float]:
    last = request.last
    bill = last.bill if last is not None else None
    attributes: dict[str, str | int | float | None] = {
        "request_id": request.id,
        "gen_ai.operation.name": operation,
        "gen_ai.request.model": request.alias,
        "gen_ai.response.model": last.deployment.full_model if last else None,
        "gen_ai.usage.input_tokens": bill.usage.prompt if bill else None,
        "gen_ai.usage.output_tokens": bill.usage.completion if bill else None,
        "gateway.alias": last.deployment.alias if last else None,
        "gateway.attempts": len(request.attempts),
        "gateway.fallback": request.fell_back,
        "gateway.cost_usd": request.cost if bill is None or bill.priced else None,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _of_attempt(request: Request, attempt: Attempt, operation: str) -> dict[str, str | int | float]:
    return {
        "request_id": request.id,
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": attempt.deployment.provider,
        "gen_ai.request.model": attempt.deployment.model,
        "gateway.alias": attempt.deployment.alias,
        "gateway.deployment": attempt.deployment.id,
        "gateway.outcome": attempt.outcome,
    }


def _set_failure(span: Span, attempt: Attempt) -> None:
    failure = attempt.failure
    if failure is None and not attempt.broke_schema:
        return
    span.set_status(StatusCode.ERROR, attempt.outcome)
    span.set_attribute("error.type", attempt.outcome)
    if failure is not None and (failure.status or 0) >= _ERROR:
        span.set_attribute("http.response.status_code", failure.status or 0)


def _parent(request: Request) -> Context:
    """Return the caller's span, if it named one."""
    return TraceContextTextMapPropagator().extract({"traceparent": request.client.traceparent})


def _wall_clock(monotonic: float) -> int:
    """Return nanoseconds since 1970 for a reading of the monotonic clock."""
    return time.time_ns() - int((time.monotonic() - monotonic) * 1e9)
