"""Hugging Face is asked through OpenAI's protocol, because LiteLLM books its own provider at 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.config.huggingface import ROUTER, as_openai
from gateway.config.render import EffectiveConfig

from .conftest import parameters

LLAMA = "huggingface/meta-llama/Llama-3.1-8B-Instruct"


def deployment(**given: Any) -> dict[str, Any]:
    """Return a deployment with these parameters."""
    return {"model_name": "hf", "litellm_params": {"model": LLAMA, **given}}


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        (None, ROUTER),
        ("https://mine.endpoints.huggingface.cloud", "https://mine.endpoints.huggingface.cloud/v1"),
        ("http://tgi:8080/v1/", "http://tgi:8080/v1"),
        ("http://tgi:8080/v1/chat/completions", "http://tgi:8080/v1"),
    ],
)
def test_a_base_is_taken_as_litellm_takes_it(base: str | None, asked: str) -> None:
    """No base is the router; one of a dedicated endpoint works with and without /v1."""
    result = as_openai(deployment(api_base=base) if base else deployment())["litellm_params"]

    assert result["api_base"] == asked
    assert result["model"] == "openai/meta-llama/Llama-3.1-8B-Instruct"


def test_a_provider_behind_the_router_is_named_in_its_words() -> None:
    """PROVIDER/ORGANISATION/MODEL becomes ORGANISATION/MODEL:PROVIDER, at the router alone."""
    model = "huggingface/together/deepseek-ai/DeepSeek-R1"

    at_router = as_openai(deployment(model=model))["litellm_params"]
    elsewhere = as_openai(deployment(model=model, api_base="http://tgi/v1"))["litellm_params"]

    assert at_router["model"] == "openai/deepseek-ai/DeepSeek-R1:together"
    assert elsewhere["model"] == "openai/together/deepseek-ai/DeepSeek-R1"


def test_what_is_not_hugging_faces_chat_stays_as_it_is() -> None:
    """Other providers, and Hugging Face's embeddings, which have another protocol."""
    openai = {"model_name": "o", "litellm_params": {"model": "openai/gpt-4o-mini"}}
    embedding = deployment() | {"model_info": {"mode": "embedding"}}

    assert as_openai(openai) == openai
    assert as_openai(embedding) == embedding


def test_a_base_of_any_variable_is_taken_as_litellm_takes_it(
    rendered: Callable[..., EffectiveConfig],
) -> None:
    """The variable's value gets its /v1, not the variable's name."""
    named = ("os.environ/HUGGINGFACE_API_BASE", "os.environ/MY_ENDPOINT")

    found = parameters(
        rendered(
            named,
            HUGGINGFACE_API_KEY="hf_k",
            HUGGINGFACE_COST_PER_1M_TOKENS="0.2,0.4",
            MY_ENDPOINT="http://tgi:8080",
        ),
        "explanation-model-hf",
    )

    assert found["api_base"] == "http://tgi:8080/v1"


def test_the_shipped_alias_and_a_literal_model_are_both_asked_so(
    rendered: Callable[..., EffectiveConfig],
) -> None:
    """The seed's own string in the file does as well as the variable; price and key stay."""
    given = {"HUGGINGFACE_API_KEY": "hf_k", "HUGGINGFACE_COST_PER_1M_TOKENS": "0.2,0.4"}
    literal = ("os.environ/HUGGINGFACE_MODEL", "huggingface/mistralai/Mistral-7B-Instruct-v0.3")

    by_variable = parameters(rendered(**given), "explanation-model-hf")
    assert by_variable["model"] == "openai/meta-llama/Llama-3.1-8B-Instruct"
    assert by_variable["api_base"] == ROUTER
    assert by_variable["input_cost_per_token"] == pytest.approx(2e-7)
    assert by_variable["api_key"] == "os.environ/HUGGINGFACE_API_KEY"

    in_file = rendered(literal, **given, ALLOW_UNPRICED_MODELS="true")
    assert parameters(in_file, "explanation-model-hf")["model"] == (
        "openai/mistralai/Mistral-7B-Instruct-v0.3"
    )
