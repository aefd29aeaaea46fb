"""How long an attempt may take, and whether the caller's own timeout ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.providers.reply import Timeouts
from gateway.routing.failure import Failure, FailureKind

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment, RouterSettings

TIMED_OUT = 408
"""LiteLLM's status for a request that took longer than its `timeout`."""


class TimeoutRules:
    """The timeouts of every deployment.

    Args:
        router: the settings for deployments without timeouts of their own.
    """

    def __init__(self, router: RouterSettings) -> None:
        self._router = router
        self._known: dict[tuple[str, bool], Timeouts] = {}

    def configured(self, deployment: Deployment, *, stream: bool) -> Timeouts:
        """Return the configured timeouts; a stream may have its own, else that of plain answers."""
        found = self._known.get((deployment.id, stream))
        if found is None:
            router = self._router
            answer = deployment.timeout or router.timeout
            if stream:
                answer = deployment.stream_timeout or router.stream_timeout or answer
            found = Timeouts(min(router.connect_timeout, answer), answer)
            self._known[deployment.id, stream] = found
        return found


def shortened(timeouts: Timeouts, wanted: float | None) -> Timeouts:
    """Return the timeouts, shortened to the caller's own timeout if that is shorter."""
    if wanted is None or wanted >= timeouts.answer:
        return timeouts
    return Timeouts(min(timeouts.connect, wanted), wanted)


def without_blame(
    failure: Failure, configured: Timeouts, used: Timeouts, seconds: float
) -> Failure:
    """Return a failure, or the request's own failure if only the caller's short timeout caused it.

    Args:
        failure: the failure, as the provider reported it.
        configured: the configured timeouts.
        used: the timeouts in use, which the caller may have shortened.
        seconds: how long the attempt took.
    """
    if used is configured:
        return failure
    was_silent = failure.kind is FailureKind.UNRESPONSIVE and failure.status is None
    not_connected = failure.kind is FailureKind.UNREACHABLE and (
        used.connect < configured.connect and seconds >= used.connect
    )
    if not (was_silent or not_connected):
        return failure
    return Failure(
        FailureKind.REQUEST,
        TIMED_OUT,
        message=f"no answer within the {used.answer:g} s of this request's timeout",
        error_type="timeout_error",
        error_param="timeout",
    )
