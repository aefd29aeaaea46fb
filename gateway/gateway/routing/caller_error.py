"""The error for a caller when no deployment answered: what happened, and when to try again.

The error is about the alias that the caller named. There is one exception: if the last alias tried
refused the request itself, the error is about that alias, because the caller can act on such a
refusal. A provider's 401 is never passed on: the caller would take it for a refusal of its own key.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gateway.errors import (
    AuthenticationError,
    GatewayError,
    InvalidRequestError,
    RateLimitError,
    UnavailableError,
)
from gateway.routing.deployment_state import Condition
from gateway.routing.deployments import CLOCK, earliest_return
from gateway.routing.failure import FailureKind, Refusal
from gateway.routing.selection import Obstacle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.request import Request
    from gateway.routing.failure import Failure
    from gateway.routing.outcome import NoAnswer
    from gateway.routing.tracked import TrackedDeployment

BAD_GATEWAY = 502
NO_MODEL_KEPT_THE_SCHEMA = "no model kept to the requested JSON schema"
"""The backend knows this error by these words (backend-stub/backend_stub/failures.py)."""

PASSES = frozenset({Obstacle.BUSY, Obstacle.AT_LIMIT, Obstacle.OVER_BUDGET})
"""Obstacles that are limits, and that pass with time."""


def caller_error(
    request: Request, ends: Sequence[NoAnswer], deployments: Sequence[TrackedDeployment]
) -> GatewayError:
    """Return the error for the caller.

    Args:
        request: the request that no deployment answered.
        ends: how each alias ended, in the order in which they were tried; at least one.
        deployments: the deployments of all these aliases.
    """
    first, last = ends[0], ends[-1]
    for end in (first, last):
        own = _own_fault(end)
        if own is not None:
            return own
    now = CLOCK()
    if any(not each.state.in_cooldown for each in deployments):
        return _passing(request, ends)
    wait = max(1, math.ceil(earliest_return(deployments, now)))
    states = "; ".join(sorted({each.describe() for each in deployments}))
    message = f"no model is available for {request.alias}, try again in {wait} s ({states})"
    if {each.state.condition for each in deployments} == {Condition.LIMITED}:
        return RateLimitError(message, retry_after=wait)
    return UnavailableError(message, retry_after=wait)


def _own_fault(end: NoAnswer) -> GatewayError | None:
    """Return the error if the request itself or its answers caused it; None if they did not."""
    if end.broken:
        message = f"{NO_MODEL_KEPT_THE_SCHEMA}: {end.alias} did not answer in it: {end.broken}"
        return GatewayError(message, status=BAD_GATEWAY)
    if end.no_deployment is not None:
        return _obstacle_of_the_request(end)
    failure = end.failure
    if failure is None or failure.kind is not FailureKind.REQUEST:
        return None
    return _refused(failure)


def _obstacle_of_the_request(end: NoAnswer) -> GatewayError | None:
    obstacle = end.no_deployment.obstacle if end.no_deployment is not None else None
    if obstacle is Obstacle.UNKNOWN:
        return InvalidRequestError(
            f"there is no model named {end.alias[:200]}; GET /v1/models lists the available ones",
            param="model",
            code="model_not_found",
        )
    if obstacle is Obstacle.CONTEXT:
        return InvalidRequestError(
            f"the prompt is too long for {end.alias}",
            param="messages",
            code=Refusal.CONTEXT_WINDOW.value,
        )
    if obstacle is Obstacle.TAGS:
        # LiteLLM's status for it: proxy/_types.py ProxyException
        return AuthenticationError(f"{end.alias} is not for the tags of this request")
    return None


def _refused(failure: Failure) -> GatewayError:
    status = failure.status or InvalidRequestError.status
    if status == UnavailableError.status:  # a part of the gateway is away, and comes back
        return UnavailableError(failure.message, retry_after=math.ceil(failure.retry_after or 1))
    return GatewayError(
        failure.message or f"the provider refused the request with status {status}",
        status=status,
        type=failure.error_type or InvalidRequestError.type,
        param=failure.error_param,
        code=failure.refusal.value if failure.refusal else failure.error_code,
    )


def _passing(request: Request, ends: Sequence[NoAnswer]) -> GatewayError:
    """Return the error for deployments that gave no answer although they are not in cooldown.

    There are three causes. They answered 5xx, but not often enough for a cooldown. Or the
    connection broke, and a health check reached them again before the caller got this error. Or
    they are at a limit that the gateway keeps.
    """
    failures = [(each.deployment.alias, each.failure) for each in request.attempts if each.failure]
    limits = [
        (end.alias, end.no_deployment)
        for end in ends
        if end.no_deployment and end.no_deployment.obstacle in PASSES
    ]
    states = {f"{alias}: {failure}" for alias, failure in failures}
    states.update(f"{alias}: {reason.obstacle.value}" for alias, reason in limits)
    first = ends[0]
    asked = first.failure.retry_after if first.failure is not None else None
    wait = max(1, math.ceil(asked or min((reason.wait for _, reason in limits), default=0)))
    message = f"no model answered for {request.alias}, try again in {wait} s"
    text = f"{message} ({'; '.join(sorted(states))})" if states else message
    limited = all(failure.kind is FailureKind.LIMITED for _, failure in failures)
    if states and limited:
        return RateLimitError(text, retry_after=wait)
    return UnavailableError(text, retry_after=wait)
