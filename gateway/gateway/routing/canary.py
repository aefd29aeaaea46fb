"""A canary request: one token, to see whether a deployment answers again.

A list of models is answered by other machines than a chat; after a hang or 500s only a chat shows
the end of it, and a user's request should not be the one that finds out. It is booked as LiteLLM
books its own health checks, on the account `litellm-internal-health-check`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from gateway.access.caller import Caller
from gateway.request import Operation, Request
from gateway.routing.deployment_state import UNSEEN_BY_HEALTH_CHECKS
from gateway.routing.failure import FailureKind

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment
    from gateway.routing.failure import Failure
    from gateway.routing.settings import CanaryRequests

SECONDS = 30.0
"""How long one may take. The next begins before, so a deployment that is back is seen by that."""

AT_ONCE = 6
"""Canary requests to one deployment that may be under way."""

CHATTING = frozenset({"chat", "responses"})
"""LiteLLM's modes of models that its chat endpoint reaches."""


def takes_canary_requests(deployment: Deployment, allowed: CanaryRequests) -> bool:
    """Return whether a deployment may be asked for a token.

    Args:
        deployment: which; one that does not chat (embeddings) is never asked.
        allowed: `all`, `free` (those whose price is set to 0) or `off`.
    """
    return deployment.mode in CHATTING and (
        allowed == "all" or (allowed == "free" and deployment.is_free)
    )


def canary_request(deployment: Deployment) -> Request:
    """Return a request for one token."""
    body = {
        "model": deployment.alias,
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 1,
    }
    return Request(
        id=str(uuid.uuid4()),
        operation=Operation.CHAT,
        alias=deployment.alias,
        body=body,
        size=len(str(body)),
        caller=Caller(),
        is_canary=True,
    )


def changes_nothing(failure: Failure) -> bool:
    """Return whether a canary request's failure only says that what it looks for has not ended.

    A refused key, a rate limit or a Retry-After says more, and is believed like any other's.
    """
    still_out = UNSEEN_BY_HEALTH_CHECKS | {FailureKind.UNREACHABLE}
    return failure.kind in still_out and failure.retry_after is None
