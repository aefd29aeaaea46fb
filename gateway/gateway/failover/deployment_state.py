"""Whether one deployment is in use, and what brings it back: a state machine without a clock.

    up ──failure──▶ down / limited / unauthorised ──its time is up, and a free probe is good──▶ up

Of a failure that no free probe can see the end of (it hung, it answered 500s) the answer to a probe
call is the end. A deployment that gets none of these comes back on trial: the next failure puts it
out of use at once, whatever is allowed otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from gateway.failover.failure import Failure, FailureKind

if TYPE_CHECKING:
    from gateway.failover.settings import FailoverSettings


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
PROBES_CANNOT_SEE = frozenset({FailureKind.UNRESPONSIVE, FailureKind.FAILING, FailureKind.MISSING})


@dataclass
class DeploymentState:
    """The state of one deployment. Times are seconds of any one monotonic clock.

    Attributes:
        settings: of failover.
        takes_probe_calls: whether it is asked for a token, where a free probe is not enough.
        condition: how it is.
        failure: what put it out of use last.
        since: when its condition began.
        not_before: it is not used, nor probed, before this time.
        fails: failures in a row that were allowed so far.
        hangs: times that it hung in a row.
        on_trial: whether its next failure puts it out of use at once.
    """

    settings: FailoverSettings
    takes_probe_calls: bool = False
    condition: Condition = Condition.UP
    failure: Failure | None = None
    since: float = 0
    not_before: float = 0
    fails: int = 0
    hangs: int = 0
    on_trial: bool = False
    _last_success: float = field(default=float("-inf"), repr=False)

    @property
    def is_up(self) -> bool:
        """Whether it is asked."""
        return self.condition is Condition.UP

    def failed(self, failure: Failure, *, started: float, now: float) -> bool:
        """Takes note of a failed attempt; returns whether that put it out of use (again).

        Args:
            failure: what happened.
            started: when the attempt was made.
            now: the time.
        """
        if failure.kind is FailureKind.REQUEST:
            return False
        if failure.kind is FailureKind.UNRESPONSIVE and self._last_success >= started:
            return False  # it answered others meanwhile: that one request was too much for it
        if failure.kind is FailureKind.FAILING and failure.retry_after is None:
            self.fails += 1
            if self.fails <= self.settings.allowed_fails and not self.on_trial:
                return False
        self._put_out_of_use(failure, now)
        return True

    def succeeded(self, now: float) -> bool:
        """Takes note of an answer; returns whether that brought it back."""
        self._last_success = now
        self.fails = self.hangs = 0
        self.on_trial = False
        if self.condition is not Condition.DOWN:
            return False
        self._bring_back(now)
        return True

    def picked(self, now: float) -> bool:
        """Takes note that an attempt begins; returns whether others have to wait for its end.

        A deployment that hung before is tried by one request at a time, not by all that come.
        """
        if not (self.is_up and self.on_trial and self.hangs):
            return False
        self.condition = Condition.DOWN
        self.since = now
        self.not_before = now + self.settings.cooldown
        return True

    def wants_probe(self, now: float) -> bool:
        """Returns whether it is time to look whether it is back."""
        return not self.is_up and now >= self.not_before

    def probed(self, now: float, *, good: bool) -> bool:
        """Takes note of a probe; returns whether that brought it back."""
        if not good or not self.wants_probe(now):
            return False
        self.on_trial = self.failure is not None and self.failure.kind in PROBES_CANNOT_SEE
        self._bring_back(now)
        return True

    def probe_called(self, now: float) -> None:
        """Takes note that a probe call begins; the next begins a cooldown later, ended or not."""
        self.not_before = now + self.settings.cooldown

    def retry_in(self, now: float) -> float:
        """Returns the seconds until it can be back at the earliest."""
        if self.is_up:
            return 0
        return max(self.not_before - now, self.settings.probe_interval)

    def _bring_back(self, now: float) -> None:
        self.condition = Condition.UP
        self.since = self.not_before = now
        self.fails = 0

    def _put_out_of_use(self, failure: Failure, now: float) -> None:
        self.condition = CONDITIONS.get(failure.kind, Condition.DOWN)
        self.failure = failure
        self.since = now
        self.on_trial = False
        if failure.kind is FailureKind.UNRESPONSIVE:
            self.hangs += 1
        # Requests that began before may still report a shorter time than was already promised.
        self.not_before = max(self.not_before, now + self._pause(failure))

    def _pause(self, failure: Failure) -> float:
        settings = self.settings
        if failure.retry_after is not None and failure.kind is not FailureKind.UNAUTHORISED:
            return min(failure.retry_after, settings.retry_after_cap)
        match failure.kind:
            case FailureKind.UNREACHABLE:
                return 0  # a probe sees when this ends
            case FailureKind.UNAUTHORISED:
                return settings.recheck_key
            case FailureKind.UNRESPONSIVE if not self.takes_probe_calls:
                longest = max(settings.cooldown, settings.hang_cooldown_cap)
                return float(min(settings.cooldown * 2 ** min(self.hangs - 1, 16), longest))
            case _:
                return settings.cooldown
