"""Bills that LiteLLM's price map alone does not show."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.costs import bill
from gateway.costs.off_peak import is_off_peak
from gateway.request import Attempt, Operation, Request, Usage

TOKENS = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}


def deployment(provider: str = "openai", **fields: Any) -> Deployment:
    """Return a deployment."""
    fields = {"price": TOKENS, **fields}
    return Deployment("1", "a", provider, "m", Protocol.OPENAI, **fields)


def cost(target: Deployment, usage: Usage, request: Request | None = None) -> float:
    """Return the cost of a chat."""
    return bill(target, Operation.CHAT, usage, request).cost


def request(**body: Any) -> Request:
    """Return a request with one attempt, of 2 seconds."""
    made = Request("", Operation.CHAT, "a", body, 10, Caller())
    made.attempts.append(Attempt(deployment(), 1, started=10.0, ended=12.0))
    return made


def test_a_model_without_a_price_costs_nothing_and_says_so() -> None:
    """A model without a price costs 0 and is marked as unpriced; a price of 0 is a price."""
    free = deployment(price={"input_cost_per_token": 0, "output_cost_per_token": 0})
    unknown = deployment(price={})

    assert bill(free, Operation.CHAT, Usage(10, 10)).priced
    assert not bill(unknown, Operation.CHAT, Usage(10, 10)).priced
    assert bill(unknown, Operation.CHAT, Usage(10, 10)).cost == 0


def test_the_tier_that_was_served_comes_before_the_one_that_was_asked_for() -> None:
    """A request for priority that was served as standard costs the standard price."""
    target = deployment(price=TOKENS | {"input_cost_per_token_priority": 9e-6})
    asked = request(service_tier="priority")

    assert cost(target, Usage(100, 0), asked) == pytest.approx(9e-4)
    assert cost(target, Usage(100, 0, service_tier="default"), asked) == pytest.approx(1e-4)
    assert cost(target, Usage(100, 0, service_tier="priority")) == pytest.approx(9e-4)
    of_config = deployment(price=target.price, defaults={"service_tier": "priority"})
    assert cost(of_config, Usage(100, 0), request()) == pytest.approx(9e-4)


def test_a_model_paid_by_the_second_costs_what_the_call_took() -> None:
    """A model that is paid by the second costs what its attempt took."""
    target = deployment(price={"input_cost_per_second": 0.5})

    assert cost(target, Usage(100, 100), request()) == pytest.approx(1.0)


def test_a_provider_that_says_what_its_answer_cost_is_believed() -> None:
    """A cost that OpenRouter, xAI or Perplexity reports is believed, another provider's is not."""
    said = Usage(100, 100, raw={"cost": 0.25})
    for provider in ("openrouter", "xai", "perplexity"):
        assert cost(deployment(provider), said) == 0.25
    assert cost(deployment("openai"), said) == pytest.approx(3e-4)
    assert cost(deployment("xai"), Usage(100, 0, raw={"cost": float("inf")})) < 1


def test_discount_margin_and_region_are_factors_of_the_whole() -> None:
    """A regional surcharge, a margin and a fixed cost apply to the whole bill."""
    eu = {**TOKENS, "regional_processing_uplift_multiplier_eu": 1.1}
    regional = deployment(price=eu, base="https://eu.api.openai.com/v1")
    margin = deployment(price=TOKENS | {"cost_multiplier": 2.0, "cost_fixed": 1.0})

    assert cost(regional, Usage(100, 0)) == pytest.approx(1.1e-4)
    assert cost(margin, Usage(100, 0)) == pytest.approx(1 + 2e-4)


def test_pages_that_an_answer_cites_cost_one_search() -> None:
    """An answer that cites pages costs one search, of the size that was asked for."""
    sizes = {"search_context_size_low": 0.01, "search_context_size_medium": 0.02}
    target = deployment(price=TOKENS | {"search_context_cost_per_query": sizes})

    assert cost(target, Usage(searched=True)) == 0.02
    asked = request(web_search_options={"search_context_size": "low"})
    assert cost(target, Usage(searched=True), asked) == 0.01


def test_a_usage_of_nonsense_costs_no_less_than_nothing_and_breaks_nothing() -> None:
    """Nonsense in a usage's details breaks no bill and makes none negative."""
    raw = {"prompt_tokens_details": "x", "completion_tokens_details": {"audio_tokens": "many"}}

    assert cost(deployment(), Usage(10, 10, raw=raw)) == pytest.approx(3e-5)
    assert cost(deployment(), Usage(10, 10, cached=50)) >= 0


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("2026-11-27T17:00", True), ("2026-11-27T00:29", True), ("2026-11-27T00:30", False)],
)
def test_off_peak_hours_may_pass_midnight_and_end_before_their_end(
    clock: str,
    expected: bool,
) -> None:
    """Off-peak hours are in UTC, may pass midnight, and do not include their end."""
    now = datetime.fromisoformat(clock).replace(tzinfo=timezone.utc)

    assert is_off_peak({"hours_utc": "16:30-00:30"}, now) is expected


def test_off_peak_days_are_those_of_the_providers_calendar() -> None:
    """Off-peak weekdays are those of the provider's own time zone."""
    now = datetime(2026, 11, 27, 17, tzinfo=timezone.utc)
    rule = {"hours_utc": "00:00-00:00", "weekdays": ["sat"]}

    assert not is_off_peak({"windows": [rule]}, now)
    assert is_off_peak({"windows": [rule], "weekday_timezone": "Asia/Shanghai"}, now)


def test_off_peak_prices_come_in_place_of_all_others() -> None:
    """Off-peak prices replace the usual ones while they hold."""
    off_peak = {"hours_utc": "00:00-00:00", "input_cost_per_token": 5e-7}
    target = deployment(price=TOKENS | {"off_peak_pricing": off_peak})

    assert cost(target, Usage(100, 0)) == pytest.approx(5e-5)
