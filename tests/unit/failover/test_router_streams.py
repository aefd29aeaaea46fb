"""Streams that break, before their first token and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.failover.stream_guard import StreamCutError
from unit.failover.router_stack import FALLBACK, FAST, ONE, PROVIDERS, TWO, stack
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_cut_before_its_first_token_falls_back(run: Run, provider: str) -> None:
    """Nothing of the broken stream reaches the caller."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            made.primary.default = Reply(cut_after=0)
            made.second.default = Reply("zwei")
            assert await made.text(stream=True) == "zwei "
            assert made.outcomes()[-1] == FALLBACK

    run(test())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_cut_after_its_first_token_is_an_error(run: Run, provider: str) -> None:
    """A stream that just ends is never taken for a whole answer."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            made.primary.default = Reply("eins zwei drei", cut_after=2)
            response = await made.ask(stream=True)
            received: list[str | None] = []

            async def read() -> None:
                async for chunk in response:
                    received.append(chunk.choices[0].delta.content)  # noqa: PERF401 -- it breaks

            with pytest.raises(StreamCutError):
                await read()
            assert "".join(filter(None, received)) == "eins zwei "
            assert made.outcomes() == [(ONE, "unreachable")]

    run(test())


def test_a_stream_that_litellm_opens_late_fails_in_the_record_too(run: Run) -> None:
    """Gemini's streams are opened after LiteLLM's hooks: their failures count all the same."""

    async def test() -> None:
        async with stack(provider="gemini") as made:
            made.primary.models_status = 500
            made.second.default = Reply("zwei")
            assert await made.text(stream=True) == "zwei "
            assert made.outcomes() == [(ONE, "failing"), (ONE, "failing"), FALLBACK]
            assert made.condition("primary") == ["down"]

    run(test())


def test_a_stream_broken_before_its_first_token_goes_to_the_twin(run: Run) -> None:
    """Such an attempt has failed like any other: it is retried, and counted where it happened."""

    async def test() -> None:
        async with stack(FAST.model_copy(update={"cooldown": 30}), twins=True) as made:
            made.primary.default = Reply(broken=0)
            made.router.num_retries = 2  # the shuffle may choose the broken one twice in a row
            for _ in range(40):
                assert await made.text(stream=True)
            assert len(made.primary.asked) == 2  # one is allowed, the second was one too many
            assert made.condition("primary") == ["down", "up"]

    run(test())


def test_a_stream_is_known_before_its_first_chunk_is_read(run: Run) -> None:
    """Who answers is settled when the response headers are sent."""

    async def test() -> None:
        async with stack() as made:
            made.primary.default = Reply(cut_after=0)
            response = await made.ask(stream=True)
            assert made.outcomes()[-1] == FALLBACK
            assert response._hidden_params["model_id"] == TWO
            await response.aclose()

    run(test())
