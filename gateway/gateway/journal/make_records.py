"""Make the records of a request, with all that LiteLLM's pages, its API and our reports read.

LiteLLM makes its own spend logs in get_logging_payload of
litellm/proxy/spend_tracking/spend_tracking_utils.py. Two things are left out here, for reasons in
docs/decisions.md: `model_map_information` (7.5 kB of prices, the same in every spend log) and keys
whose value is null.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from gateway.access.caller import Kind
from gateway.errors import CUT_OFF
from gateway.journal.record import MARK, Record
from gateway.journal.row_parts import (
    agent_tags,
    cache_savings,
    cost_breakdown,
    iso,
    trace_id,
    usage_object,
)
from gateway.journal.stored_text import shortened

if TYPE_CHECKING:
    from gateway.access.caller import Caller
    from gateway.errors import GatewayError
    from gateway.request import Attempt, Bill, Request

MASTER_KEY = "litellm_proxy_master_key"
"""The master key's name in rows: LITELLM_PROXY_MASTER_KEY_ALIAS in litellm/constants.py."""

MASTER_USER = "default_user_id"
"""The master key's user: litellm_proxy_admin_name in litellm/proxy/proxy_server.py."""

CANARY_ACCOUNT = "litellm-internal-health-check"
"""The key, team and tag of LiteLLM's own health checks and of our canary requests:
LITTELM_INTERNAL_HEALTH_SERVICE_ACCOUNT_NAME in litellm/constants.py."""

UNKNOWN_MODEL = "unknown-model"
"""The model in the row of a request for a model that is not configured, so that no caller's text
gets into totals: UNKNOWN_MODEL_SPEND_LOG_MODEL in litellm/constants.py."""

_NAMES_A_MODEL = 429
"""Below this status the model's name may be made up: the refusal may be about the name itself."""

_ROW_SAYS = {Kind.KEY, Kind.TEAM, Kind.TEAM_MEMBER, Kind.ORGANIZATION, Kind.ORGANIZATION_MEMBER}


def records_of(
    request: Request, status: int = 200, *, error: GatewayError | None = None, has_rows: bool = True
) -> list[Record]:
    """Return a record for each attempt that has a bill, and one for a request that failed.

    In the row of the first attempt that was answered, litellm_call_id is the request's id. In every
    other row it is that id with the attempt's number.

    Args:
        request: the request, with its attempts.
        status: the HTTP status of the answer, if there is no error.
        error: the error that the caller got; None when it got an answer.
        has_rows: False when only totals are kept (disable_spend_logs).
    """
    billed = [attempt for attempt in request.attempts if attempt.bill is not None]
    answered = (attempt for attempt in billed if attempt.failure is None)
    named = next(answered, billed[0] if billed else None)
    records = [
        _record(request, attempt, attempt.bill, has_row=has_rows, is_named=attempt is named)
        for attempt in billed
        if attempt.bill is not None
    ]
    status = status if error is None else error.status
    failed = status >= 400  # noqa: PLR2004 -- HTTP's errors
    if failed and not any(record.row.get("status") == "failure" for record in records):
        records.append(_failure(request, status, error, has_row=has_rows))
    for record in records if request.via_litellm or request.is_canary else records[:-1]:
        record.is_counted = False
    if records and not request.is_canary:
        broken = records[-1].row.get("status") == "failure"
        records[-1].failed = status if failed else CUT_OFF if broken else 0
    return records


def _record(
    request: Request, attempt: Attempt, bill: Bill, *, has_row: bool, is_named: bool
) -> Record:
    deployment, usage = attempt.deployment, bill.usage
    call_id = request.id if is_named else f"{request.id}-{attempt.number}"
    ended = attempt.ended if attempt.ended is not None else time.monotonic()
    seconds = ended - attempt.started
    end = attempt.started_at + seconds
    row: dict[str, Any] = {
        "request_id": attempt.response_id or call_id,
        "call_type": request.operation.call_type,
        "spend": bill.cost,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "startTime": iso(attempt.started_at),
        "endTime": iso(end),
        "completionStartTime": iso(
            end
            if attempt.first_token is None
            else attempt.started_at + attempt.first_token - attempt.started
        ),
        "request_duration_ms": int(seconds * 1000),
        "model": deployment.full_model,
        "model_id": deployment.id,
        "model_group": deployment.alias,
        "custom_llm_provider": deployment.provider,
        "litellm_call_id": call_id,
    }
    if deployment.base:
        row["api_base"] = deployment.base
    metadata = _common(row, request)
    metadata["usage_object"] = usage_object(bill)
    metadata["attempted_retries"] = attempt.number - 1
    metadata["original_model_group"] = request.alias
    if bill.priced:
        metadata["cost_breakdown"] = cost_breakdown(bill)
    facts: dict[str, Any] = metadata[MARK]
    if not bill.priced:
        facts["unpriced"] = True
    if usage.counted:
        facts["usage_counted"] = True
    if not is_named:
        facts["request_id"] = request.id
    if attempt.failure is not None:
        row["status"] = metadata["status"] = "failure"
        metadata["error_information"] = {
            "error_code": str(attempt.failure.status or ""),
            "error_class": attempt.failure.kind.value,
            "llm_provider": deployment.provider,
        }
    if request.stored_request is not None:
        row["proxy_server_request"] = shortened(request.stored_request)
    if attempt.stored_answer is not None:
        row["response"] = shortened(attempt.stored_answer)
    return Record(
        row=row,
        charged=_besides(request.caller),
        tools=attempt.tool_names,
        saved=cache_savings(attempt, bill) if usage.cached or usage.cache_written else 0.0,
        has_row=has_row,
    )


def _failure(request: Request, status: int, error: GatewayError | None, *, has_row: bool) -> Record:
    """Return the record of a failed request that cost nothing."""
    last = request.last
    now, seconds = time.time(), time.monotonic() - request.started
    row: dict[str, Any] = {
        "request_id": request.id,
        "call_type": request.operation.call_type,
        "startTime": iso(now - seconds),
        "endTime": iso(now),
        "completionStartTime": iso(now),
        "request_duration_ms": int(seconds * 1000),
        "model": UNKNOWN_MODEL,
        "status": "failure",
        "litellm_call_id": request.id,
    }
    if last is not None:
        row["model"] = last.deployment.full_model
        row["model_id"] = last.deployment.id
        row["model_group"] = last.deployment.alias
        row["custom_llm_provider"] = last.deployment.provider
    elif status >= _NAMES_A_MODEL:
        row["model_group"] = request.alias
    metadata = _common(row, request)
    metadata["status"] = "failure"
    metadata["usage_object"] = {}
    metadata["error_information"] = {
        "error_code": str(status),
        "error_class": type(error).__name__ if error is not None else "",
        "error_message": error.message if error is not None else "",
        "llm_provider": last.deployment.provider if last is not None else "",
    }
    if request.stored_request is not None:
        row["proxy_server_request"] = shortened(request.stored_request)
    return Record(row=row, charged=_besides(request.caller), has_row=has_row)


def _common(row: dict[str, Any], request: Request) -> dict[str, Any]:
    """Fill in who the caller was and from where it asked; return the row's metadata to add to."""
    caller, client, controls = request.caller, request.client, request.controls
    metadata: dict[str, Any] = {MARK: {}}
    row["metadata"] = metadata
    tags = list(controls.tags)
    if request.is_canary:
        row["api_key"] = row["team_id"] = CANARY_ACCOUNT
        metadata["user_api_key_alias"] = metadata["user_api_key_team_alias"] = CANARY_ACCOUNT
        tags = [CANARY_ACCOUNT]
    else:
        row["api_key"] = MASTER_KEY if caller.is_admin else caller.key_hash
        _whose(row, metadata, caller)
    if client.user_agent and not request.is_canary:
        metadata["user_agent"] = client.user_agent
        tags += agent_tags(client.user_agent)
    if client.address:
        row["requester_ip_address"] = client.address
    if tags:
        row["request_tags"] = tags
    row["session_id"] = controls.session_id or trace_id(client.traceparent) or request.id
    kept = controls.metadata.get("spend_logs_metadata")
    if kept:
        metadata["spend_logs_metadata"] = kept
    if len(request.attempts) > 1:
        metadata["attempted_fallbacks"] = (
            len({each.deployment.alias for each in request.attempts}) - 1
        )
        metadata[MARK]["attempts"] = [
            {
                "alias": each.deployment.alias,
                "model": each.deployment.full_model,
                "outcome": each.outcome,
            }
            for each in request.attempts
        ]
    return metadata


def _whose(row: dict[str, Any], metadata: dict[str, Any], caller: Caller) -> None:
    user = caller.user_id or (MASTER_USER if caller.is_admin else None)
    if user:
        row["user"] = user
    if caller.team_id:
        row["team_id"] = caller.team_id
    if caller.organization_id:
        row["organization_id"] = caller.organization_id
    if caller.end_user_id:
        row["end_user"] = caller.end_user_id
    if caller.agent_id:
        row["agent_id"] = caller.agent_id
    if caller.key_name:
        metadata["user_api_key_alias"] = caller.key_name
    if caller.team_alias:
        metadata["user_api_key_team_alias"] = caller.team_alias
    if caller.project_id:
        metadata["user_api_key_project_id"] = caller.project_id


def _besides(caller: Caller) -> list[tuple[str, str]]:
    """Return what is charged but not named in the row, such as the user of the proxy's budget."""
    return [
        (entity.kind.value, entity.id)
        for entity in caller.entities
        if entity.kind not in _ROW_SAYS
        and entity.id != (caller.user_id if entity.kind is Kind.USER else caller.end_user_id)
    ]
