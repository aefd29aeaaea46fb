"""What hung or answered 500s is asked for a token until it answers; no request finds out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.failover.probe_call import AT_ONCE, takes_probe_calls
from gateway.failover.target import target_of
from unit.failover.router_stack import FALLBACK, FAST, ONE, PRICE, PROVIDERS, stack, until
from unit.failover.upstream import Reply

if TYPE_CHECKING:
    from unit.failover.router_stack import Run, Stack

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")

HANG = Reply(hang=True)
ERROR = Reply(status=500)


async def put_out_of_use(made: Stack, reply: Reply) -> None:
    """Makes the primary answer so, until it is out of use."""
    made.primary.default = reply
    while set(made.condition("primary")) == {"up"}:
        await made.text()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("reply", [HANG, ERROR], ids=["hang", "500"])
def test_no_request_finds_out_that_it_is_still_sick(run: Run, provider: str, reply: Reply) -> None:
    """While its chats fail, though its free endpoint answers, requests go to the fallback alone."""

    async def test() -> None:
        async with stack(provider=provider) as made:
            await put_out_of_use(made, reply)
            seen = len(made.primary.asked)
            await until(lambda: len(made.primary.asked) >= seen + 3)  # three probe calls
            await made.text()
            assert made.outcomes() == [FALLBACK]
            assert {body["model"] for body in made.primary.asked[seen:]} == {"llama3.2"}
            made.primary.default = Reply()
            await made.until_up("primary")
            await made.text()
            assert made.outcomes() == [(ONE, "answered")]

    run(test())


def test_a_hanging_probe_call_does_not_keep_it_out(run: Run) -> None:
    """The next probe call begins while those before still hang, and brings it back."""

    async def test() -> None:
        async with stack() as made:
            await put_out_of_use(made, HANG)
            seen = len(made.primary.asked)
            await until(lambda: len(made.primary.asked) >= seen + 2)
            made.primary.default = Reply()  # the two before get no answer for 30 s
            await made.until_up("primary")

    run(test())


def test_hanging_probe_calls_do_not_pile_up(run: Run) -> None:
    """No more than six are under way at once."""

    async def test() -> None:
        async with stack(FAST.model_copy(update={"cooldown": 0.02})) as made:
            await put_out_of_use(made, HANG)
            seen = len(made.primary.asked)
            await until(lambda: len(made.primary.asked) >= seen + AT_ONCE)
            looks = len(made.primary.probed)
            await until(lambda: len(made.primary.probed) >= looks + 3)
            assert len(made.primary.asked) == seen + AT_ONCE

    run(test())


def test_a_refusal_is_an_answer(run: Run) -> None:
    """A provider that calls the probe call a bad request does answer; it is in use again."""

    async def test() -> None:
        async with stack() as made:
            await put_out_of_use(made, ERROR)
            made.primary.default = Reply(status=400, content="max_tokens is too small")
            await made.until_up("primary")

    run(test())


def test_what_a_probe_call_is_told_is_believed(run: Run) -> None:
    """A probe call that gets 429 with Retry-After is the last one before that time."""

    async def test() -> None:
        async with stack() as made:
            await put_out_of_use(made, ERROR)
            made.primary.default = Reply(status=429, headers={"retry-after": "30"})
            await until(lambda: made.condition("primary") == ["limited"])
            seen = len(made.primary.asked)
            await asyncio.sleep(3 * FAST.cooldown)
            assert len(made.primary.asked) == seen

    run(test())


def test_a_refused_key_is_told_though_a_probe_call_met_it(run: Run) -> None:
    """What answered 500s and then refuses the key is out of use for that, and the log says so."""

    async def test() -> None:
        async with stack() as made:
            await put_out_of_use(made, ERROR)
            made.primary.default = Reply(status=401)
            await until(lambda: made.condition("primary") == ["unauthorised"])
            assert "refused the key" in made.said[-1]

    run(test())


def test_without_probe_calls_a_request_tries_it(run: Run) -> None:
    """Off: nobody asks for a token, and the deployment comes back on trial."""

    async def test() -> None:
        async with stack(FAST.model_copy(update={"probe_calls": "off"})) as made:
            await put_out_of_use(made, ERROR)
            seen = len(made.primary.asked)
            await made.until_up("primary")
            assert len(made.primary.asked) == seen
            await made.text()
            assert made.outcomes() == [(ONE, "failing"), FALLBACK]

    run(test())


def test_an_outage_that_a_free_probe_can_see_costs_nothing(run: Run) -> None:
    """A refused connection is looked at for free only."""

    async def test() -> None:
        async with stack() as made:
            await made.primary.stop()
            await made.text()
            await made.primary.start()
            await made.until_up("primary")
            await asyncio.sleep(2 * FAST.probe_interval)
            assert made.primary.asked == []

    run(test())


@pytest.mark.parametrize(
    ("model", "price", "allowed", "taken"),
    [
        ("openai/gpt-4o-mini", PRICE, "all", True),
        ("openai/gpt-4o-mini", PRICE, "free", False),
        ("openai/gpt-4o-mini", 0, "free", True),
        ("openai/gpt-4o-mini", 0, "off", False),
        ("openai/text-embedding-3-small", PRICE, "all", False),
    ],
)
def test_who_is_asked(model: str, price: float, allowed: str, *, taken: bool) -> None:
    """Chats only; `free` asks those whose price is set to 0, `off` nobody."""
    parameters = {"model": model, "input_cost_per_token": price, "output_cost_per_token": price}
    entry = {"model_name": "x", "litellm_params": parameters, "model_info": {"id": "1"}}
    known = {"gpt-4o-mini": {"mode": "chat"}, "text-embedding-3-small": {"mode": "embedding"}}
    assert takes_probe_calls(target_of(entry, known), allowed) is taken  # type: ignore[arg-type]
