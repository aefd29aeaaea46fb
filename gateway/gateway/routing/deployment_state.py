"""Whether one deployment is in use, and what ends its cooldown: a state machine without a clock.

    up ──failure──▶ down / limited / unauthorised ──its time is up, and a health check is good──▶ up

A health check cannot show that a hang or 500s are over. Such a cooldown ends when a canary request
is answered. A deployment that gets no canary requests comes back on trial: its next failure puts it
in cooldown at once, whatever number of failures is allowed otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from gateway.routing.failure import FailureKind

if TYPE_CHECKING:
    from gateway.routing.failure import Failure
    from gateway.routing.settings import FailoverSettings


class Condition(str, Enum):
    """The condition of a deployment; only one that is up is asked."""

    UP = "up"
    DOWN = "down"
    LIMITED = "limited"
    UNAUTHORISED = "unauthorised"


CONDITIONS = {
    FailureKind.LIMITED: Condition.LIMITED,
    FailureKind.UNAUTHORISED: Condition.UNAUTHORISED,
}
UNSEEN_BY_HEALTH_CHECKS = frozenset(
    {FailureKind.UNRESPONSIVE, FailureKind.FAILING, FailureKind.MISSING}
)
"""Failures whose end only a real request shows: a list of models comes from other machines."""


@dataclass(slots=True)
class DeploymentState:
    """The state of one deployment. All times are seconds of the same monotonic clock.

    Attributes:
        settings: the settings of failover.
        takes_canary_requests: whether it gets canary requests where a health check is not enough.
        condition: its present condition.
        failure: the failure that last put it in cooldown.
        since: when its condition began.
        not_before: the time before which it is neither used nor checked.
        fails: how many failures in a row were allowed so far.
        hangs: how many times in a row it hung.
        on_trial: whether its next failure puts it in cooldown at once.
        last_success: when it last answered.
    """

    settings: FailoverSettings
    takes_canary_requests: bool = False
    condition: Condition = Condition.UP
    failure: Failure | None = None
    since: float = 0.0
    not_before: float = 0.0
    fails: int = 0
    hangs: int = 0
    on_trial: bool = False
    last_success: float = float("-inf")

    @property
    def in_cooldown(self) -> bool:
        """Whether it is in cooldown, and so is not asked."""
        return self.condition is not Condition.UP

    def record_failure(self, failure: Failure, *, started: float, now: float) -> bool:
        """Record a failed attempt; return whether it began or prolonged a cooldown.

        Args:
            failure: what happened.
            started: when the attempt began.
            now: the time.
        """
        if failure.kind is FailureKind.REQUEST:
            return False
        if failure.kind is FailureKind.UNRESPONSIVE and self.last_success >= started:
            return False  # it answered other requests meanwhile: only this one was too much for it
        if failure.kind is FailureKind.FAILING and failure.retry_after is None:
            self.fails += 1
            if self.fails <= self.settings.allowed_fails and not self.on_trial:
                return False
        self._begin_cooldown(failure, now)
        return True

    def record_success(self, now: float) -> bool:
        """Record an answer; return whether it ended a cooldown."""
        self.last_success = now
        self.fails = self.hangs = 0
        self.on_trial = False
        if self.condition is not Condition.DOWN:
            return False
        self._end_cooldown(now)
        return True

    def record_remote_cooldown(self, failure: Failure, *, seconds: float, now: float) -> None:
        """Record that another gateway has it in cooldown, for at least `seconds`."""
        if not self.in_cooldown:
            self.since = now
        self.condition = CONDITIONS.get(failure.kind, Condition.DOWN)
        self.failure = failure
        self.on_trial = False
        self.not_before = max(self.not_before, now + seconds)

    def record_remote_recovery(self, now: float) -> bool:
        """Record that another gateway found it to be back; return whether that ended a cooldown.

        An unreachable deployment stays in cooldown: only a check from here can show that it can be
        reached from here.
        """
        if not self.in_cooldown or self.failure is None:
            return False
        if self.failure.kind is FailureKind.UNREACHABLE:
            return False
        self.on_trial = self.failure.kind in UNSEEN_BY_HEALTH_CHECKS
        self._end_cooldown(now)
        return True

    def begin_attempt(self, now: float) -> bool:
        """Record that an attempt begins; return whether other requests have to wait for its end.

        A deployment that hung before is tried with one request at a time.
        """
        if not (self.on_trial and self.hangs and self.condition is Condition.UP):
            return False
        self.condition = Condition.DOWN
        self.since = now
        self.not_before = now + self.settings.cooldown
        return True

    def is_due(self, now: float) -> bool:
        """Return whether it is time to check a deployment in cooldown."""
        return self.in_cooldown and now >= self.not_before

    def record_health_check(self, now: float, *, healthy: bool) -> bool:
        """Record a health check; return whether it ended the cooldown."""
        if not healthy or not self.is_due(now):
            return False
        self.on_trial = self.failure is not None and self.failure.kind in UNSEEN_BY_HEALTH_CHECKS
        self._end_cooldown(now)
        return True

    def begin_canary_request(self, now: float) -> None:
        """Record that a canary request begins.

        The next one begins a cooldown later, even if this one has not ended by then.
        """
        self.not_before = now + self.settings.cooldown

    def retry_in(self, now: float) -> float:
        """Return the seconds until the deployment can be back at the earliest."""
        if not self.in_cooldown:
            return 0.0
        return max(self.not_before - now, self.settings.health_check_interval)

    def _end_cooldown(self, now: float) -> None:
        self.condition = Condition.UP
        self.since = self.not_before = now
        self.fails = 0

    def _begin_cooldown(self, failure: Failure, now: float) -> None:
        self.condition = CONDITIONS.get(failure.kind, Condition.DOWN)
        self.failure = failure
        self.since = now
        self.on_trial = False
        if failure.kind is FailureKind.UNRESPONSIVE:
            self.hangs += 1
        # An earlier request may fail later with a shorter pause: keep the longer one.
        self.not_before = max(self.not_before, now + self._pause(failure))

    def _pause(self, failure: Failure) -> float:
        """Return for how many seconds a deployment gets no requests after a failure."""
        settings = self.settings
        kind = failure.kind
        if failure.retry_after is not None and kind is not FailureKind.UNAUTHORISED:
            return min(failure.retry_after, settings.retry_after_cap)
        if kind is FailureKind.UNREACHABLE:
            return 0.0  # a health check shows when this ends
        if kind is FailureKind.UNAUTHORISED:
            return settings.recheck_key
        if kind is FailureKind.UNRESPONSIVE and not self.takes_canary_requests:
            longest = max(settings.cooldown, settings.hang_cooldown_cap)
            return float(min(settings.cooldown * 2 ** min(self.hangs - 1, 16), longest))
        return settings.cooldown
