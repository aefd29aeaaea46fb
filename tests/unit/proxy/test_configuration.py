"""What LiteLLM is started with: every model is the gateway, no key of a provider, no own jobs."""

from __future__ import annotations

from typing import Any

from gateway.config.deployment import Deployment, Models, Protocol, RouterSettings
from gateway.proxy.configuration import CALLBACK, GENERAL, TOKEN, environment, render

URL = "http://gateway:4001/v1"


def _deployment(alias: str, **more: Any) -> Deployment:
    return Deployment(
        id=f"id-{alias}-{len(more)}",
        alias=alias,
        provider="openai",
        model="gpt-4o-mini",
        protocol=Protocol.OPENAI,
        key="sk-provider",
        **more,
    )


MODELS = Models(
    (
        _deployment("a", max_input_tokens=100, price={"input_cost_per_token": 1e-6}),
        _deployment("a", max_input_tokens=50, max_output_tokens=9, mode="chat"),
        _deployment("b", mode="embedding"),
    ),
    router=RouterSettings(group_aliases={"old": ("a", True)}),
    access_groups={"cheap": ("a",), "none": ()},
)


def _render(document: dict[str, Any]) -> dict[str, Any]:
    return render(MODELS, document, URL)


def test_every_alias_is_one_deployment_that_asks_the_gateway() -> None:
    """LiteLLM's configuration has one deployment for each alias, which asks the gateway."""
    found = _render({})["model_list"]
    assert [each["model_name"] for each in found] == ["a", "b"]
    parameters = found[0]["litellm_params"]
    assert parameters["model"] == "openai/a"
    assert parameters["api_base"] == URL
    assert parameters["api_key"] == TOKEN
    assert parameters["use_chat_completions_api"] is True
    assert 0 < parameters["input_cost_per_token"] < 1e-9


def test_the_pages_show_what_every_deployment_of_an_alias_can() -> None:
    """LiteLLM's pages show for an alias what every one of its deployments can do."""
    info = _render({})["model_list"][0]["model_info"]
    assert info["max_input_tokens"] == 50
    assert info["max_output_tokens"] == 9
    assert info["access_groups"] == ["cheap"]
    assert info["gateway_price"] == {"input_cost_per_token": 1e-6}


def test_no_providers_key_and_no_routing_is_passed_on() -> None:
    """LiteLLM's configuration holds no keys, no database, no fallbacks and no retries."""
    document = {
        "model_list": [{"litellm_params": {"api_key": "sk-provider"}}],
        "router_settings": {"fallbacks": [{"a": ["b"]}], "num_retries": 3},
        "credential_list": [{"credential_values": {"api_key": "sk-provider"}}],
        "environment_variables": {"OPENAI_API_KEY": "sk-provider"},
        "litellm_settings": {"fallbacks": [{"a": ["b"]}], "num_retries": 3, "allowed_fails": 2},
        "general_settings": {"master_key": "sk-master", "database_url": "postgresql://x"},
    }
    found = _render(document)
    assert "sk-" not in repr(found)
    assert "postgresql" not in repr(found)
    assert found["router_settings"]["num_retries"] == 0
    assert found["litellm_settings"]["num_retries"] == 0
    assert "fallbacks" not in found["litellm_settings"]
    assert found["router_settings"]["model_group_alias"] == {"old": {"model": "a", "hidden": True}}


def test_what_is_for_litellm_is_passed_on_unchanged() -> None:
    """Guardrails, MCP servers and other settings for LiteLLM are passed on unchanged."""
    document = {
        "guardrails": [{"guardrail_name": "pii", "litellm_params": {"guardrail": "presidio"}}],
        "mcp_servers": {"docs": {"url": "http://docs/mcp"}},
        "prompts": [{"prompt_id": "p"}],
        "litellm_settings": {"cache": True, "callbacks": ["langfuse"], "drop_params": True},
        "general_settings": {"max_request_size_mb": 5},
    }
    found = _render(document)
    for name in ("guardrails", "mcp_servers", "prompts"):
        assert found[name] == document[name]
    assert found["litellm_settings"]["cache"] is True
    assert found["litellm_settings"]["callbacks"] == ["langfuse", CALLBACK]
    assert found["general_settings"]["max_request_size_mb"] == 5


def test_a_user_cannot_switch_litellms_own_bookkeeping_or_trust_back_on() -> None:
    """No configuration overrides the general settings that the gateway gives LiteLLM."""
    document = {"general_settings": dict.fromkeys(GENERAL, "changed")}
    general = _render(document)["general_settings"]
    assert {name: general[name] for name in GENERAL} == GENERAL


def test_a_single_callback_may_be_written_as_a_text() -> None:
    """A single callback may be configured as a string instead of a list."""
    found = _render({"litellm_settings": {"callbacks": "otel"}})
    assert found["litellm_settings"]["callbacks"] == ["otel", CALLBACK]


def test_the_environment_holds_no_providers_key_and_nothing_empty() -> None:
    """LiteLLM's environment holds no provider's key and no empty variable."""
    given = {
        "OPENAI_API_KEY": "sk-provider",
        "GEMINI_API_KEY_FILE": "/run/key",
        "LITELLM_MASTER_KEY": "sk-master",
        "EMPTY": "",
    }
    found = environment(given, frozenset({"OPENAI_API_KEY", "GEMINI_API_KEY"}), b"\x01\x02")
    assert set(given) & set(found) == {"LITELLM_MASTER_KEY"}
    assert found["GATEWAY_IDENTITY_SECRET"] == "0102"
    assert found["DISABLE_SCHEMA_UPDATE"] == "true"
