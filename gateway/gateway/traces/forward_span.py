"""The span of a request that LiteLLM's proxy answers, and its place in the trace for what follows.

LiteLLM asks models by the gateway's internal endpoint, whose requests have spans of their own.
These are children of this one, because its `traceparent` travels with the request
(proxy/callback.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway.http.keys import CALL_ID
from gateway.proxy.routes import find

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from gateway.http.asgi import App, Message, Receive, Send

PLACE = b"traceparent"
MAX_PATH = 100
_FORMAT = TraceContextTextMapPropagator()
_ERROR = 400
"""The first status of an error in HTTP."""


class TracedForward:
    """An ASGI application around LiteLLM's proxy.

    Args:
        app: the proxy.
        tracer: makes the spans.
    """

    def __init__(self, app: App, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on; its span is written if a model is called for it."""
        if scope["type"] != "http" or not find(scope["method"], scope["path"]).filters_body:
            await self._app(scope, receive, send)
            return
        span = self._start(dict(scope["headers"]), scope["path"])

        async def send_and_record_status(message: Message) -> None:
            if message["type"] == "http.response.start":
                _set_status(span, message["status"])
            await send(message)

        try:
            await self._app(_below(span, scope), receive, send_and_record_status)
        finally:
            span.end()

    def _start(self, headers: dict[bytes, bytes], path: str) -> Span:
        above = headers.get(PLACE, b"").decode("latin-1")
        return self._tracer.start_span(
            "litellm",
            _FORMAT.extract({"traceparent": above}),
            SpanKind.SERVER,
            attributes={
                "request_id": headers.get(CALL_ID, b"").decode("latin-1"),
                "url.path": path[:MAX_PATH],
            },
        )


def _below(span: Span, scope: Message) -> Message:
    """Return the request with the span as its parent."""
    carrier: dict[str, str] = {}
    _FORMAT.inject(carrier, set_span_in_context(span))
    kept = [pair for pair in scope["headers"] if pair[0] not in (PLACE, b"tracestate")]
    added = [(name.encode(), value.encode()) for name, value in carrier.items()]
    return {**scope, "headers": [*kept, *added]}


def _set_status(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= _ERROR:
        span.set_status(StatusCode.ERROR, f"error {status}")
