"""What a caller is told when nobody answered: soon, clearly, and when to ask again.

LiteLLM tells of the alias that was asked first: "no deployments available" with status 429, or its
provider's 401, which a caller takes for a refusal of its own key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.failover.failure import FailureKind, failure_of
from gateway.failover.registry import all_limited, earliest_return

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.failover.record import RequestRecord
    from gateway.failover.registry import Member, Registry

TOO_MANY_REQUESTS = 429
BAD_GATEWAY = 502
UNAVAILABLE = 503
BROKE_SCHEMA = 422

NO_MODEL_KEPT_THE_SCHEMA = "no model kept to the requested JSON schema"
"""The backend knows this error by these words (backend-stub/backend_stub/failures.py)."""


@dataclass(frozen=True)
class CallerError:
    """An error in the words of the gateway.

    Attributes:
        status: of the response.
        message: for the caller.
        retry_after: seconds to wait, None when waiting changes nothing.
    """

    status: int
    message: str
    retry_after: int | None = None


def caller_error(
    record: RequestRecord, chain: Collection[str], registry: Registry, error: Exception
) -> CallerError | None:
    """Returns what to tell the caller instead of LiteLLM's own error; None to leave that.

    Args:
        record: of the request.
        chain: the aliases that the router could fall back to.
        registry: the deployments.
        error: what LiteLLM would report.
    """
    if record.was_answered:
        return None  # a stream that broke: an error event in it is all that can be sent
    if any(attempt.broken_schema for attempt in record.attempts) and _status(error) == BROKE_SCHEMA:
        return CallerError(BAD_GATEWAY, f"{NO_MODEL_KEPT_THE_SCHEMA}: {_said(error)}")
    aliases = record.aliases.union(chain)
    members = [member for alias in aliases for member in registry.of_alias(alias)]
    if not members or not _blames_deployments(error):
        return None
    if any(member.state.is_up for member in members):
        return _own_fault(record, error) or _passing(record, error)
    wait = max(1, math.ceil(earliest_return(members)))
    status = TOO_MANY_REQUESTS if all_limited(members) else UNAVAILABLE
    states = "; ".join(sorted({_described(member) for member in members}))
    message = f"no model is available for {record.alias}, try again in {wait} s ({states})"
    return CallerError(status, message, wait)


def fallback_chain(alias: str, fallbacks: object) -> list[str]:
    """Returns the aliases after `alias`, in any of the forms that LiteLLM takes fallbacks in.

    A list of names or of {"model": name} is a request's own; a list of {alias: [names]} is the
    router's. https://docs.litellm.ai/docs/proxy/reliability
    """
    chain: list[object] = []
    for entry in fallbacks if isinstance(fallbacks, list) else []:
        if isinstance(entry, dict) and "model" not in entry:
            chain.extend(entry.get(alias) or entry.get("*") or [])
        else:
            chain.append(entry)
    names = [entry.get("model") if isinstance(entry, dict) else entry for entry in chain]
    return [name for name in names if isinstance(name, str)]


def _blames_deployments(error: Exception) -> bool:
    """Whether an error is about deployments: theirs, or that the router found none."""
    return _found_none(error) or failure_of(error).kind is not FailureKind.REQUEST


def _found_none(error: Exception) -> bool:
    return type(error).__name__ in ("RouterRateLimitError", "RouterRateLimitErrorBasic")


def _own_fault(record: RequestRecord, error: Exception) -> CallerError | None:
    """The router reports the first alias's trouble even when the last one refused the request."""
    last = record.last_error
    if last is None or last is error or failure_of(last).kind is not FailureKind.REQUEST:
        return None
    status = _status(last)
    return CallerError(status, str(getattr(last, "message", last))) if status else None


def _passing(record: RequestRecord, error: Exception) -> CallerError | None:
    """Deployments that failed this request and are in use nevertheless: worth another try.

    They answered 5xx, but not often enough to be out of use; or broke the connection, and a probe
    reached them again before the caller was told. An error with no attempt before it is about the
    caller, such as its key's own limit.
    """
    failures = [(each.alias, each.failure) for each in record.attempts if each.failure]
    if not failures and not _found_none(error):
        return None
    wait = max(1, math.ceil(failure_of(error).retry_after or 0))
    limited = failures and all(failure.kind is FailureKind.LIMITED for _, failure in failures)
    states = "; ".join(sorted({f"{alias}: {failure}" for alias, failure in failures}))
    message = f"no model answered for {record.alias}, try again in {wait} s"
    return CallerError(
        TOO_MANY_REQUESTS if limited else UNAVAILABLE,
        f"{message} ({states})" if states else message,
        wait,
    )


def _said(error: Exception) -> str:
    """Returns an error's words without the names of all aliases, which LiteLLM adds to them."""
    return str(error).split("\n\nLiteLLM:")[0]


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _described(member: Member) -> str:
    failure = member.state.failure
    return f"{member.target.alias}: {failure or member.state.condition.value}"
