"""The failover matrix: each kind of failure, alone, backed and all down, plain and streamed."""

from __future__ import annotations

import pytest

from gateway.errors import GatewayError, UnavailableError
from gateway.request import Controls
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.settings import FailoverSettings
from unit.routing import fakes
from unit.routing.fakes import Cut, deployment, routing

ONCE = {
    "unreachable": fakes.DEAD,
    "unresponsive": fakes.SILENT,
    "limited": fakes.LIMITED,
    "unauthorised": fakes.UNAUTHORISED,
    "missing": fakes.MISSING,
    "failing": Failure(FailureKind.FAILING, 503, 30.0),
}
"""Failures that put a deployment in cooldown at once."""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no retry."""
    monkeypatch.setattr("gateway.routing.retries.RetryRules.pause_for_room", lambda *_: 0.0)
    monkeypatch.setattr("gateway.routing.retries.MAX_RETRY_AFTER", 0.0)


@pytest.mark.parametrize("outcome", ONCE)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_sick_deployment_is_asked_once_and_then_left_alone(
    outcome: str, *, stream: bool
) -> None:
    """A failing deployment costs one attempt, and later requests go straight to the fallback."""
    settings = FailoverSettings(cooldown=30, recheck_key=30, health_check_interval=30)
    async with routing(settings=settings) as made:
        made.provider.default["first"] = ONCE[outcome]
        assert await made.text(stream=stream) == "fine"
        assert made.outcomes() == [("first", outcome), ("second", "answered")]
        for _ in range(3):
            assert await made.text(stream=stream) == "fine"
            assert made.outcomes() == [("second", "answered")]


@pytest.mark.parametrize("stream", [False, True])
async def test_server_errors_are_retried_as_often_as_set(*, stream: bool) -> None:
    """With one server error allowed, a second in a row ends the retries with a cooldown."""
    settings = FailoverSettings(allowed_fails=1, cooldown=30)
    async with routing(settings=settings) as made:
        made.provider.default["first"] = fakes.ERROR
        await made.text(stream=stream)
        assert made.outcomes() == [("first", "failing")] * 2 + [("second", "answered")]
        await made.text(stream=stream)
        assert made.outcomes() == [("second", "answered")]


async def test_one_server_error_is_retried_with_success() -> None:
    """A single server error is retried, and the answer that follows makes up for it."""
    async with routing() as made:
        for _ in range(4):
            made.provider.script["first"] = [fakes.ERROR]
            await made.text()
            assert made.outcomes() == [("first", "failing"), ("first", "answered")]


@pytest.mark.parametrize(
    ("failure", "status", "wait"),
    [
        (fakes.DEAD, 503, 1),
        (fakes.SILENT, 503, 30),
        (fakes.LIMITED, 429, 30),
        (fakes.UNAUTHORISED, 503, 60),
        (Failure(FailureKind.FAILING, 503, 7.0), 503, 7),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_with_everybody_down_the_error_says_when_to_return(
    failure: Failure, status: int, wait: int, *, stream: bool
) -> None:
    """With every deployment down, the error says at once why, and when to try again."""
    settings = FailoverSettings(cooldown=30, health_check_interval=1)
    async with routing(settings=settings) as made:
        made.provider.default.update(first=failure, second=failure)
        for attempts in (2, 0):
            with pytest.raises(GatewayError) as told:
                await made.ask(stream=stream)
            assert told.value.status == status
            assert told.value.retry_after == wait
            assert told.value.message == (
                f"no model is available for first, try again in {wait} s "
                f"(first: {failure}; second: {failure})"
            )
            assert made.last is not None
            assert len(made.last.attempts) == attempts


async def test_an_error_that_is_still_allowed_is_worth_another_try() -> None:
    """A server error that begins no cooldown gives 503, to be tried again in a second."""
    async with routing(deployment("first"), num_retries=0) as made:
        made.provider.default["first"] = fakes.ERROR
        with pytest.raises(GatewayError) as told:
            await made.ask()
        assert (told.value.status, told.value.retry_after) == (503, 1)
        assert told.value.message == (
            "no model answered for first, try again in 1 s (first: failing (500))"
        )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_stream_cut_before_its_first_token_falls_back(*, stream: bool) -> None:
    """An answer cut before its first token falls back, and none of it reaches the caller."""
    async with routing() as made:
        made.provider.default["first"] = Cut("")
        made.provider.default["second"] = "zwei"
        assert await made.text(stream=stream) == "zwei"
        assert made.outcomes() == [("first", "unreachable"), ("second", "answered")]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_request_is_the_callers_and_leaves_every_deployment_in_use(
    *, stream: bool
) -> None:
    """A request that its provider refuses gets that 400, and the deployment stays in use."""
    async with routing() as made:
        made.provider.default.update(first=fakes.BAD, second=fakes.DEAD)
        for _ in range(5):
            with pytest.raises(GatewayError) as told:
                await made.ask(stream=stream)
            error = told.value
            assert (error.status, error.param, error.retry_after) == (400, "top_q", None)
            assert error.message == "no such parameter"
        assert made.condition("first") == "up"


async def test_the_fallbacks_refusal_is_told_rather_than_the_first_ones_absence() -> None:
    """If the fallback refuses the request itself, the caller gets that error."""
    async with routing() as made:
        made.provider.default.update(first=fakes.DEAD, second=fakes.BAD)
        with pytest.raises(GatewayError, match="no such parameter") as told:
            await made.ask()
        assert told.value.status == 400


async def test_a_bug_in_a_provider_is_nobodys_fault() -> None:
    """An unexpected exception in a provider falls back, and its deployment stays in use."""
    async with routing() as made:
        made.provider.script["first"] = [ValueError("bug")]
        assert await made.text() == "fine"
        assert made.outcomes() == [("first", "request"), ("second", "answered")]
        assert made.condition("first") == "up"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_part_of_the_gateway_that_is_away_is_nobodys_fault(
    caplog: pytest.LogCaptureFixture, *, stream: bool
) -> None:
    """If the worker is away, a fallback answers or the caller hears why, without a cooldown."""
    absent = UnavailableError("the worker is starting", retry_after=5)

    async with routing() as made:
        made.provider.script.update(first=[absent, absent], second=[absent])
        with pytest.raises(UnavailableError, match="the worker is starting") as told:
            await made.ask(stream=stream)
        assert (told.value.status, told.value.retry_after) == (503, 5)
        assert await made.text(stream=stream) == "fine"
        assert made.outcomes() == [("first", "request"), ("second", "answered")]
        assert made.condition("first") == "up"
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_callers_own_short_timeout_blames_nobody(*, stream: bool) -> None:
    """A deployment that misses a caller's own short timeout gives 408 and stays in use."""
    async with routing(deployment("first")) as made:
        made.provider.default["first"] = fakes.SILENT
        for _ in range(3):
            with pytest.raises(GatewayError) as told:
                await made.ask(stream=stream, controls=Controls(timeout=1.0))
            assert told.value.status == 408
            assert made.outcomes() == [("first", "request")] * 2
        assert made.condition("first") == "up"
        assert {each.answer for _, _, each in made.provider.asked} == {1.0}


async def test_a_callers_timeout_can_only_shorten() -> None:
    """A caller's timeout longer than the configured one is ignored, and a hang still counts."""
    async with routing(timeout=7.0) as made:
        made.provider.default["first"] = fakes.SILENT
        await made.ask(controls=Controls(timeout=9.0))
        assert made.provider.asked[0][2].answer == 7.0
        assert made.condition("first") == "down"


async def test_a_deployment_has_its_own_timeouts() -> None:
    """A deployment's own timeouts, for streams and plain answers, win over the router's."""
    one = deployment("first", timeout=3.0, stream_timeout=4.0)
    async with routing(one, deployment("second"), timeout=8.0, stream_timeout=9.0) as made:
        for alias in ("first", "second"):
            for stream in (False, True):
                await made.text(alias, stream=stream)
        assert [each.answer for _, _, each in made.provider.asked] == [3.0, 4.0, 8.0, 9.0]
