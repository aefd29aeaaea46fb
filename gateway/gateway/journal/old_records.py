"""Read what a gateway of version 0.1 left in its journal, or what a backup of it holds.

Its lines are of three kinds:
- a record, with all its totals;
- a note, written before LiteLLM had accounted for an answer;
- a line which says that no record will follow for a note.
The record that follows for a note has the note's id. If there is none, because the gateway was
killed in between, a record is made here from the note, and its row is marked as reconciled.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import orjson

from gateway.journal import segments
from gateway.journal.lines import Line, scan
from gateway.journal.record import MARK, RECONCILED, OldTotals, Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG = logging.getLogger(__name__)

_NOTE = "note"
_GIVEN_UP = "given_up"

ACCESS_GROUPS = "user_api_key_matched_model_access_groups"
"""MODEL_ACCESS_GROUP_METADATA_KEY in litellm/litellm_core_utils/internal_call_metadata.py."""

_ROW_HAS = {
    "user_api_key",
    "user_api_key_hash",
    "tags",
    "model_group",
    "model_info",
    "deployment",
    ACCESS_GROUPS,
}
"""Keys of a note's metadata whose values are in columns of the row."""


class OldLines:
    """The lines of one folder.

    Args:
        folder: the folder of one gateway.
        put_aside: keeps lines from which no record can be made.
    """

    def __init__(self, folder: Path, put_aside: Callable[[dict[str, Any]], None]) -> None:
        self._folder = folder
        self._put_aside = put_aside
        self._completed: set[str] | None = None

    def record(self, fields: dict[str, Any], body: bytes, number: int) -> Record | None:
        """Return the record of a line; None when the line has none, or a later line has it.

        Args:
            fields: the line, decoded.
            body: the line, not decoded.
            number: the number of the file.

        Raises:
            KeyError, TypeError, ValueError: it is not a line of version 0.1.
        """
        if _GIVEN_UP in fields:
            return None
        if _NOTE not in fields:
            return old_record(fields)
        note = fields[_NOTE]
        if note["id"] in self._ids(number):
            return None
        try:
            return record_of_note(note)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._put_aside({_NOTE: body.decode()})
            LOG.error(  # noqa: TRY400 -- a trace could show what a caller sent
                "a note of version 0.1 makes no record (%s) and was put aside",
                type(error).__name__,
            )
            return None

    def _ids(self, number: int) -> set[str]:
        """Return the ids of all records from a file on.

        They are read only once, because no gateway writes lines of version 0.1 any more.
        """
        if self._completed is None:
            self._completed = set()
            for each in segments.numbers(self._folder):
                if each >= number:
                    self._completed.update(_record_ids(segments.path_of(self._folder, each)))
        return self._completed


def _record_ids(path: Path) -> set[str]:
    ids = set()
    for found in scan(path.read_bytes()):
        if isinstance(found, Line) and found.body.endswith(b'"}') and b'"row"' in found.body[:200]:
            fields = orjson.loads(found.body)
            if isinstance(fields.get("id"), str):
                ids.add(fields["id"])
    return ids


def old_record(fields: dict[str, Any]) -> Record:
    """Return a complete record of version 0.1, to be applied as it is.

    Raises:
        KeyError, TypeError, ValueError: the fields are not such a record.
    """
    row = fields["row"]
    if not isinstance(row["request_id"], str):
        raise TypeError("a record has no row")
    totals = OldTotals(
        spend=[(kind, identity) for kind, identity in fields["spend"]],
        daily=fields["daily"],
        model_usage=fields["model_usage"],
        tools=fields["tools"],
    )
    return Record(row=row, old=totals, id=str(fields["id"]))


def record_of_note(note: dict[str, Any]) -> Record:
    """Return a record made from a note that has no record of its own.

    Raises:
        KeyError, TypeError, ValueError: it is not a note.
    """
    call = note["call"]
    known = call["litellm_params"]["metadata"]
    usage = note["response"].get("usage") or {}
    started, ended = _utc(note["started"]), _utc(note["ended"])
    began = call.get("completion_start_time")
    row: dict[str, Any] = {
        "request_id": note["request_id"],
        "call_type": call.get("call_type") or "",
        "api_key": known.get("user_api_key") or "",
        "spend": float(note["cost"]),
        "prompt_tokens": int(usage.get("prompt_tokens") or 0),
        "completion_tokens": int(usage.get("completion_tokens") or 0),
        "total_tokens": int(usage.get("total_tokens") or 0),
        "startTime": _iso(started),
        "endTime": _iso(ended),
        "completionStartTime": _iso(_utc(began)) if began else _iso(ended),
        "request_duration_ms": int((ended - started).total_seconds() * 1000),
        "model": known.get("deployment") or call.get("model") or "",
        "model_id": (known.get("model_info") or {}).get("id") or "",
        "model_group": known.get("model_group") or "",
        "custom_llm_provider": call.get("custom_llm_provider") or "",
        "api_base": call["litellm_params"].get("api_base") or "",
        "user": known.get("user_api_key_user_id") or "",
        "team_id": known.get("user_api_key_team_id") or "",
        "organization_id": known.get("user_api_key_org_id") or "",
        "end_user": known.get("user_api_key_end_user_id") or "",
        "agent_id": known.get("agent_id"),
        "request_tags": [tag for tag in known.get("tags") or () if isinstance(tag, str)],
        "requester_ip_address": known.get("requester_ip_address"),
        "session_id": known.get("session_id") or call.get("litellm_trace_id"),
        "litellm_call_id": call.get("litellm_call_id"),
    }
    metadata = {key: value for key, value in known.items() if key not in _ROW_HAS}
    metadata["usage_object"] = usage
    metadata[MARK] = {**note.get("facts", {}), RECONCILED: True}
    groups = known.get(ACCESS_GROUPS) or ()
    return Record(
        row={**row, "metadata": metadata},
        charged=[("model_access_group", str(group)) for group in groups],
        id=note["id"],
    )


def _utc(text: str) -> datetime:
    """Return a time in UTC; LiteLLM writes local times without their zone."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
