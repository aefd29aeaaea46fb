"""The life of a deployment, with a clock that the test turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.deployment_state import Condition, DeploymentState
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.settings import FailoverSettings
from unit.routing.fakes import DEAD, ERROR, SILENT, UNAUTHORISED

SETTINGS = FailoverSettings(
    allowed_fails=2, cooldown=10, hang_cooldown_cap=60, retry_after_cap=100, recheck_key=30
)


@pytest.fixture
def state() -> DeploymentState:
    """Return a deployment that is up at time 0."""
    return DeploymentState(SETTINGS)


def test_a_refused_connection_is_a_cooldown_that_a_health_check_ends(
    state: DeploymentState,
) -> None:
    """A refused connection begins a cooldown at once, and a good health check ends it."""
    assert state.record_failure(DEAD, started=0, now=1)
    assert state.condition is Condition.DOWN
    assert not state.record_health_check(1.1, healthy=False)
    assert state.record_health_check(1.2, healthy=True)
    assert not state.in_cooldown


def test_server_errors_in_a_row_are_allowed_up_to_the_limit(state: DeploymentState) -> None:
    """Server errors in a row are allowed up to a limit, and an answer starts the count again."""
    assert [state.record_failure(ERROR, started=0, now=now) for now in (1, 2)] == [False, False]
    state.record_success(3)
    results = [state.record_failure(ERROR, started=3, now=now) for now in (4, 5, 6)]
    assert results == [False, False, True]


def test_after_errors_it_comes_back_on_trial(state: DeploymentState) -> None:
    """A deployment back from server errors goes down at the next one until it has answered."""
    for now in (1, 2, 3):
        state.record_failure(ERROR, started=0, now=now)
    assert not state.record_health_check(12.9, healthy=True)
    assert state.record_health_check(13, healthy=True)
    assert state.record_failure(ERROR, started=14, now=14)
    assert state.record_health_check(24, healthy=True)
    state.record_success(25)
    assert not state.record_failure(ERROR, started=26, now=26)


def test_a_hang_is_a_longer_cooldown_each_time(state: DeploymentState) -> None:
    """Each hang in a row doubles the cooldown: 10, 20, 40, then 60 seconds at most."""
    now = 0.0
    for pause in (10, 20, 40, 60, 60):
        state.record_failure(SILENT, started=now, now=now)
        assert not state.record_health_check(now + pause - 1, healthy=True)
        now += pause
        assert state.record_health_check(now, healthy=True)


def test_a_timeout_while_others_were_answered_proves_nothing(state: DeploymentState) -> None:
    """A timeout begins no cooldown if another request was answered meanwhile."""
    state.record_success(5)
    assert not state.record_failure(SILENT, started=4, now=6)
    assert state.record_failure(SILENT, started=6, now=8)


def test_after_a_hang_one_request_at_a_time_tries_it(state: DeploymentState) -> None:
    """A deployment that hung gets one trial request at a time until one is answered."""
    state.record_failure(SILENT, started=0, now=1)
    state.record_health_check(11, healthy=True)
    assert state.begin_attempt(12)
    assert state.in_cooldown
    assert not state.record_health_check(21, healthy=True)
    assert state.record_health_check(22, healthy=True)
    assert state.on_trial
    assert state.begin_attempt(23)
    assert state.record_success(24)
    assert not state.begin_attempt(25)


def test_retry_after_is_honoured_and_not_shortened(state: DeploymentState) -> None:
    """A later and shorter rate limit, or a late answer, does not shorten a Retry-After."""
    state.record_failure(Failure(FailureKind.LIMITED, 429, 42), started=0, now=1)
    assert state.condition is Condition.LIMITED
    state.record_failure(Failure(FailureKind.LIMITED, 429, 1), started=0, now=2)
    assert not state.record_success(3)
    assert not state.record_health_check(42.9, healthy=True)
    assert state.record_health_check(43, healthy=True)


@pytest.mark.parametrize(("asked", "waited"), [(None, 10), (99999, 100)])
def test_a_limit_without_or_with_an_absurd_time(
    state: DeploymentState, asked: float | None, waited: float
) -> None:
    """A rate limit without Retry-After gets the usual cooldown, an absurd one the cap."""
    state.record_failure(Failure(FailureKind.LIMITED, 429, asked), started=0, now=0)
    assert state.retry_in(0) == waited


def test_a_refused_key_is_checked_seldom(state: DeploymentState) -> None:
    """A deployment whose key was refused is not checked again before half a minute is over."""
    state.record_failure(UNAUTHORISED, started=0, now=0)
    assert state.condition is Condition.UNAUTHORISED
    assert not state.is_due(29)
    assert state.is_due(30)


FAILURES = st.builds(
    Failure,
    st.sampled_from(FailureKind),
    st.just(None),
    st.none() | st.floats(0, 1e6, allow_nan=False),
)
EVENTS = st.tuples(
    st.sampled_from(["fail", "ok", "begin", "check", "canary"]), FAILURES, st.floats(0, 50)
)


@given(st.lists(EVENTS, max_size=40), st.booleans())
def test_whatever_happens_it_keeps_to_its_rules(
    events: list[tuple[str, Failure, float]],
    canaries: bool,
) -> None:
    """Only failures begin a cooldown, none is longer than allowed, and each can be ended."""
    state = DeploymentState(SETTINGS, canaries)
    now = 0.0
    for what, failure, step in events:
        now += step
        was = (state.in_cooldown, state.not_before)
        if what == "fail":
            changed = state.record_failure(failure, started=now, now=now)
            assert not changed or state.in_cooldown
            if failure.kind is FailureKind.REQUEST:
                assert (state.in_cooldown, state.not_before) == was
            if changed:
                assert state.not_before >= was[1]
        elif what == "ok":
            state.record_success(now)
            assert state.fails == state.hangs == 0
        elif what == "begin":
            state.begin_attempt(now)
        elif what == "check":
            state.record_health_check(now, healthy=True)
            assert not (was[0] and now >= was[1]) or not state.in_cooldown
        elif state.is_due(now):
            state.begin_canary_request(now)
        assert state.not_before - now <= SETTINGS.retry_after_cap + 1e-6
        assert state.retry_in(now) >= 0
        assert state.in_cooldown or state.retry_in(now) == 0
    later = max(now, state.not_before)
    state.record_health_check(later, healthy=True)
    assert not state.in_cooldown
