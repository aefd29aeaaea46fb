"""A canary request: one token, to see whether a deployment answers again.

A provider answers a list of models and a chat from different machines. So after a hang or 500s only
a chat shows that the trouble is over, and a user's request should not have to find out. A canary
request is booked as LiteLLM books its own health checks: on the account
`litellm-internal-health-check`.
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
"""How long a canary request may take.

The next one begins earlier than that, so it may find the deployment back while this one hangs.
"""

AT_ONCE = 6
"""How many canary requests to one deployment may be under way at once."""

CHATTING = frozenset({"chat", "responses"})
"""LiteLLM's modes for models that its chat endpoint reaches."""


def takes_canary_requests(deployment: Deployment, allowed: CanaryRequests) -> bool:
    """Return whether canary requests to a deployment are allowed.

    Args:
        deployment: the deployment; one that does not chat, such as embeddings, gets none.
        allowed: `all`, `free` (only deployments whose price is set to 0) or `off`.
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
    """Return whether a canary request's failure only shows that the deployment is not back yet.

    A refused key, a rate limit or a Retry-After says more, and counts as in any other attempt.
    """
    still_out = UNSEEN_BY_HEALTH_CHECKS | {FailureKind.UNREACHABLE}
    return failure.kind in still_out and failure.retry_after is None
