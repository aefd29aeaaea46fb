"""The errors that refuse a request, in LiteLLM's words, because clients may look for them.

Sources in LiteLLM 1.106.2: proxy/auth/auth_checks.py, the `*_max_budget_check` functions, and
proxy/hooks/parallel_request_limiter_v3.py, `_handle_rate_limit_error`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import unquote

from gateway.access.caller import Entity, Kind
from gateway.errors import BudgetExceededError, RateLimitError

if TYPE_CHECKING:
    from gateway.limits.account import Account

SCOPES = {
    Kind.KEY: "api_key",
    Kind.TEAM: "team",
    Kind.TEAM_MEMBER: "team_member",
    Kind.USER: "user",
    Kind.ORGANIZATION: "organization",
    Kind.ORGANIZATION_MEMBER: "organization_member",
    Kind.END_USER: "end_user",
}
"""LiteLLM's names, in headers and messages, for what can have limits."""

REQUESTS, TOKENS, PARALLEL = "requests", "tokens", "max_parallel_requests"
"""LiteLLM's names for the limits."""

RETRY_SECONDS = 1
"""The advised wait, after which a request under way may have ended."""


def over_limit(
    account: Account, limit: int, used: int, limit_type: str, seconds: int
) -> RateLimitError:
    """Return the refusal of a request that is over a limit.

    Args:
        account: the account that has the limit.
        limit: the limit.
        used: how much of it is used.
        limit_type: REQUESTS, TOKENS or PARALLEL.
        seconds: until there may be room.
    """
    resets = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    reset_at = f"{resets:%Y-%m-%d %H:%M:%S} UTC"
    entity = account.entity
    return RateLimitError(
        f"Rate limit exceeded for {SCOPES[entity.kind]}: {entity.name or entity.id}. "
        f"Limit type: {limit_type}. Current limit: {limit}, Remaining: {max(0, limit - used)}. "
        f"Limit resets at: {reset_at}",
        retry_after=seconds,
        headers={"rate_limit_type": limit_type, "reset_at": reset_at},
    )


def budget_exceeded(account: Account) -> BudgetExceededError:
    """Return the refusal of a request whose budget is spent."""
    return BudgetExceededError(_spent(account))


def might_not_fit(account: Account, bound: float) -> BudgetExceededError:
    """Return the refusal of a request that may cost more than is left of the budget."""
    return BudgetExceededError(
        f"{_spent(account)}; this request may cost up to {bound:.6f}. While the database is away, "
        "a request that might exceed a budget is refused. Lower max_tokens, or try again later"
    )


def held_by_others(account: Account, seconds: float) -> RateLimitError:
    """Return the refusal of a request that waited for others to end, without getting room."""
    entity = account.entity
    return RateLimitError(
        f"Requests in progress have reserved the rest of the budget of {SCOPES[entity.kind]} "
        f"{entity.name or entity.id}. This request waited {seconds:g} s for them to finish. "
        "Try again, or lower max_tokens",
        retry_after=RETRY_SECONDS,
        headers={"rate_limit_type": "budget"},
    )


def _spent(account: Account) -> str:
    entity, spend = account.entity, account.settled
    if entity.kind in (Kind.USER, Kind.END_USER):
        who = "User" if entity.kind is Kind.USER else "End User"
        return (
            f"ExceededBudget: {who}={entity.id} over budget."
            f" Spend={spend}, Budget={entity.max_budget}"
        )
    return (
        f"Budget has been exceeded! {_who(entity)} Current cost: {spend},"
        f" Max budget: {entity.max_budget}"
    )


def _who(entity: Entity) -> str:
    if entity.kind is Kind.KEY:
        return f"Key={entity.name or 'key'}"
    if entity.kind is Kind.TEAM:
        return f"Team={entity.id}"
    if entity.kind is Kind.ORGANIZATION:
        return f"Organization={entity.id}"
    group, _, user = entity.id.partition("::")
    where = "Team" if entity.kind is Kind.TEAM_MEMBER else "Organization"
    return f"User={unquote(user)} in {where}={unquote(group)}"
