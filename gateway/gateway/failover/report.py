"""Who answered: the response headers, and the log line of each request."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.log import event

if TYPE_CHECKING:
    from gateway.failover.record import RequestRecord

PREFIX = "x-gateway-"


@dataclass(frozen=True)
class Bill:
    """What LiteLLM counted for the answer; None where it does not know."""

    cost: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def headers_of(record: RequestRecord, bill: Bill) -> dict[str, str]:
    """Returns the response headers that say who answered.

    x-gateway-alias and -model and -deployment are those asked last; -fallback is `false`, or
    `true; from=ALIAS` with the alias that the caller named; -attempts counts every call, repairs
    too; -outcomes says what came of each, in order. -cost is what the answer cost in USD: 0 for one
    that is free, which LiteLLM's own header leaves out, and no header where no price is known.
    """
    last = record.last
    headers = {
        f"{PREFIX}attempts": str(len(record.attempts)),
        f"{PREFIX}fallback": f"true; from={record.alias}" if record.fell_back else "false",
    }
    if last is None:
        return headers | {f"{PREFIX}alias": _ascii(record.alias)}
    headers |= {
        f"{PREFIX}alias": _ascii(last.alias),
        f"{PREFIX}deployment": _ascii(last.deployment),
        f"{PREFIX}model": _ascii(last.model),
        f"{PREFIX}outcomes": ",".join(attempt.outcome for attempt in record.attempts),
    }
    if bill.cost is not None:
        headers[f"{PREFIX}cost"] = str(bill.cost)
    if record.wasted_cost:
        headers[f"{PREFIX}wasted-cost"] = f"{record.wasted_cost:.10f}"
    return {name: _ascii(value) for name, value in headers.items()}


def log_line(record: RequestRecord, status: str, bill: Bill, *, as_json: bool) -> str:
    """Returns the log line of a finished request, without a line end."""
    last = record.last
    fields: dict[str, Any] = {
        "event": "request",
        "request_id": record.request_id,
        "status": status,
        "asked": record.alias,
        "alias": last.alias if last else None,
        "deployment": last.deployment if last else None,
        "model": last.model if last else None,
        "fallback": record.fell_back,
        "attempts": len(record.attempts),
        "outcomes": [attempt.outcome for attempt in record.attempts],
        "cost": None if bill.cost is None else round(bill.cost + record.wasted_cost, 10),
        "prompt_tokens": bill.prompt_tokens,
        "completion_tokens": bill.completion_tokens,
        "seconds": round(time.monotonic() - record.started, 3),
    }
    if as_json:
        return json.dumps(event("request", **fields), ensure_ascii=False)
    shown = {name: value for name, value in fields.items() if value is not None}
    return "gateway: " + " ".join(f"{name}={_plain(value)}" for name, value in shown.items())


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = ",".join(value) if isinstance(value, list) else str(value)
    return json.dumps(text, ensure_ascii=False) if set(text) & set(' "=\n') or not text else text


def _ascii(value: str) -> str:
    """Headers are ASCII; an alias need not be, and comes from the caller."""
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in value)
