"""What the gateway says while it runs: lines for people, or JSON, an event a line."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone


def event(message: str, level: str = "INFO", **fields: object) -> dict[str, object]:
    """Return an event for a JSON log, under the names that every service's log has.

    A log store joins the services by `timestamp` (ISO 8601, UTC), `component` and `request_id`.
    """
    return {
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "level": level,
        "component": "gateway",
        "message": message,
        **fields,
    }


class _Lines(logging.Formatter):
    """Formats a record for people, or as a JSON object."""

    def __init__(self, *, as_json: bool, component: str) -> None:
        super().__init__()
        self._as_json = as_json
        self._component = component

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record; a traceback follows it, or is a field of it."""
        message = record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:
            fields = {"component": self._component, **({"traceback": trace} if trace else {})}
            line = event(message, record.levelname, **fields)
            return json.dumps(line, ensure_ascii=False)
        return f"{self._component}: {message}" + (f"\n{trace}" if trace else "")


def set_up_logging(*, as_json: bool, level: str = "INFO", component: str = "gateway") -> None:
    """Let every logger of this process write to standard error, in the form that was asked for.

    Args:
        as_json: whether a line is a JSON object, for a log store.
        level: of the gateway's own loggers. Those of libraries begin at WARNING.
        component: the name under which this process writes.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines(as_json=as_json, component=component))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gateway").setLevel(level)
