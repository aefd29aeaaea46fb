"""One log line for each request: what was asked of whom, how it ended, what it cost.

Never a text, an answer, a header or a key: the fields of `RequestLog` are all there is.
"""

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any, override

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend_stub.schemas import RecentRequest, Usage
from backend_stub.settings import Settings

_log = logging.getLogger("backend_stub.request")

_MODEL_PATHS = ("/extract", "/explain")

RECENT = 20
"""Requests that GET /requests tells of."""

_CALLERS_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
"""A caller's X-Request-ID, which is logged as well as ours: two callers may send the same one."""

_QUIET = ("/health", "/page/")
"""Paths logged at debug: health checks come every few seconds, a page's files by the dozen."""


def configure_logging(settings: Settings) -> None:
    """Send all log records to stdout, as JSON or as plain text."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonFormatter() if settings.json_logs else _PlainFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    for name in ("httpx", "httpcore", "openai"):  # at debug they log bodies and headers
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


class _JsonFormatter(logging.Formatter):
    @override
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {  # the names of these are the same in every service
            "timestamp": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "component": "backend-stub",
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _PlainFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        return " ".join([super().format(record), *(f"{key}={fields[key]}" for key in fields)])


class RequestLog:
    """ASGI middleware: gives each request an id, sends it back as X-Request-ID, logs the end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    @staticmethod
    def of(request: Request) -> "RequestRecord":
        """Return the record of a request, for an endpoint to fill in."""
        record: RequestRecord = request.state.record
        return record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request and log it; a defect of ours becomes a 500 with the request's id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = RequestRecord(scope["method"], scope["path"], _callers_id(scope))
        scope.setdefault("state", {})["record"] = record

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", record.request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # noqa: BLE001 -- the outermost frame: the caller still gets an answer
            record.failed("internal_error")
            _log.exception("unexpected error", extra={"fields": {"request_id": record.request_id}})
            if record.status is None:
                await _internal_error(record.request_id)(scope, receive, send_with_id)
        finally:
            record.write()
            recent = record.recent()
            if recent is not None:
                scope["app"].state.recent.appendleft(recent)


class RequestRecord:
    """What is logged about one request."""

    def __init__(self, method: str, path: str, callers_id: str | None = None) -> None:
        self.request_id = str(uuid.uuid4())
        self.status: int | None = None
        self._started = time.monotonic()
        self._fields: dict[str, Any] = {"method": method, "path": path}
        if callers_id is not None:
            self._fields["caller_request_id"] = callers_id

    def answered(self, model: str, usage: Usage) -> None:
        """Note which deployment answered and what it cost."""
        self._fields |= {"model": model, **usage.model_dump()}

    def failed(self, code: str) -> None:
        """Record the code of the error that the caller got."""
        self._fields["error"] = code

    def write(self) -> None:
        """Write the line; for frequent requests that went well only at debug."""
        self._fields |= {
            "status": self.status,
            "duration_ms": round((time.monotonic() - self._started) * 1000),
            "request_id": self.request_id,
        }
        quiet = self._fields["path"].startswith(_QUIET) and "error" not in self._fields
        level = logging.DEBUG if quiet else logging.INFO
        _log.log(level, "request", extra={"fields": self._fields})

    def recent(self) -> RecentRequest | None:
        """Return the written line for GET /requests; None for what asked no model."""
        if self._fields["method"] != "POST" or self._fields["path"] not in _MODEL_PATHS:
            return None
        known = {name: self._fields.get(name) for name in RecentRequest.model_fields}
        return RecentRequest.model_validate(known | {"time": datetime.now(UTC)})


def _callers_id(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    fits = len(given) == 1 and _CALLERS_ID.fullmatch(given[0])
    return given[0].decode() if fits else None


def _internal_error(request_id: str) -> JSONResponse:
    message = "this service failed: its log has the cause under this request id"
    error = {"code": "internal_error", "message": message, "request_id": request_id}
    return JSONResponse({"error": error}, 500)
