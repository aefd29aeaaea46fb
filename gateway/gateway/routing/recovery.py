"""Find out in the background when a deployment in cooldown is back, without delaying requests."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.providers.reply import Timeouts
from gateway.routing.canary import AT_ONCE, SECONDS, canary_request, changes_nothing
from gateway.routing.deployment_state import UNSEEN_BY_HEALTH_CHECKS
from gateway.routing.deployments import CLOCK
from gateway.routing.failure import AttemptFailedError, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.request import Request
    from gateway.routing.attempts import Attempts
    from gateway.routing.deployments import Deployments
    from gateway.routing.health_check import HealthChecker
    from gateway.routing.settings import FailoverSettings
    from gateway.routing.tracked import TrackedDeployment

LOG = logging.getLogger(__name__)


class Recovery:
    """Checks deployments in cooldown, as long as there are any.

    Args:
        deployments: all deployments.
        attempts: makes canary requests.
        settings: the settings of failover.
        connect: the seconds that a canary request's connection may take.
        record_canary: called with each canary request that was answered, to record its cost.
    """

    def __init__(
        self,
        deployments: Deployments,
        attempts: Attempts,
        settings: FailoverSettings,
        connect: float,
        record_canary: Callable[[Request], None],
    ) -> None:
        self._deployments = deployments
        self._attempts = attempts
        self._settings = settings
        self._timeouts = Timeouts(min(connect, SECONDS), SECONDS)
        self._record_canary = record_canary
        self._watching: asyncio.Task[None] | None = None
        self._reachability_checks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def watch(self) -> None:
        """Begin to check, unless checks are running already."""
        idle = self._watching is None or self._watching.done()
        if idle and not self._is_closed:
            self._watching = asyncio.get_running_loop().create_task(self._check_until_all_are_up())

    def check_from_here(self, tracked: TrackedDeployment) -> None:
        """Check whether a deployment that another gateway cannot reach is reachable from here."""
        if not self._is_closed and not tracked.state.in_cooldown:
            task = asyncio.get_running_loop().create_task(self._check_reachability(tracked))
            self._reachability_checks.add(task)
            task.add_done_callback(self._reachability_checks.discard)

    async def close(self) -> None:
        """Stop checking."""
        self._is_closed = True
        tasks = [task for each in self._deployments for task in each.canaries]
        tasks.extend(self._reachability_checks)
        if self._watching is not None:
            tasks.append(self._watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check_until_all_are_up(self) -> None:
        # While no deployment is in cooldown, the client for health checks need not be imported.
        from gateway.routing.health_check import HealthChecker  # noqa: PLC0415 -- as said

        checker = HealthChecker(self._settings.health_check_timeout)
        try:
            while any(each.state.in_cooldown for each in self._deployments):
                await asyncio.sleep(self._until_next_check())
                now = CLOCK()
                due = [each for each in self._deployments if each.state.is_due(now)]
                await asyncio.gather(*(self._check(each, checker) for each in due))
        finally:
            self._watching = None  # a failure while the checker closes starts the next task
            await checker.close()

    async def _check_reachability(self, tracked: TrackedDeployment) -> None:
        from gateway.routing.health_check import HealthChecker  # noqa: PLC0415 -- as above

        checker = HealthChecker(self._settings.health_check_timeout)
        try:
            if not await checker.is_healthy(tracked.deployment, FailureKind.UNREACHABLE):
                self._deployments.record_unreachable(tracked)
        except Exception:
            LOG.exception("a health check of %s broke", tracked)
        finally:
            await checker.close()

    def _until_next_check(self) -> float:
        """Return the seconds until the next check is due, one interval at most."""
        now = CLOCK()
        waits = (
            each.state.not_before - now for each in self._deployments if each.state.in_cooldown
        )
        interval = self._settings.health_check_interval
        return min([interval, *(wait for wait in waits if wait > 0)])

    async def _check(self, tracked: TrackedDeployment, checker: HealthChecker) -> None:
        reason = tracked.reason
        try:
            healthy = await checker.is_healthy(tracked.deployment, reason)
        except Exception:
            LOG.exception("a health check of %s broke", tracked)
            healthy = False
        if healthy and tracked.state.takes_canary_requests and reason in UNSEEN_BY_HEALTH_CHECKS:
            self._begin_canary_request(tracked)
        else:
            self._deployments.record_health_check(tracked, healthy=healthy)

    def _begin_canary_request(self, tracked: TrackedDeployment) -> None:
        """Begin a canary request, if one is due, without waiting for it.

        If the deployment still hangs, this request must not delay the next one.
        """
        now = CLOCK()
        if not tracked.state.is_due(now) or len(tracked.canaries) >= AT_ONCE:
            return
        tracked.state.begin_canary_request(now)
        task = asyncio.get_running_loop().create_task(self._ask(tracked))
        tracked.canaries.add(task)
        task.add_done_callback(tracked.canaries.discard)

    async def _ask(self, tracked: TrackedDeployment) -> None:
        """Ask for one token; a refusal of the request also shows that the deployment is back."""
        request = canary_request(tracked.deployment)
        try:
            await self._attempts.ask_canary(tracked, request, self._timeouts)
        except AttemptFailedError as error:
            failure = error.failure
            if failure.kind is FailureKind.REQUEST:
                self._deployments.record_success(tracked, CLOCK())
            elif not changes_nothing(failure):
                self._deployments.record_failure(tracked, failure, request.attempts[-1].started)
        except Exception:
            LOG.exception("a canary request to %s broke", tracked)
        else:
            self._record_canary(request)
