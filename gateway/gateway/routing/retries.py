"""How often an alias is asked again after a failure, and after which pauses.

Source: LiteLLM 1.106.2, router.py `async_function_with_retries`, `_time_to_sleep_before_retry`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from gateway.routing.failure import FailureKind, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.config.deployment import Deployment, RouterSettings
    from gateway.request import Request
    from gateway.routing.failure import Failure

FIRST_PAUSE = 0.5
MAX_PAUSE = 8.0
JITTER = 0.75
MAX_RETRY_AFTER = 60.0
"""Seconds; LiteLLM's constants.py, and utils.py `calculate_retry_after`."""

WORTH_ANOTHER_TRY = frozenset({408, 409})
"""Statuses of a refusal after which a retry can succeed (LiteLLM's utils.py `should_retry`)."""

NAMES_BY_STATUS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    408: "TimeoutError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}
NAMES_BY_KIND = {
    FailureKind.UNREACHABLE: "InternalServerError",
    FailureKind.UNRESPONSIVE: "TimeoutError",
    FailureKind.LIMITED: "RateLimitError",
    FailureKind.MISSING: "NotFoundError",
}


class RetryRules:
    """The configured numbers of retries.

    Args:
        router: the settings that have them.
    """

    def __init__(self, router: RouterSettings) -> None:
        self._router = router
        self._policy = _by_error(router.retry_policy)
        self._alias_policies = {
            alias: _by_error(policy) for alias, policy in router.alias_retry_policies.items()
        }

    def retries(self, request: Request, deployment: Deployment, failure: Failure) -> int:
        """Return the number of retries, given the first failure at an alias.

        A retry policy overrides everything except a request that wants no retries. It may also
        retry failures that a retry is not expected to cure.
        """
        named = self._named(request, deployment.alias, failure)
        if named is not None:
            return named
        if not _can_be_mended(failure):
            return 0
        wanted = request.controls.num_retries
        if wanted is not None:
            return wanted
        own = deployment.parameters.get("num_retries")
        return self._router.num_retries if own is None else int(own)

    def go_on(self, request: Request, alias: str, failure: Failure) -> bool:
        """Return whether the remaining retries are worth making after a later failure."""
        return _can_be_mended(failure) or self._named(request, alias, failure) is not None

    def waits(self, request: Request) -> int:
        """Return how often to wait for room when every deployment is busy."""
        wanted = request.controls.num_retries
        return self._router.num_retries if wanted is None else wanted

    def _named(self, request: Request, alias: str, failure: Failure) -> int | None:
        """Return the number of retries that a policy names for a failure; None if it names none."""
        policy = self._alias_policies.get(alias, self._policy)
        if not policy or request.controls.num_retries == 0:
            return None
        return next((policy[name] for name in _names(failure) if name in policy), None)

    def pause(self, failure: Failure, retry: int) -> float:
        """Return the seconds to wait before asking the only deployment in use again.

        Args:
            failure: the failure of the previous attempt.
            retry: 0 before the first retry.
        """
        if failure.retry_after is not None and 0 < failure.retry_after <= MAX_RETRY_AFTER:
            return failure.retry_after + _jitter()
        return self.pause_for_room(retry)

    def pause_for_room(self, retry: int) -> float:
        """Return the seconds to wait if the provider named none: twice as long each time."""
        growing: float = FIRST_PAUSE * 2.0 ** min(retry, 16)
        return min(max(growing, self._router.retry_after), MAX_PAUSE) + _jitter()


def _jitter() -> float:
    return JITTER * random.random()  # noqa: S311 -- no secret


def _can_be_mended(failure: Failure) -> bool:
    return failure.kind is not FailureKind.REQUEST or failure.status in WORTH_ANOTHER_TRY


def _by_error(policy: Mapping[str, int]) -> dict[str, int]:
    """Return a policy's numbers by LiteLLM's name of the error, such as TimeoutError or Default."""
    return {
        name.removesuffix("Retries"): number
        for name, number in policy.items()
        if number is not None
    }


def _names(failure: Failure) -> Iterator[str]:
    """Yield LiteLLM's names for a failure, the most specific first.

    LiteLLM's router_utils/get_retry_from_policy.py.
    """
    if failure.refusal is Refusal.CONTENT_POLICY:
        yield "ContentPolicyViolationError"
    if failure.refusal is not None:
        yield "BadRequestError"
    elif failure.kind in NAMES_BY_KIND:
        yield NAMES_BY_KIND[failure.kind]
    elif failure.status in NAMES_BY_STATUS:
        yield NAMES_BY_STATUS[failure.status]
    yield "Default"
