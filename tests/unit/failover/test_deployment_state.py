"""The life of a deployment, with a clock that the test turns."""

from __future__ import annotations

import pytest

from gateway.failover.deployment_state import Condition, DeploymentState
from gateway.failover.failure import Failure, FailureKind
from gateway.failover.settings import FailoverSettings

SETTINGS = FailoverSettings(
    allowed_fails=2, cooldown=10, hang_cooldown_cap=60, retry_after_cap=100, recheck_key=30
)
REFUSED = Failure(FailureKind.UNREACHABLE)
HUNG = Failure(FailureKind.UNRESPONSIVE)
ERROR = Failure(FailureKind.FAILING, 500)


@pytest.fixture
def state() -> DeploymentState:
    """A deployment that is up at time 0."""
    return DeploymentState(SETTINGS)


def test_a_refused_connection_puts_it_out_of_use_at_once(state: DeploymentState) -> None:
    """The first refused connection is proof enough."""
    assert state.failed(REFUSED, started=0, now=1)
    assert state.condition is Condition.DOWN


def test_a_probe_brings_back_what_was_unreachable_at_once(state: DeploymentState) -> None:
    """What a probe can see the end of waits for nothing else."""
    state.failed(REFUSED, started=0, now=1)
    assert state.probed(1.1, good=True)
    assert state.is_up


def test_a_bad_probe_changes_nothing(state: DeploymentState) -> None:
    """A deployment stays out of use as long as its probe fails."""
    state.failed(REFUSED, started=0, now=1)
    assert not state.probed(100, good=False)
    assert not state.is_up


def test_server_errors_are_allowed_up_to_the_limit(state: DeploymentState) -> None:
    """With two fails allowed, the third 500 in a row puts it out of use."""
    assert not state.failed(ERROR, started=0, now=1)
    assert not state.failed(ERROR, started=1, now=2)
    assert state.failed(ERROR, started=2, now=3)


def test_an_answer_forgives_earlier_errors(state: DeploymentState) -> None:
    """Only errors in a row count."""
    for now in (1, 2):
        state.failed(ERROR, started=0, now=now)
    state.succeeded(3)
    assert not state.failed(ERROR, started=3, now=4)


def test_after_errors_it_comes_back_on_trial(state: DeploymentState) -> None:
    """The first error after coming back puts it out of use again, whatever is allowed."""
    for now in (1, 2, 3):
        state.failed(ERROR, started=0, now=now)
    assert not state.probed(12.9, good=True)
    assert state.probed(13, good=True)
    assert state.failed(ERROR, started=14, now=14)


def test_an_answer_ends_the_trial(state: DeploymentState) -> None:
    """One good answer restores the full allowance."""
    for now in (1, 2, 3):
        state.failed(ERROR, started=0, now=now)
    state.probed(13, good=True)
    state.succeeded(14)
    assert not state.failed(ERROR, started=15, now=15)


def test_a_server_error_with_retry_after_is_believed_at_once(state: DeploymentState) -> None:
    """A 503 that says when to come back is not asked before that."""
    assert state.failed(Failure(FailureKind.FAILING, 503, 20), started=0, now=1)
    assert not state.probed(20.9, good=True)
    assert state.probed(21, good=True)


def test_a_hang_puts_it_out_of_use_for_longer_each_time(state: DeploymentState) -> None:
    """A deployment that hangs again waits 10, 20, 40, then the 60 s that are the most."""
    now = 0.0
    for pause in (10, 20, 40, 60, 60):
        state.failed(HUNG, started=now, now=now)
        assert not state.probed(now + pause - 1, good=True)
        now += pause
        assert state.probed(now, good=True)


def test_a_timeout_while_others_were_answered_proves_nothing(state: DeploymentState) -> None:
    """A request too long for its time limit does not stop those that are short enough."""
    state.succeeded(5)
    assert not state.failed(HUNG, started=4, now=6)
    assert state.failed(HUNG, started=6, now=8)


def test_after_a_hang_one_request_at_a_time_tries_it(state: DeploymentState) -> None:
    """While the one that tries waits, the others are sent elsewhere."""
    state.failed(HUNG, started=0, now=1)
    state.probed(11, good=True)
    assert state.picked(12)
    assert not state.is_up
    assert state.succeeded(13)
    assert not state.picked(14)


def test_a_trial_without_an_end_does_not_keep_it_out_for_good(state: DeploymentState) -> None:
    """When the one that tries goes away, a probe brings it back on trial again."""
    state.failed(HUNG, started=0, now=1)
    state.probed(11, good=True)
    state.picked(12)
    assert not state.probed(21, good=True)
    assert state.probed(22, good=True)
    assert state.on_trial


def test_retry_after_is_honoured(state: DeploymentState) -> None:
    """A deployment over its rate limit is back when its Retry-After is over, not before."""
    state.failed(Failure(FailureKind.LIMITED, 429, 42), started=0, now=1)
    assert state.condition is Condition.LIMITED
    assert not state.probed(42.9, good=True)
    assert state.probed(43, good=True)


def test_a_later_answer_does_not_end_a_rate_limit(state: DeploymentState) -> None:
    """An answer to a request that was under way does not undo Retry-After."""
    state.failed(Failure(FailureKind.LIMITED, 429, 42), started=0, now=1)
    assert not state.succeeded(2)
    assert not state.is_up


def test_a_later_limit_does_not_shorten_an_earlier_one(state: DeploymentState) -> None:
    """Two requests that were limited together wait for the longer time."""
    state.failed(Failure(FailureKind.LIMITED, 429, 42), started=0, now=1)
    state.failed(Failure(FailureKind.LIMITED, 429, 1), started=0, now=2)
    assert not state.wants_probe(42)


@pytest.mark.parametrize(("asked", "waited"), [(None, 10), (99999, 100)])
def test_a_limit_without_or_with_an_absurd_time(
    state: DeploymentState, asked: float | None, waited: float
) -> None:
    """Without Retry-After the cooldown holds; no time beyond the cap is believed."""
    state.failed(Failure(FailureKind.LIMITED, 429, asked), started=0, now=0)
    assert state.retry_in(0) == waited


def test_a_refused_key_is_looked_at_seldom(state: DeploymentState) -> None:
    """A provider that refused the key is not bothered with it before half a minute is over."""
    state.failed(Failure(FailureKind.UNAUTHORISED, 401), started=0, now=0)
    assert state.condition is Condition.UNAUTHORISED
    assert not state.wants_probe(29)
    assert state.wants_probe(30)


def test_the_requests_own_fault_leaves_it_up(state: DeploymentState) -> None:
    """However many bad requests come, the deployment stays in use."""
    for now in range(10):
        assert not state.failed(Failure(FailureKind.REQUEST, 400), started=now, now=now)
    assert state.is_up


def test_an_answer_brings_back_what_was_down(state: DeploymentState) -> None:
    """A request that was under way and is answered after all is better than any probe."""
    state.failed(REFUSED, started=0, now=1)
    assert state.succeeded(2)
    assert state.is_up
