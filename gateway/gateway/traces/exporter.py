"""Sends spans to a collector, from a thread of its own and a queue that is bounded.

A collector that is away affects no request: spans wait, the oldest are dropped first, and the log
says so from time to time. Importing this module imports OpenTelemetry.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from gateway import __version__
from gateway.traces.forward_span import TracedForward
from gateway.traces.spans import write_spans

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.http.asgi import App
    from gateway.request import Request
    from gateway.traces.settings import TraceSettings

LOG = logging.getLogger(__name__)

STOP_SECONDS = 3.0
"""How long a gateway that stops tries to send the last spans."""

SILENCE_SECONDS = 60.0
"""How often the log says that spans are not delivered."""


class Traces:
    """Writes the trace of each request that ended.

    Args:
        settings: where they go.
    """

    def __init__(self, settings: TraceSettings) -> None:
        logger = logging.getLogger("opentelemetry")
        logger.handlers = [_ErrorRelay(settings)]
        logger.propagate = False
        service = {"service.name": settings.service, "service.version": __version__}
        self._provider = TracerProvider(resource=Resource.create(service), shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter(settings.url, headers=settings.headers)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("gateway")

    def finished(self, request: Request, status: int) -> None:
        """Write the trace of a request; whatever happens here is not the request's affair."""
        if request.is_canary:
            return
        try:
            write_spans(self._tracer, request, status)
        except Exception as error:  # noqa: BLE001 -- as the docstring says
            LOG.warning("a trace could not be written: %r", error)

    def around(self, proxy: App) -> App:
        """Return LiteLLM's proxy with a span for each request that it answers."""
        return TracedForward(proxy, self._tracer)

    def close(self) -> None:
        """Send what is left, for STOP_SECONDS at most, and end."""
        stopping = threading.Thread(target=self._provider.shutdown, daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)
        if stopping.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it tries no more


class _ErrorRelay(logging.Handler):
    """Says in the gateway's log what OpenTelemetry's has, now and then, and without a secret."""

    def __init__(self, settings: TraceSettings) -> None:
        super().__init__(logging.WARNING)
        self._url = settings.url
        self._secrets: Collection[str] = [value for value in settings.headers.values() if value]
        self._silent_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, unless that was done a moment ago."""
        if time.monotonic() < self._silent_until:
            return
        self._silent_until = time.monotonic() + SILENCE_SECONDS
        message = record.getMessage()
        for secret in self._secrets:
            message = message.replace(secret, "…")
        LOG.warning(
            "traces do not reach %s, requests are not affected: %s", self._url, message[:300]
        )
