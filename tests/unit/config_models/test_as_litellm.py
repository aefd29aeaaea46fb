"""Ids and prices of deployments are those that LiteLLM's router gives them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.deployment import Deployment
from gateway.config.models import build_models
from gateway.config.render import EffectiveConfig
from gateway.config.settings import load_settings
from gateway.costs import bill
from gateway.request import Operation, Usage
from support.litellm_library import litellm

LOCAL: dict[str, Any] = {"input_cost_per_token": 1e-6, "output_cost_per_token": "2e-6"}


def entry(name: str, info: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    """Return an entry of the model list."""
    found: dict[str, Any] = {"model_name": name, "litellm_params": parameters}
    return found | ({"model_info": info} if info else {})


def deployment_of(given: dict[str, Any]) -> Deployment:
    """Return the gateway's deployment of an entry."""
    effective = EffectiveConfig({"model_list": [given]}, (), (), (), {"A_MODEL": "openai/gpt-4o"})
    return build_models(effective, load_settings({}), {}).deployments[0]


ENTRIES = [
    entry("a", model="openai/gpt-4o-mini", api_key="sk-1"),
    entry("b", model="openai/gpt-4o", api_key="sk-1", api_base="http://127.0.0.1:9/v1", rpm=3),
    entry("c", model="openai/local", api_key="x", **LOCAL),
    entry("d", model="openai/gpt-4o", api_key="x", **LOCAL),
    entry("e", model="anthropic/claude-haiku-4-5", api_key="x", input_cost_per_token=5e-6),
    entry("f", {"base_model": "gpt-4o"}, model="openai/mine", api_key="x"),
    entry("g", {"input_cost_per_token": 3e-6}, model="openai/gpt-4o", api_key="x"),
    entry("h", model="gemini/gemini-2.5-pro", api_key="x", output_cost_per_token=7e-6),
    entry("i", model="openai/gpt-4o", api_key="x", cache_read_input_token_cost=1e-3),
    entry("j", {"id": "mine", "mode": "chat"}, model="openai/gpt-4o", api_key="x"),
    entry(
        "k",
        model="openai/local",
        api_key="x",
        extra_headers={"x-one": "1"},
        extra_body={"a": [1, {"b": None}]},
        tags=["t", "u"],
        temperature=0.5,
        **LOCAL,
    ),
    entry(
        "l",
        model="openai/local",
        api_key="x",
        tiered_pricing=[
            {"range": [0, 1000], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
            {"range": [1000, 9000], "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
        ],
    ),
]


@pytest.mark.parametrize("given", ENTRIES, ids=lambda each: each["model_name"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_id_and_bill_are_litellms(given: dict[str, Any]) -> None:
    """With prices in the file, in model_info, half given, inherited, or listed."""
    router = litellm().Router(model_list=[given])
    theirs = router.model_list[0]
    ours = deployment_of(given)

    assert ours.id == theirs["model_info"]["id"]
    for prompt, cached in ((100, 0), (5000, 1000), (300_000, 50)):
        usage = Usage(prompt, 50, cached, raw={})
        expected = _cost(given, theirs["model_info"]["id"], prompt, cached)
        assert bill(ours, Operation.CHAT, usage).cost == pytest.approx(expected, abs=1e-10)


def _cost(given: dict[str, Any], model_id: str, prompt: int, cached: int) -> float:
    """Return what LiteLLM books, as its logging does (litellm_logging.py, response_cost)."""
    from litellm.litellm_core_utils.litellm_logging import (
        use_custom_pricing_for_model,
    )

    parameters = given["litellm_params"]
    info = given.get("model_info") or {}
    provider, _, model = parameters["model"].partition("/")
    response = litellm().ModelResponse(model=model)
    response.usage = litellm().Usage(
        prompt_tokens=prompt,
        completion_tokens=50,
        total_tokens=prompt + 50,
        prompt_tokens_details={"cached_tokens": cached},
    )
    is_custom = use_custom_pricing_for_model({**parameters, "metadata": {"model_info": info}})
    cost: float = litellm().completion_cost(
        completion_response=response,
        model=model,
        custom_llm_provider=provider,
        custom_pricing=is_custom,
        base_model=info.get("base_model"),
        router_model_id=model_id,
        call_type="acompletion",
    )
    return cost


def test_a_reference_is_hashed_as_its_value() -> None:
    """LiteLLM resolves references before it makes the id; "true" is True by then."""
    written = entry(
        "a", model="openai/gpt-4o", api_key="os.environ/A_KEY", drop_params="os.environ/D"
    )
    effective = EffectiveConfig(
        {"model_list": [written]}, (), (), (), {"A_KEY": "sk-1", "D": "true"}
    )
    found = build_models(effective, load_settings({}), {}).deployments[0]

    plain = {"model": "openai/gpt-4o", "api_key": "sk-1", "drop_params": True}
    assert found.id == litellm().Router.generate_model_id("a", plain)
    assert found.key == "sk-1"
    assert found.drop_params is True
