"""The log line of each request: which deployment answered, after how many attempts, at what cost.

Lines are collected for a moment and written together, because one write to the log takes as much
time as the rest of a request's bookkeeping.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import orjson

from gateway.log import event

if TYPE_CHECKING:
    from gateway.request import Request

OK = 200
LINGER_SECONDS = 0.05
_ODD = frozenset(' "=')


class RequestLog:
    """Writes the lines.

    Args:
        as_json: whether a line is a JSON object.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._lines: list[str] = []

    def finished(self, request: Request, status: int) -> None:
        """Collect the line of a request that has ended; a canary request has none."""
        if request.is_canary:
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.flush)
        self._lines.append(self.line(request, status))

    def flush(self) -> None:
        """Write the collected lines."""
        if self._lines:
            sys.stderr.write("\n".join(self._lines) + "\n")
            sys.stderr.flush()
            self._lines.clear()

    def line(self, request: Request, status: int) -> str:
        """Return the line of a request, without its end."""
        fields = _fields(request, status)
        if self._as_json:
            return orjson.dumps(event("request", **fields)).decode()
        shown = [f"{name}={_plain(value)}" for name, value in fields.items() if value is not None]
        return f"gateway: {' '.join(shown)}"


def _fields(request: Request, status: int) -> dict[str, Any]:
    last = request.last
    bill = last.bill if last is not None else None
    unpriced = bill is not None and not bill.priced
    return {
        "event": "request",
        "request_id": request.id,
        "status": "ok" if status == OK else f"error {status}",
        "asked": request.alias,
        "alias": last.deployment.alias if last else None,
        "deployment": last.deployment.id if last else None,
        "model": last.deployment.full_model if last else None,
        "fallback": request.fell_back,
        "attempts": len(request.attempts),
        "outcomes": [attempt.outcome for attempt in request.attempts],
        "cost": None if unpriced else round(request.cost, 10),
        "prompt_tokens": bill.usage.prompt if bill else None,
        "completion_tokens": bill.usage.completion if bill else None,
        "seconds": round(time.monotonic() - request.started, 3),
    }


def _plain(value: object) -> str:
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = ",".join(value) if isinstance(value, list) else str(value)
    if text and text.isprintable() and _ODD.isdisjoint(text):
        return text
    # An alias may be a caller's text, and a terminal obeys other characters than line ends, too.
    return json.dumps(text, ensure_ascii=not text.isprintable())
