"""The totals that one row adds to, derived as in LiteLLM; the sources are named in `totals.py`."""

from __future__ import annotations

import functools
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gateway.journal.row_values import cached_tokens
from gateway.journal.tables import DAILY_COUNTERS, DAILY_SPEND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.journal.record import Record

ENDPOINTS = {
    "acompletion": "/chat/completions",
    "atext_completion": "/completions",
    "aembedding": "/embeddings",
    "amoderation": "/moderations",
    "aspeech": "/audio/speech",
    "atranscription": "/audio/transcriptions",
}
"""The endpoint in daily tables for each call_type: ROUTE_ENDPOINT_MAPPING in
litellm/proxy/route_llm_request.py."""

NO_TASK = "uncategorized"
TASK_TAG = "task:"
"""MODEL_INSIGHTS_DEFAULT_TASK and _TASK_TAG_PREFIX in litellm/constants.py."""

_SPEND_AT = len(DAILY_COUNTERS)
_CACHE_SAVINGS_AT = _SPEND_AT + DAILY_SPEND.index("prompt_caching_savings_spend")


def team_member(team: str, user: str) -> str:
    """Return LiteLLM's name for a team's member; both ids are unchanged (_update_team_db)."""
    return f"team_id::{team}::user_id::{user}"


def organization_member(organization: str, user: str) -> str:
    """Return LiteLLM's name for an organisation's member (_org_member_transaction_key)."""
    return f"organization_id::{quote(organization, safe='')}::user_id::{quote(user, safe='')}"


def charged(record: Record) -> Iterator[tuple[str, str]]:
    """Yield everything that a record's cost is charged to: LiteLLM's name of a kind, and an id."""
    row = record.row
    metadata = row.get("metadata")
    project = metadata.get("user_api_key_project_id") if isinstance(metadata, dict) else None
    for kind, identity in (
        ("key", row.get("api_key")),
        ("user", row.get("user")),
        ("end_user", row.get("end_user")),
        ("team", row.get("team_id")),
        ("organization", row.get("organization_id")),
        ("project", project),
        ("agent", row.get("agent_id")),
    ):
        if identity:
            yield kind, identity
    if row.get("user"):
        if row.get("team_id"):
            yield "team_member", team_member(row["team_id"], row["user"])
        if row.get("organization_id"):
            yield "organization_member", organization_member(row["organization_id"], row["user"])
    for tag in dict.fromkeys(row.get("request_tags") or ()):
        yield "tag", tag
    yield from record.charged


def days(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each entity whose day a row adds to: a kind and an id.

    A row without a user adds to the user '', and one without a team to the team ''.
    """
    yield "user", row.get("user") or ""
    yield "team", row.get("team_id") or ""
    for kind, column in (
        ("org", "organization_id"),
        ("end_user", "end_user"),
        ("agent", "agent_id"),
    ):
        if row.get(column):
            yield kind, row[column]
    for tag in dict.fromkeys(row.get("request_tags") or ()):
        yield "tag", tag


def day_sums(record: Record) -> list[float]:
    """Return what a record adds to a day, in the order of DAILY_COUNTERS and DAILY_SPEND."""
    row = record.row
    succeeded = row.get("status", "success") == "success"
    duration = row.get("request_duration_ms") if succeeded else None
    metadata = row.get("metadata")
    read, written = cached_tokens(
        metadata.get("usage_object") if isinstance(metadata, dict) else None
    )
    sums: list[float] = [
        row.get("prompt_tokens", 0),
        row.get("completion_tokens", 0),
        1,
        int(succeeded),
        int(not succeeded),
        read,
        written,
        0,
        duration or 0,
        int(duration is not None),
    ]
    sums += [0.0] * len(DAILY_SPEND)
    sums[_SPEND_AT] = record.cost
    sums[_CACHE_SAVINGS_AT] = record.saved
    return sums


def task(tags: Iterable[object]) -> str:
    """Return the first task that a tag names and LiteLLM knows; NO_TASK if there is none."""
    for tag in tags:
        if isinstance(tag, str) and tag.startswith(TASK_TAG):
            name = tag[len(TASK_TAG) :]
            if name in _tasks():
                return name
    return NO_TASK


@functools.cache
def _tasks() -> frozenset[str]:
    """Return the tasks on LiteLLM's page of model insights, without importing LiteLLM."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    path = Path(spec.submodule_search_locations[0]) / "proxy" / "model_insights_tasks.json"
    try:
        return frozenset(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        return frozenset()
