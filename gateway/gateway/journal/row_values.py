"""A record's row as a line of COPY, with LiteLLM's defaults and the values that a row repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gateway.journal.record import MARK, as_line
from gateway.journal.tables import SPEND_LOG_DEFAULTS

if TYPE_CHECKING:
    from gateway.journal.record import Record

COLUMNS = tuple(SPEND_LOG_DEFAULTS)

_JSON = frozenset({"metadata", "request_tags", "messages", "response", "proxy_server_request"})
_NUMBERS = frozenset(
    {"spend", "total_tokens", "prompt_tokens", "completion_tokens", "request_duration_ms"}
)
_NULL = "\\N"

_REPEATED = (
    ("user_api_key", "api_key"),
    ("user_api_key_team_id", "team_id"),
    ("user_api_key_user_id", "user"),
    ("user_api_key_org_id", "organization_id"),
    ("requester_ip_address", "requester_ip_address"),
    ("litellm_call_id", "litellm_call_id"),
)
"""Keys of the metadata, each with the column that has the same value."""

_NOT_ADDITIONAL = ("prompt_tokens", "completion_tokens", "total_tokens")


def _escaped(text: str) -> str:
    """Return a text escaped for COPY: https://www.postgresql.org/docs/17/sql-copy.html."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return text


def _as_copied(column: str, value: Any) -> str:  # noqa: ANN401 -- JSON
    if column in _JSON:
        if isinstance(value, str):  # from version 0.1, which kept text that it could not read
            value = {} if value in ("", "{}") else value
        return as_line_of(value).replace("\\", "\\\\")
    if value is None:
        return _NULL
    if column in _NUMBERS:
        return repr(value)
    return _escaped(value if isinstance(value, str) else str(value))


def as_line_of(value: Any) -> str:  # noqa: ANN401 -- JSON
    """Return JSON on one line."""
    if isinstance(value, dict):
        return as_line(value).decode()
    return orjson.dumps(value).decode()


_DEFAULTS = {column: _as_copied(column, value) for column, value in SPEND_LOG_DEFAULTS.items()}


def copied(record: Record, request_id: str) -> str:
    """Return a record's row as one line of COPY.

    Args:
        record: the record; its row may leave out columns.
        request_id: the id for the row, which may differ from the one in the record.
    """
    row = record.row
    values = []
    for column, default in _DEFAULTS.items():
        if column == "metadata":
            values.append(as_line_of(_metadata(record)).replace("\\", "\\\\"))
        elif column == "request_id":
            values.append(_escaped(request_id))
        elif column in row:
            values.append(_as_copied(column, row[column]))
        else:
            values.append(default)
    return "\t".join(values) + "\n"


def _metadata(record: Record) -> dict[str, Any]:
    """Return the metadata with the values that LiteLLM repeats there, and with the record's id."""
    row = record.row
    given = row.get("metadata")
    metadata = dict(given) if isinstance(given, dict) else {}
    if record.old is None:
        for key, column in _REPEATED:
            value = row.get(column)
            if value:
                metadata[key] = value
        metadata["additional_usage_values"] = additional_usage(metadata.get("usage_object"))
    metadata[MARK] = {**(metadata.get(MARK) or {}), "record": record.id}
    return metadata


def additional_usage(usage: object) -> dict[str, Any]:
    """Return what LiteLLM shows of a usage besides its three sums (get_logging_payload)."""
    if not isinstance(usage, dict):
        return {}
    more = {key: value for key, value in usage.items() if key not in _NOT_ADDITIONAL}
    read, written = cached_tokens(usage)
    if read and "cache_read_input_tokens" not in more:
        more["cache_read_input_tokens"] = read
    if written and "cache_creation_input_tokens" not in more:
        more["cache_creation_input_tokens"] = written
    return more


def cached_tokens(usage: object) -> tuple[int, int]:
    """Return how many tokens were read from, and written into, the provider's cache.

    This follows extract_cache_read_tokens and extract_cache_creation_tokens in
    litellm/proxy/spend_tracking/savings.py, whatever form the provider's usage has.
    """
    if not isinstance(usage, dict):
        return 0, 0
    details = usage.get("prompt_tokens_details")
    if not isinstance(details, dict):
        details = {}
    read = usage.get("cache_read_input_tokens") or details.get("cached_tokens")
    written = (
        usage.get("cache_creation_input_tokens")
        or details.get("cache_write_tokens")
        or details.get("cache_creation_tokens")
    )
    return _whole(read), _whole(written)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) else 0
