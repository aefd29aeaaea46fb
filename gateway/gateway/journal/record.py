"""One record of the journal: a row of LiteLLM_SpendLogs, and all that it adds up to."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

MARK = "gateway"
"""The key in a row's metadata under which the gateway's own facts stand."""

COUNTED = "gateway_usage_counted"
"""In LiteLLM's details of a call: its usage is not the provider's."""

NOTE = "gateway_note"
"""In LiteLLM's details of a call: the id of its note, which its record will have."""

RECONCILED = "reconciled"
"""Among the gateway's facts: the row was made of a note."""

_ENCODER = json.JSONEncoder(default=str, ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True)
class Record:
    """What one call to a provider leaves in the database, as LiteLLM itself worked it out.

    Attributes:
        row: the row, by column.
        spend: whom it is charged to, as LiteLLM names them: a kind (key, user, team …) and an id.
        daily: what it adds to the daily tables, by kind.
        model_usage: what it adds to LiteLLM_DailyModelUsage.
        tools: what it adds to the tables of tool use.
        id: of the record; it stands in the row's metadata, so that a row tells whose it is.
    """

    row: dict[str, Any]
    spend: list[tuple[str, str]] = field(default_factory=list)
    daily: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    model_usage: dict[str, Any] | None = None
    tools: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def cost(self) -> float:
        """US dollars."""
        return float(self.row.get("spend") or 0.0)

    def marked_row(self) -> dict[str, Any]:
        """Returns the row with the record's id in its metadata."""
        metadata = self.row.get("metadata")
        metadata = dict(metadata) if isinstance(metadata, dict) else {}
        metadata[MARK] = {**(metadata.get(MARK) or {}), "record": self.id}
        return {**self.row, "metadata": metadata}

    def encoded(self) -> bytes:
        """Returns it as one line of JSON."""
        return as_line(asdict(self))


def decode(fields: dict[str, Any]) -> Record:
    """Returns the record of a line's fields."""
    spend = [(kind, identity) for kind, identity in fields["spend"]]
    return Record(**{**fields, "spend": spend})


def as_line(fields: dict[str, Any]) -> bytes:
    """Returns one line of JSON that Postgres can take: no zero bytes, no half characters.

    https://www.postgresql.org/docs/17/datatype-json.html
    """
    text = _ENCODER.encode(fields)
    if "\\u0000" in text or "\\ud" in text:
        text = _ENCODER.encode(_clean(fields))
    return text.encode()


def _clean(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
