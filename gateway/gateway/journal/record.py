"""One record of the journal: a row of LiteLLM_SpendLogs, and what else is needed to apply it.

A line of the journal is a record as JSON. It holds each fact only once. Columns with LiteLLM's
default are left out (`tables.SPEND_LOG_DEFAULTS`). Values that a row repeats, and all totals, are
worked out when the record is applied (`row_values.py`, `totals.py`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import orjson

MARK = "gateway"
"""The key in a row's metadata that holds the gateway's own facts."""

RECONCILED = "reconciled"
"""One of the gateway's facts: the row was made from a note of version 0.1."""


@dataclass(slots=True)
class OldTotals:
    """The totals of a record of version 0.1, as LiteLLM itself had worked them out.

    Attributes:
        spend: what the cost is charged to: LiteLLM's name of a kind (key, user, team …) and an id.
        daily: what the record adds to the daily tables, by LiteLLM's name of their kind.
        model_usage: what it adds to LiteLLM_DailyModelUsage; None for nothing.
        tools: what it adds to the tables of tool use; None for nothing.
    """

    spend: list[tuple[str, str]] = field(default_factory=list)
    daily: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    model_usage: dict[str, Any] | None = None
    tools: dict[str, Any] | None = None


@dataclass(slots=True)
class Record:
    """What one call to a provider leaves in the database.

    Attributes:
        row: the row's columns that differ from LiteLLM's default; `metadata` has only what no other
            column says.
        charged: what the cost is charged to besides what the row names: a kind and an id.
        tools: the names of the tools that the answer called.
        saved: US dollars that the provider's prompt cache saved; below 0 when it cost more.
        has_row: False when only totals are kept (disable_spend_logs).
        is_counted: whether this record counts its request. Only one record of a request does. None
            does if LiteLLM's own server counts the request, or if it is a canary request.
        failed: the HTTP status of the error that the caller got; 0 for an answer. Only one record
            of a failed request has it.
        id: the record's id; it is also in the row's metadata, so that a row names its record.
        old: the totals of a record of version 0.1, whose row is complete; else None.
        at: the record's place in its journal; see `access.caller.Position`.
    """

    row: dict[str, Any]
    charged: list[tuple[str, str]] = field(default_factory=list)
    tools: tuple[str, ...] = ()
    saved: float = 0.0
    has_row: bool = True
    is_counted: bool = True
    failed: int = 0
    id: str = field(default_factory=lambda: os.urandom(16).hex())
    old: OldTotals | None = None
    at: int = -1

    @property
    def cost(self) -> float:
        """The cost in US dollars."""
        return float(self.row.get("spend") or 0.0)

    def encoded(self) -> bytes:
        """Return the record as one line of JSON; not for records of version 0.1."""
        line: dict[str, Any] = {"v": 2, "id": self.id, "row": self.row}
        if self.charged:
            line["charged"] = self.charged
        if self.tools:
            line["tools"] = self.tools
        if self.saved:
            line["saved"] = self.saved
        if not self.has_row:
            line["has_row"] = False
        if not self.is_counted:
            line["is_counted"] = False
        if self.failed:
            line["failed"] = self.failed
        return as_line(line)


def decoded(line: dict[str, Any]) -> Record:
    """Return the record that a line's fields describe.

    Raises:
        KeyError, TypeError, ValueError: the fields are not a record.
    """
    row = line["row"]
    if not isinstance(row, dict) or not isinstance(row["request_id"], str):
        raise TypeError("a record has no row")
    return Record(
        row=row,
        charged=[(kind, identity) for kind, identity in line.get("charged", ())],
        tools=tuple(line.get("tools", ())),
        saved=float(line.get("saved", 0.0)),
        has_row=bool(line.get("has_row", True)),
        is_counted=bool(line.get("is_counted", True)),
        failed=int(line.get("failed", 0)),
        id=str(line["id"]),
    )


def as_line(fields: dict[str, Any]) -> bytes:
    r"""Return one line of JSON that Postgres can take: no \u0000, no half surrogates.

    https://www.postgresql.org/docs/17/datatype-json.html
    """
    try:
        line = orjson.dumps(fields, _text, orjson.OPT_NON_STR_KEYS)
    except (TypeError, ValueError):  # half a surrogate, or a number beyond 64 bits
        return _cleaned(fields)
    return _cleaned(fields) if b"\\u0000" in line else line


def _cleaned(fields: dict[str, Any]) -> bytes:
    return json.dumps(_clean(fields), default=_text, separators=(",", ":")).encode()


def _text(value: object) -> str:
    text: str = _clean(str(value))
    return text


def _clean(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and value - value != 0:  # infinite, or no number
        return None
    if isinstance(value, dict):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
