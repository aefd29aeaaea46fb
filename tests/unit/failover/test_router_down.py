"""Deployments that fail, stay out of use, and come back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from unit.failover.router_stack import FALLBACK, FAST, KEY, ONE, PROVIDERS, TIMEOUT, stack, until
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
def test_only_the_first_request_finds_out_that_it_is_dead(
    run: Run, provider: str, *, stream: bool
) -> None:
    """One refused connection, no retry; the next requests go straight to the fallback."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            await made.primary.stop()
            assert await made.text(stream=stream)
            assert made.outcomes() == [(ONE, "unreachable"), FALLBACK]
            for _ in range(5):
                await made.text(stream=stream)
                assert made.outcomes() == [FALLBACK]

    run(test())


def test_it_is_back_in_use_by_itself(run: Run) -> None:
    """A probe finds the recovered deployment; no request fails on it, and it is told in the log."""

    async def test() -> None:
        async with stack(provider="ollama_chat") as made:
            await made.primary.stop()
            await made.text()
            await made.primary.start()
            await made.until_up("primary")
            await made.text()
            assert made.outcomes() == [(ONE, "answered")]
            assert set(made.primary.probed) == {"/api/tags"}
            assert "out of use" in made.said[0]
            assert "back in use" in made.said[1]

    run(test())


def test_a_cooldown_ends_on_time(run: Run) -> None:
    """A deployment that hung is looked at when its time is up, however rarely probes are made."""

    async def test() -> None:
        seldom = FAST.model_copy(update={"probe_interval": 3600, "cooldown": 0.2})
        async with stack(seldom) as made:
            made.primary.replies = [Reply(hang=True)]
            await made.text()
            await made.until_up("primary")

    run(test())


def test_nothing_is_probed_while_all_are_up(run: Run) -> None:
    """A healthy provider gets no request that nobody made."""

    async def test() -> None:
        async with stack() as made:
            await made.text()
            await asyncio.sleep(3 * FAST.probe_interval)
            assert made.primary.probed == []

    run(test())


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(reset=True), "unreachable"),
        (Reply(hang=True), "unresponsive"),
        (Reply(status=503, headers={"retry-after": "30"}), "failing"),
        (Reply(status=429, headers={"retry-after": "30"}), "limited"),
        (Reply(status=401), "unauthorised"),
        (Reply(status=403), "unauthorised"),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_sick_deployment_is_asked_once_and_then_left_alone(
    run: Run, provider: str, reply: Reply, outcome: str, *, stream: bool
) -> None:
    """Each kind of failure that is the deployment's costs one attempt, and no retry."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            made.primary.default = reply
            made.primary.models_status = 500
            await made.text(stream=stream)
            assert made.outcomes() == [(ONE, outcome), FALLBACK]
            await made.text(stream=stream)
            assert made.outcomes() == [FALLBACK]
            assert len(made.primary.asked) == 1

    run(test())


def test_server_errors_are_retried_as_often_as_set(run: Run) -> None:
    """With one fail allowed and one retry, the second 500 in a row ends it."""

    async def test() -> None:
        async with stack() as made:
            made.primary.default = Reply(status=500)
            made.primary.models_status = 500
            await made.text()
            assert made.outcomes() == [(ONE, "failing"), (ONE, "failing"), FALLBACK]
            await made.text()
            assert made.outcomes() == [FALLBACK]

    run(test())


def test_one_server_error_is_retried_with_success(run: Run) -> None:
    """A single 500 is not the end of a deployment, and needs no fallback."""

    async def test() -> None:
        async with stack() as made:
            for stream in (False, False, True, True):  # each success forgives the failure
                made.primary.replies = [Reply(status=500)]
                await made.text(stream=stream)
                assert made.outcomes() == [(ONE, "failing"), (ONE, "answered")]

    run(test())


def test_litellms_own_cooldown_does_not_interfere(run: Run) -> None:
    """One policy decides: what LiteLLM would cool down after one failure stays in use here."""

    async def test() -> None:
        async with stack(twins=True) as made:
            made.router.allowed_fails = 0
            made.router.num_retries = 2  # both may fail in one request, as the shuffle has it
            made.primary.replies = [Reply(status=500)]
            made.second.replies = [Reply(status=500)]
            for _ in range(4):
                await made.text()
            cooled = made.router.cooldown_cache.get_active_cooldowns(
                model_ids=made.router.get_model_ids(), parent_otel_span=None
            )
            assert cooled == []

    run(test())


def test_retry_after_is_waited_for(run: Run) -> None:
    """A rate-limited deployment is asked again after its Retry-After, and not before."""

    async def test() -> None:
        async with stack() as made:
            made.primary.replies = [Reply(status=429, headers={"retry-after": "0.5"})]
            began = time.monotonic()
            await made.text()
            await made.until_up("primary")
            assert time.monotonic() - began >= 0.5
            await made.text()
            assert made.outcomes() == [(ONE, "answered")]

    run(test())


def test_a_refused_key_is_told_once_by_its_variable(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names the variable, never the key, and does not repeat itself."""
    monkeypatch.setenv("SOME_API_KEY", KEY)

    async def test() -> None:
        async with stack() as made:
            made.primary.default = Reply(status=401)
            for _ in range(3):  # its free endpoint lets the key pass, its chat does not
                await made.text()
                await made.until_up("primary")
            told = [line for line in made.said if "refused the key" in line]
            assert len(told) == 1
            assert "SOME_API_KEY" in told[0]
            assert KEY not in str(made.said) + str(made.failover.status())

    run(test())


def test_status_tells_who_is_out_of_use_and_why(run: Run) -> None:
    """The status holds every deployment, its condition and the reason."""

    async def test() -> None:
        async with stack() as made:
            made.primary.models_status = 401
            made.primary.default = Reply(status=401)
            await made.text()
            first, second = made.failover.status()
            assert (first["alias"], first["condition"]) == ("primary", "unauthorised")
            assert first["reason"] == "unauthorised (401)"
            assert (second["alias"], second["condition"]) == ("second", "up")

    run(test())


def test_a_hang_is_tried_again_by_one_request_only(run: Run) -> None:
    """Without probe calls, one request tries after a hang; others go to the fallback meanwhile."""

    async def test() -> None:
        async with stack(FAST.model_copy(update={"probe_calls": "off"})) as made:
            made.primary.default = Reply(hang=True)
            await made.text()
            await made.until_up("primary")
            began = time.monotonic()
            trial = asyncio.create_task(made.text())
            await until(lambda: made.condition("primary") == ["down"])
            await asyncio.gather(*(made.text() for _ in range(5)))
            assert time.monotonic() - began < TIMEOUT  # the trial still hangs
            await trial
            assert len(made.primary.asked) == 2

    run(test())


def test_rounds_of_death_and_recovery_all_look_the_same(run: Run) -> None:
    """Twenty times the same: one attempt is lost, then none, then it is back."""

    async def test() -> None:
        async with stack(provider="ollama_chat") as made:
            for _ in range(20):
                await made.primary.stop()
                seen = []
                for _ in range(3):
                    await made.text()
                    seen.append(made.outcomes())
                assert seen == [[(ONE, "unreachable"), FALLBACK], [FALLBACK], [FALLBACK]]
                await made.primary.start()
                await made.until_up("primary")
                await made.text()
                assert made.outcomes() == [(ONE, "answered")]

    run(test())
