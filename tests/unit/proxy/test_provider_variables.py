"""Keys of providers stay with the gateway, also where LiteLLM shares its environment."""

from __future__ import annotations

from gateway.proxy.provider_variables import provider_variables

DOCUMENT = {
    "model_list": [
        {"litellm_params": {"model": "groq/llama", "api_key": "os.environ/GROQ_KEY"}},
        {"litellm_params": {"model": "openai/m", "api_key": "os.environ/SHARED"}},
    ],
    "guardrails": [{"litellm_params": {"api_key": "os.environ/LAKERA"}}, "os.environ/SHARED"],
}


def test_what_models_name_is_a_providers() -> None:
    """A variable that only models name is a provider's; one that a guardrail names is not."""
    found = provider_variables(DOCUMENT)

    assert "GROQ_KEY" in found
    assert not {"LAKERA", "SHARED"} & found


def test_what_is_read_without_being_named_is_known() -> None:
    """The usual variables of providers are theirs even if the configuration names none."""
    assert {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"} <= provider_variables({})
