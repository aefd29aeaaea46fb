"""A tiny OTLP collector in the test's process: keeps the spans that it is sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Span:
    """A span as it was sent.

    Attributes:
        trace: 32 hexadecimal digits.
        id: 16 of them.
        parent: the id of the span above, or "".
        failed: whether it ended in an error.
        seconds: how long it took.
        service: the name that it came under.
    """

    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    seconds: float
    service: str
    attributes: dict[str, Any]


@dataclass
class Collector:
    """Listens on every interface while it is a context, so that containers reach it.

    Attributes:
        status: that it answers with.
        hang: it does not answer until this is set; a set one answers at once.
        spans: that it got.
        bodies: of the requests, as they were sent.
        headers: of the requests, by their names in small letters.
    """

    status: int = 200
    hang: threading.Event = field(default_factory=threading.Event)
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hang.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.headers.append({k.lower(): v for k, v in self.headers.items()})
                collector.hang.wait(60)
                if self.path == "/v1/traces" and collector.status == 200:
                    collector.bodies.append(body)
                    collector.spans += spans_of(body)
                self.send_response(collector.status if self.path == "/v1/traces" else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def trace(self, request_id: str) -> list[Span]:
        """Return the spans of a request, in the order in which they were sent."""
        return [span for span in self.spans if span.attributes.get("request_id") == request_id]


def spans_of(body: bytes) -> list[Span]:
    """Return the spans in the body of a request for /v1/traces."""
    found = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        about = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            found += [
                Span(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    failed=span.status.code == 2,
                    seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                    service=str(about.get("service.name")),
                    attributes=_attributes(span.attributes),
                )
                for span in scope.spans
            ]
    return found


def _attributes(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        return getattr(pair.value, kind) if kind else None

    return {pair.key: value(pair) for pair in pairs}
