"""Which deployment gets a request: strategies, limits, order, tags, budgets, context."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.request import Controls
from gateway.routing.deployment_state import DeploymentState
from gateway.routing.load import Load
from gateway.routing.provider_budgets import ProviderBudgets
from gateway.routing.settings import FailoverSettings
from gateway.routing.strategies import strategy_named
from gateway.routing.tracked import TrackedDeployment
from unit.routing import fakes
from unit.routing.fakes import FakeProvider, Hang, deployment, request, routing, until


def tracked(name: str, **changes: Any) -> TrackedDeployment:
    """Return a deployment that does nothing."""
    made = deployment("first", name, **changes)
    state = DeploymentState(FailoverSettings())
    return TrackedDeployment(made, FakeProvider(), state, Load(made))


def shares(name: str, found: list[TrackedDeployment], **arguments: float) -> Counter[str]:
    """Return who is picked how often of a thousand times."""
    strategy = strategy_named(name, arguments)
    return Counter(strategy.pick(found, request()).deployment.id for _ in range(1000))


@pytest.mark.parametrize("name", ["weight", "rpm", "tpm"])
def test_simple_shuffle_shares_by_weights(name: str) -> None:
    """Simple shuffle picks deployments by their weights, or evenly if none has one."""
    found = [tracked("a", **{name: 30}), tracked("b", **{name: 10}), tracked("c")]
    picked = shares("simple-shuffle", found)
    assert 680 <= picked["a"] <= 820  # five times the standard deviation
    assert picked["c"] == 0
    assert min(shares("simple-shuffle", [tracked(n) for n in "abc"]).values()) > 250


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_least_busy_takes_one_with_the_fewest(busy: list[int]) -> None:
    """Least-busy routing picks a deployment with the fewest requests under way."""
    found = [tracked(str(place)) for place in range(len(busy))]
    for each, number in zip(found, busy, strict=True):
        each.load.in_flight = number
    assert strategy_named("least-busy", {}).pick(found, request()).load.in_flight == min(busy)


@given(st.lists(st.lists(st.floats(0.001, 9), min_size=1), min_size=1, max_size=5), st.floats(0, 2))
def test_latency_based_routing_takes_one_about_as_fast_as_the_fastest(
    latencies: list[list[float]], buffer: float
) -> None:
    """Latency-based routing picks a deployment whose mean is within the buffer of the fastest."""
    found = [tracked(str(place)) for place in range(len(latencies))]
    for each, seconds in zip(found, latencies, strict=True):
        for latency in seconds:
            each.load.record_latency(1e9, latency)
    means = {e.deployment.id: sum(e.load.latencies) / len(e.load.latencies) for e in found}
    strategy = strategy_named("latency-based-routing", {"lowest_latency_buffer": buffer})
    picked = strategy.pick(found, request())
    assert means[picked.deployment.id] <= min(means.values()) * (1 + buffer) * 1.0001


def test_latency_based_routing_asks_who_was_not_asked_yet() -> None:
    """Latency-based routing prefers untried deployments, and uses first tokens for streams."""
    slow, fresh, quick = tracked("slow"), tracked("fresh"), tracked("quick")
    slow.load.record_latency(1e9, 1.0, first_token=0.1)
    quick.load.record_latency(1e9, 0.5, first_token=0.4)
    assert shares("latency-based-routing", [slow, fresh]) == {"fresh": 1000}
    strategy = strategy_named("latency-based-routing", {})
    assert strategy.pick([slow, quick], request()) is quick
    assert strategy.pick([slow, quick], request(stream=True)) is slow


def test_cost_based_routing_takes_the_cheapest() -> None:
    """Cost-based routing picks the cheapest deployment; an unpriced one counts as expensive."""
    cheap = {"input_cost_per_token": 1e-6, "output_cost_per_token": 0}
    found = [tracked("none", price={}), tracked("dear"), tracked("cheap", price=cheap)]
    assert shares("cost-based-routing", found) == {"cheap": 1000}


@pytest.mark.parametrize(
    ("name", "picked"), [("usage-based-routing", {"a"}), ("usage-based-routing-v2", {"a", "c"})]
)
def test_usage_based_routing_takes_who_used_fewest_tokens(name: str, picked: set[str]) -> None:
    """Usage-based routing picks one with the fewest tokens: the first, or any in version 2."""
    found = [tracked("a"), tracked("b"), tracked("c")]
    found[1].load.tokens = 5
    assert set(shares(name, found)) == picked


def test_an_unknown_strategy_is_refused() -> None:
    """An unknown routing strategy is refused, and the error lists those that there are."""
    with pytest.raises(ValueError, match="least-busy"):
        strategy_named("fastest", {})


async def test_the_lowest_order_is_asked_first_and_the_next_after_it_failed() -> None:
    """Deployments are asked from the lowest order up, before any other alias."""
    ordered = [deployment("first", f"o{n}", order=n) for n in (2, 1, 3)]
    fallbacks = {"first": ("second",)}
    async with routing(*ordered, deployment("second"), num_retries=0, fallbacks=fallbacks) as made:
        await made.text()
        assert made.outcomes() == [("o1", "answered")]
        made.provider.default.update(o1=fakes.ERROR, o2=fakes.DEAD)
        await made.text()
        assert made.outcomes() == [("o1", "failing"), ("o2", "unreachable"), ("o3", "answered")]


@pytest.mark.parametrize(
    ("tags", "asked"),
    [
        ((), {"default"}),
        (("free",), {"free", "both"}),
        (("&free", "&eu"), {"both"}),
        (("free", "!eu"), {"free"}),
        (("unheard-of",), {"default"}),
    ],
)
async def test_tags_choose_deployments(tags: tuple[str, ...], asked: set[str]) -> None:
    """Wanted, demanded and excluded tags choose deployments; those tagged default get the rest."""
    tagged = [
        deployment("first", "default", tags=("default",)),
        deployment("first", "free", tags=("free",)),
        deployment("first", "both", tags=("free", "eu")),
    ]
    async with routing(*tagged, enable_tag_filtering=True) as made:
        for _ in range(40):
            await made.ask(controls=Controls(tags=tags))
        assert {name for name, _, _ in made.provider.asked} == asked


async def test_tags_that_no_deployment_in_use_may_serve_are_an_error() -> None:
    """A request whose tags no deployment may serve gets 401, as in LiteLLM."""
    one = deployment("first", tags=("paid",))
    async with routing(one, enable_tag_filtering=True) as made:
        with pytest.raises(GatewayError) as told:
            await made.ask(controls=Controls(tags=("&free",)))
        assert told.value.status == 401


@pytest.mark.parametrize("strategy", ["usage-based-routing-v2", "latency-based-routing"])
async def test_a_deployment_takes_no_more_requests_a_minute_than_its_limit(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests beyond a deployment's limit of a minute go to the fallback, or get 429."""
    monkeypatch.setattr("gateway.routing.load.MINUTE", 1e9)

    pair = (deployment("first", rpm=3), deployment("second"))
    async with routing(*pair, strategy=strategy, fallbacks={"first": ("second",)}) as made:
        for _ in range(5):
            await made.text()
        assert made.provider.calls("first") == 3
        with pytest.raises(GatewayError, match="at its limit of requests") as told:
            await made.ask(controls=Controls(disable_fallbacks=True))
        assert told.value.status == 429
        assert told.value.retry_after is not None


async def test_a_deployment_answers_no_more_at_once_than_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests beyond a deployment's parallel limit go to the fallback, or get 429."""
    monkeypatch.setattr("gateway.routing.retries.RetryRules.pause_for_room", lambda *_: 0.0)

    pair = (deployment("first", max_parallel=1), deployment("second"))
    async with routing(*pair, fallbacks={"first": ("second",)}) as made:
        made.provider.script["first"] = [Hang()]
        busy = asyncio.create_task(made.ask())
        await until(lambda: made.provider.calls("first") == 1)
        await made.text()
        assert made.outcomes() == [("second", "answered")]
        with pytest.raises(GatewayError, match="limit of parallel requests") as told:
            await made.ask(controls=Controls(disable_fallbacks=True))
        assert told.value.status == 429
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        await made.text()
        assert made.outcomes() == [("first", "answered")]


async def test_a_provider_over_its_budget_is_not_asked() -> None:
    """When a provider is over its budget, another one answers, or the caller gets 429."""
    pair = (deployment("first", "a", provider="dear"), deployment("second", provider="other"))
    budgets = {"dear": (0.02, 3600.0)}
    async with routing(*pair, provider_budgets=budgets, fallbacks={"first": ("second",)}) as made:
        for _ in range(4):  # each costs 0.011
            await made.text()
        assert made.provider.calls("a") == 2
        with pytest.raises(GatewayError, match="budget") as told:
            await made.ask(controls=Controls(disable_fallbacks=True))
        assert told.value.status == 429


def test_a_providers_budget_begins_anew_with_its_window() -> None:
    """A provider's budget is whole again when its window ends; the next cost opens another."""
    budgets = ProviderBudgets({"dear": (1.0, 60.0)})
    budgets.record_cost("dear", 1.5, 100.0)
    assert budgets.is_spent("dear", 159.0)
    assert budgets.free_in("dear", 159.0) == 1.0
    assert not budgets.is_spent("dear", 160.0)
    budgets.record_cost("dear", 0.5, 200.0)
    assert not budgets.is_spent("dear", 201.0)
    assert not budgets.is_spent("other", 201.0)


async def test_a_prompt_goes_to_a_deployment_with_room_for_it() -> None:
    """With pre-call checks, a prompt goes where there is room for it, or else gets 400."""
    ones = (
        deployment("first", "small", max_input_tokens=50),
        deployment("first", "large", max_input_tokens=5000),
        deployment("second", "huge"),
    )
    chains: dict[str, Any] = {"context_window_fallbacks": {"first": ("second",)}}
    async with routing(*ones, enable_pre_call_checks=True, **chains) as made:
        for words, asked in (("x " * 500, "large"), ("x " * 50_000, "huge")):
            messages = [{"role": "user", "content": words}]
            for _ in range(5):
                await made.text(messages=messages)
                assert made.outcomes() == [(asked, "answered")]
        with pytest.raises(GatewayError) as told:
            await made.ask(messages=messages, controls=Controls(disable_fallbacks=True))
        assert (told.value.status, told.value.code) == (400, "context_length_exceeded")


async def test_a_twin_serves_while_the_other_is_in_cooldown() -> None:
    """Of two deployments under one alias, only the one that is up is asked."""
    settings = FailoverSettings(health_check_interval=30)
    twins = (deployment("first", "a"), deployment("first", "b"))
    async with routing(*twins, settings=settings) as made:
        made.provider.default["a"] = fakes.DEAD
        for _ in range(20):
            assert await made.text() == "fine"
        assert made.provider.calls("a") == 1
