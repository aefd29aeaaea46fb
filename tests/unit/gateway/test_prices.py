"""Prices: which models LiteLLM knows one for."""

from __future__ import annotations

import pytest

from gateway.config.prices import is_priced, listed


@pytest.mark.parametrize(
    ("model", "priced"),
    [
        ("openai/gpt-4o-mini", True),
        ("gpt-4o-mini", True),
        ("gemini/gemini-3.5-flash-lite", True),
        ("anthropic/claude-haiku-4-5", True),
        ("openai/claude-haiku-4-5", False),
        ("openai/made-up", False),
        ("huggingface/meta-llama/Llama-3.1-8B-Instruct", False),
        ("openai/*", True),
    ],
)
def test_a_listed_model_of_its_own_provider_is_priced(model: str, priced: bool) -> None:
    """LiteLLM's list decides, and another provider's model of that name does not count."""
    assert is_priced({"litellm_params": {"model": model}}) is priced


def test_what_is_listed_is_found_with_and_without_its_provider() -> None:
    """One entry under either name, and nothing for another provider's model of that name."""
    assert listed("anthropic/claude-haiku-4-5") == listed("claude-haiku-4-5") != {}
    assert listed("openai/claude-haiku-4-5") == {}


@pytest.mark.parametrize("place", ["litellm_params", "model_info"])
def test_a_price_in_the_file_is_enough(place: str) -> None:
    """A price of 0 is a price too, when somebody wrote it down."""
    deployment = {"litellm_params": {"model": "openai/made-up"}, "model_info": {}}
    deployment[place]["input_cost_per_token"] = 0  # type: ignore[assignment] # any value
    assert is_priced(deployment)


def test_a_base_model_lends_its_price() -> None:
    """Azure's deployments have names of their own, and say whose model they are."""
    info = {"base_model": "gpt-4o-mini"}
    assert is_priced({"litellm_params": {"model": "azure/mine"}, "model_info": info})
