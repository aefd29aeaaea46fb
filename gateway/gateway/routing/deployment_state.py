"""Whether one deployment is in use, and what brings it back: a state machine without a clock.

    up ──failure──▶ down / limited / unauthorised ──its time is up, and a health check is good──▶ up

Of a failure that no health check can see the end of (it hung, it answered 500s) the answer to a
canary request is the end. A deployment that gets no canary requests comes back on trial: its next
failure puts it in cooldown at once, whatever is allowed otherwise.
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
    """How a deployment is; only one that is up is asked."""

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
"""What only a real request shows the end of: a list of models is answered by other machines."""


@dataclass(slots=True)
class DeploymentState:
    """The state of one deployment. Times are seconds of any one monotonic clock.

    Attributes:
        settings: of failover.
        takes_canary_requests: whether it is asked for a token, where a health check is not enough.
        condition: how it is.
        failure: what put it in cooldown last.
        since: when its condition began.
        not_before: it is not used, nor checked, before this time.
        fails: failures in a row that were allowed so far.
        hangs: times that it hung in a row.
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
        """Whether it is not asked."""
        return self.condition is not Condition.UP

    def record_failure(self, failure: Failure, *, started: float, now: float) -> bool:
        """Record a failed attempt and return whether it began, or prolonged, a cooldown.

        Args:
            failure: what happened.
            started: when the attempt was made.
            now: the time.
        """
        if failure.kind is FailureKind.REQUEST:
            return False
        if failure.kind is FailureKind.UNRESPONSIVE and self.last_success >= started:
            return False  # it answered others meanwhile: that one request was too much for it
        if failure.kind is FailureKind.FAILING and failure.retry_after is None:
            self.fails += 1
            if self.fails <= self.settings.allowed_fails and not self.on_trial:
                return False
        self._begin_cooldown(failure, now)
        return True

    def record_success(self, now: float) -> bool:
        """Record an answer and return whether it ended a cooldown."""
        self.last_success = now
        self.fails = self.hangs = 0
        self.on_trial = False
        if self.condition is not Condition.DOWN:
            return False
        self._end_cooldown(now)
        return True

    def hear_of_cooldown(self, failure: Failure, *, seconds: float, now: float) -> None:
        """Record that another gateway has it in cooldown, for so many seconds at least."""
        if not self.in_cooldown:
            self.since = now
        self.condition = CONDITIONS.get(failure.kind, Condition.DOWN)
        self.failure = failure
        self.on_trial = False
        self.not_before = max(self.not_before, now + seconds)

    def hear_of_end(self, now: float) -> bool:
        """Record that another gateway has found it to be back; return whether that is news.

        Whether it can be reached from here only a check from here tells.
        """
        if not self.in_cooldown or self.failure is None:
            return False
        if self.failure.kind is FailureKind.UNREACHABLE:
            return False
        self.on_trial = self.failure.kind in UNSEEN_BY_HEALTH_CHECKS
        self._end_cooldown(now)
        return True

    def begin_attempt(self, now: float) -> bool:
        """Record that an attempt begins and return whether others have to wait for its end.

        A deployment that hung before is tried by one request at a time, not by all that come.
        """
        if not (self.on_trial and self.hangs and self.condition is Condition.UP):
            return False
        self.condition = Condition.DOWN
        self.since = now
        self.not_before = now + self.settings.cooldown
        return True

    def is_due(self, now: float) -> bool:
        """Return whether it is time to check whether it is back."""
        return self.in_cooldown and now >= self.not_before

    def record_health_check(self, now: float, *, good: bool) -> bool:
        """Record a health check and return whether it ended the cooldown."""
        if not good or not self.is_due(now):
            return False
        self.on_trial = self.failure is not None and self.failure.kind in UNSEEN_BY_HEALTH_CHECKS
        self._end_cooldown(now)
        return True

    def begin_canary_request(self, now: float) -> None:
        """Record that a canary request begins; the next begins a cooldown later, ended or not."""
        self.not_before = now + self.settings.cooldown

    def retry_in(self, now: float) -> float:
        """Return the seconds until it can be back at the earliest."""
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
        # Requests that began before may still report a shorter time than was already promised.
        self.not_before = max(self.not_before, now + self._pause(failure))

    def _pause(self, failure: Failure) -> float:
        """Return the seconds that the deployment is left alone after a failure."""
        settings = self.settings
        kind = failure.kind
        if failure.retry_after is not None and kind is not FailureKind.UNAUTHORISED:
            return min(failure.retry_after, settings.retry_after_cap)
        if kind is FailureKind.UNREACHABLE:
            return 0.0  # a health check sees when this ends
        if kind is FailureKind.UNAUTHORISED:
            return settings.recheck_key
        if kind is FailureKind.UNRESPONSIVE and not self.takes_canary_requests:
            longest = max(settings.cooldown, settings.hang_cooldown_cap)
            return float(min(settings.cooldown * 2 ** min(self.hangs - 1, 16), longest))
        return settings.cooldown
