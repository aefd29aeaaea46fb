"""Streams: begun before the caller sees them, billed for what was produced, never cut short."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.request import Controls
from gateway.routing.failure import AttemptFailedError
from unit.routing import fakes
from unit.routing.fakes import Cut, Hang, deployment, routing, until


async def test_a_stream_is_known_before_its_first_chunk_is_read() -> None:
    """Which deployment answers a stream is settled before the caller reads a chunk."""
    async with routing() as made:
        made.provider.default["first"] = Cut("")
        answer = await made.ask(stream=True)
        assert answer.attempt.deployment.id == "second"
        assert answer.attempt.first_token is not None
        assert answer.attempt.ended is None
        assert answer.stream is not None
        assert answer.stream.headers == {"x-request-id": "req-1"}
        await answer.stream.close()


async def test_every_chunk_reaches_the_caller_in_order() -> None:
    """Every chunk of a stream reaches the caller in order, and the attempt ends with the last."""
    async with routing() as made:
        made.provider.default["first"] = "eins zwei drei"
        assert await made.text(stream=True) == "eins zwei drei"
        assert made.last is not None
        attempt = made.last.attempts[0]
        assert (attempt.outcome, attempt.response_id) == ("answered", "id-1")
        assert attempt.ended is not None
        assert attempt.bill is not None
        assert attempt.bill.usage.total == 13


async def test_a_stream_without_a_token_is_an_answer_when_it_ends_well() -> None:
    """A stream without a token is a whole answer if it ends with a finish_reason."""
    async with routing() as made:
        made.provider.default["first"] = ""
        assert await made.text(stream=True) == ""
        assert made.outcomes() == [("first", "answered")]


async def test_a_stream_cut_after_its_first_token_is_an_error() -> None:
    """A stream cut after its first token is an error, a cooldown, and billed for its tokens."""
    async with routing() as made:
        made.provider.default["first"] = Cut("eins zwei")
        answer = await made.ask(stream=True)
        received: list[str] = []

        async def read() -> None:
            assert answer.stream is not None
            async for chunk in answer.stream:
                received.append(chunk["choices"][0]["delta"].get("content", ""))  # noqa: PERF401 -- it breaks

        with pytest.raises(AttemptFailedError):
            await read()
        assert "".join(received) == "eins zwei "
        assert made.outcomes() == [("first", "unreachable")]
        assert made.condition("first") == "down"
        assert answer.attempt.bill is not None
        assert answer.attempt.bill.usage.completion == 2


async def test_a_failure_before_the_first_token_costs_nothing() -> None:
    """A stream that fails before its first token is not billed."""
    async with routing() as made:
        made.provider.default["first"] = Cut("")
        await made.text(stream=True)
        assert made.last is not None
        assert made.last.attempts[0].bill is None


async def test_silence_under_the_callers_own_timeout_blames_nobody() -> None:
    """Silence between two tokens that only a caller's timeout ends is 408 and no cooldown."""
    async with routing() as made:
        made.provider.default["first"] = Cut("eins", fakes.SILENT)
        answer = await made.ask(stream=True, controls=Controls(timeout=0.5))
        assert answer.stream is not None
        with pytest.raises(AttemptFailedError) as told:
            [chunk async for chunk in answer.stream]
        assert told.value.failure.status == 408
        assert made.condition("first") == "up"


async def test_a_caller_that_leaves_is_billed_for_what_was_produced() -> None:
    """A caller that leaves a stream is billed for what was produced, and the stream is closed."""
    async with routing() as made:
        made.provider.default["first"] = "eins zwei drei vier"
        answer = await made.ask(stream=True)
        assert answer.stream is not None
        await answer.stream.__anext__()
        await answer.stream.close()
        await answer.stream.close()
        assert made.provider.streams[0].closed
        assert (answer.attempt.failure, answer.attempt.ended is None) == (None, False)
        assert answer.attempt.bill is not None
        assert answer.attempt.bill.usage.completion == 1
        assert made.condition("first") == "up"
        assert [chunk async for chunk in answer.stream] == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_that_leaves_before_an_answer_changes_nothing(*, stream: bool) -> None:
    """A caller that leaves before an answer causes no failure, no bill and no fallback."""
    async with routing() as made:
        made.provider.default["first"] = Hang()
        asking = asyncio.create_task(made.ask(stream=stream))
        await until(lambda: made.provider.calls("first") == 1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert made.last is not None
        attempt = made.last.attempts[0]
        assert (attempt.failure, attempt.bill) == (None, None)
        assert attempt.ended is not None
        assert made.condition("first") == "up"
        assert made.provider.calls("second") == 0
        tracked = made.router._groups["first"].deployments[0]
        assert tracked.load.in_flight == 0


async def test_a_cancelled_read_closes_the_providers_stream() -> None:
    """Cancelling the read of a stream closes it at the provider and is no failure."""
    async with routing() as made:
        answer = await made.ask(stream=True)
        assert answer.stream is not None
        stream = answer.stream
        await stream.__anext__()
        await stream.__anext__()
        made.provider.streams[0]._chunks.clear()
        read = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0)
        read.cancel()
        with pytest.raises(asyncio.CancelledError):
            await read
        assert made.provider.streams[0].closed
        assert answer.attempt.failure is None
        assert answer.attempt.bill is not None


async def usage_of(*deployments: Any, **changes: Any) -> dict[str, Any]:
    """Return the usage that ends a stream."""
    async with routing(*deployments) as made:
        asked = {"stream_options": {"include_usage": True}, **changes}
        answer = await made.ask(stream=True, **asked)
        assert answer.stream is not None
        found = [c["usage"] async for c in answer.stream if c.get("usage")]
        assert len(found) == 1
        return dict(found[0])


async def test_the_usage_of_a_stream_holds_its_cost() -> None:
    """The usage that ends a stream holds its cost, even if 0, unless no price is known."""
    assert (await usage_of(deployment("first")))["cost"] == pytest.approx(0.011)
    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    assert "cost" in await usage_of(deployment("first", price=free))
    assert "cost" not in await usage_of(deployment("first", price={}))


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_kept_where_rows_hold_answers(*, stream: bool) -> None:
    """With `store_prompts`, an answer is kept, in a plain answer's form if it was a stream."""
    for kept in (True, False):
        async with routing(store_prompts=kept) as made:
            made.provider.default["first"] = "eins zwei"
            await made.text(stream=stream)
            assert made.last is not None
            answer = made.last.attempts[0].stored_answer
            if kept:
                message = answer["choices"][0]["message"]
                assert message["content"].strip() == "eins zwei"
            else:
                assert answer is None
