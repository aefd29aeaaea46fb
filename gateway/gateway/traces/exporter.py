"""Sends spans to a collector, from a thread of its own and a queue that is bounded.

A collector that is away costs no request anything: spans wait, the oldest are dropped first, and
the log says so, once in a while. Importing this module imports OpenTelemetry.
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
from gateway.traces.spans import write_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from gateway.failover.record import RequestRecord
    from gateway.failover.report import Bill
    from gateway.traces.settings import TraceSettings

STOP_SECONDS = 3.0
"""How long a gateway that stops tries to send the last spans."""

SILENCE_SECONDS = 60.0
"""How often the log says that spans are not delivered."""


class Traces:
    """Writes the trace of each request that ended.

    Args:
        settings: where they go.
        say: writes an event for people to the log, with its level.
    """

    def __init__(self, settings: TraceSettings, say: Callable[[str, str], None]) -> None:
        self._say = say
        logger = logging.getLogger("opentelemetry")
        logger.handlers = [_Complaints(settings, say)]
        logger.propagate = False
        service = {"service.name": settings.service, "service.version": __version__}
        self._provider = TracerProvider(resource=Resource.create(service), shutdown_on_exit=False)
        self._exporter = OTLPSpanExporter(settings.url, headers=settings.headers)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("gateway")

    def __call__(self, record: RequestRecord, status: str, bill: Bill) -> None:
        """Writes the trace of a request; whatever happens here is not the request's affair."""
        try:
            write_spans(self._tracer, record, status, bill)
        except Exception as error:  # noqa: BLE001 -- as the docstring says
            self._say(f"a trace could not be written: {error!r}", "WARNING")

    def close(self) -> None:
        """Sends what is left, for STOP_SECONDS at most, and ends."""
        stopping = threading.Thread(target=self._provider.shutdown, daemon=True)
        stopping.start()
        stopping.join(STOP_SECONDS)
        if stopping.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # it tries no more


class _Complaints(logging.Handler):
    """Says in the gateway's log what OpenTelemetry's has, now and then, and without a secret."""

    def __init__(self, settings: TraceSettings, say: Callable[[str, str], None]) -> None:
        super().__init__(logging.WARNING)
        self._url = settings.url
        self._secrets: Collection[str] = [value for value in settings.headers.values() if value]
        self._say = say
        self._silent_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Says it, unless that was done a moment ago."""
        if time.monotonic() < self._silent_until:
            return
        self._silent_until = time.monotonic() + SILENCE_SECONDS
        message = record.getMessage()
        for secret in self._secrets:
            message = message.replace(secret, "…")
        self._say(
            f"traces do not reach {self._url}, requests go on without: {message[:300]}", "WARNING"
        )
