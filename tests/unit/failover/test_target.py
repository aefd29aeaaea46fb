"""What is known of a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.failover.target import key_variable, target_of


def entry(**parameters: str) -> dict[str, Any]:
    """Returns an entry of the router's model_list."""
    return {
        "model_name": "extraction-model",
        "litellm_params": parameters,
        "model_info": {"id": "7"},
    }


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("ollama_chat/llama3.2", "ollama_chat", "llama3.2"),
        ("huggingface/meta-llama/Llama-3.1-8B", "huggingface", "meta-llama/Llama-3.1-8B"),
        ("gpt-4o-mini", "openai", "gpt-4o-mini"),
    ],
)
def test_provider_and_model_are_told_apart(model: str, provider: str, name: str) -> None:
    """The provider is what stands before the first slash, OpenAI when there is none."""
    target = target_of(entry(model=model))
    assert (target.provider, target.model) == (provider, name)


def test_a_known_provider_needs_no_base() -> None:
    """Where a provider lives is known unless a deployment says otherwise."""
    assert target_of(entry(model="openai/x")).base == "https://api.openai.com/v1"
    assert target_of(entry(model="openai/x", api_base="http://here/v1/")).base == "http://here/v1"
    assert target_of(entry(model="bedrock/x")).base is None


def test_a_key_is_named_by_its_variable_and_never_shown() -> None:
    """The variable that holds a key is found, and the key is in no repr."""
    target = target_of(entry(model="openai/x", api_key="sk-geheim"))
    assert key_variable(target.key, {"A": "sk-geheim", "OPENAI_API_KEY": "sk-geheim"}) == (
        "OPENAI_API_KEY"
    )
    assert "sk-geheim" not in repr(target)


def test_a_key_that_no_variable_holds_has_no_name() -> None:
    """A key written into the configuration, or none, is not mistaken for another."""
    assert key_variable("sk-geheim", {"OPENAI_API_KEY": "sk-anders"}) is None
    assert key_variable(None, {"EMPTY_API_KEY": ""}) is None
