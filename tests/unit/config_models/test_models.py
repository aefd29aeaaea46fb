"""What the configuration becomes: deployments, their router, and the way of each alias."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config import known_keys, litellm_only
from gateway.config.deployment import Models, Protocol
from gateway.config.models import build_models, route_of
from gateway.config.render import EffectiveConfig
from gateway.config.router import seconds_of
from gateway.config.settings import load_settings


def models_of(
    *entries: dict[str, Any],
    variables: dict[str, str] | None = None,
    **sections: Any,
) -> Models:
    """Return the models of a configuration."""
    config = {"model_list": list(entries), **sections}
    effective = EffectiveConfig(config, (), (), (), {})
    return build_models(effective, load_settings({}), variables or {})


def entry(name: str = "a", model: str = "openai/gpt-4o", **parameters: Any) -> dict[str, Any]:
    """Return an entry of the model list."""
    return {"model_name": name, "litellm_params": {"model": model, **parameters}}


@pytest.mark.parametrize(
    ("model", "parameters", "protocol"),
    [
        ("openai/gpt-4o", {}, Protocol.OPENAI),
        ("openai/anything", {"api_base": "http://vllm:8000/v1"}, Protocol.OPENAI),
        ("hosted_vllm/llama", {"api_base": "http://vllm:8000/v1"}, Protocol.OPENAI),
        ("hosted_vllm/llama", {}, Protocol.WORKER),
        ("gpt-4o", {}, Protocol.OPENAI),
        ("claude-haiku-4-5", {}, Protocol.WORKER),
        ("openai/gpt-5-mini", {}, Protocol.WORKER),
        ("openai/gpt-5-mini", {"api_base": "http://vllm:8000/v1"}, Protocol.OPENAI),
        ("openai/o3-mini", {}, Protocol.WORKER),
        ("openai/o1-pro", {"api_base": "http://vllm:8000/v1"}, Protocol.WORKER),
        ("openai/responses/mine", {}, Protocol.WORKER),
        ("ollama_chat/llama3.2", {}, Protocol.OLLAMA),
        ("ollama/llama3.2", {}, Protocol.OLLAMA),
        ("azure/gpt-4o", {"api_base": "https://x.openai.azure.com"}, Protocol.WORKER),
        ("gemini/gemini-2.5-pro", {}, Protocol.WORKER),
        ("groq/llama-3.3-70b-versatile", {}, Protocol.WORKER),
        ("openai/gpt-4o", {"mock_response": "hello"}, Protocol.WORKER),
        ("openai/gpt-4o", {"aws_region_name": "eu-central-1"}, Protocol.WORKER),
        ("x", {"custom_llm_provider": "openai"}, Protocol.OPENAI),
    ],
)
def test_a_deployment_is_spoken_to_by_the_protocol_of_its_provider(
    model: str, parameters: dict[str, Any], protocol: Protocol
) -> None:
    """What LiteLLM would change on its way goes through its library."""
    assert models_of(entry(model=model, **parameters)).deployments[0].protocol is protocol


def test_base_and_key_come_from_the_file_then_the_environment_then_the_provider() -> None:
    """As in LiteLLM: OPENAI_API_KEY is the key of a deployment that names none."""
    variables = {"OPENAI_API_KEY": "sk-env", "OPENAI_API_BASE": "http://proxy/v1/"}
    given, from_env = models_of(
        entry("a", api_base="http://here/v1/", api_key="sk-file"),
        entry("b"),
        variables=variables,
    ).deployments
    plain = models_of(entry("c")).deployments[0]

    assert (given.base, given.key) == ("http://here/v1", "sk-file")
    assert (from_env.base, from_env.key) == ("http://proxy/v1", "sk-env")
    assert (plain.base, plain.key) == ("https://api.openai.com/v1", None)


def test_parameters_for_the_model_are_kept_apart_from_those_for_the_gateway() -> None:
    """Prices, keys and limits are never sent to a provider."""
    deployment = models_of(
        entry(
            temperature=0.2,
            extra_body={"top_k": 3},
            keep_alive="5m",
            api_key="sk-1",
            organization="org-1",
            extra_headers={"x-team": "one"},
            rpm="60",
            tpm=1000,
            weight=2,
            order=1,
            tags=["free"],
            timeout="30",
            stream_timeout=5,
            input_cost_per_token=1e-6,
            cache_read_input_token_cost=1e-7,
        )
    ).deployments[0]

    assert deployment.defaults == {
        "temperature": 0.2,
        "extra_body": {"top_k": 3},
        "keep_alive": "5m",
    }
    assert deployment.headers == {"x-team": "one", "OpenAI-Organization": "org-1"}
    assert (deployment.rpm, deployment.tpm, deployment.max_parallel) == (60, 1000, 60)
    assert (deployment.weight, deployment.order, deployment.tags) == (2.0, 1, ("free",))
    assert (deployment.timeout, deployment.stream_timeout) == (30.0, 5.0)
    assert "sk-1" not in repr(deployment)


def test_settings_of_the_router_come_before_those_of_the_library() -> None:
    """LiteLLM takes retries, timeouts and fallbacks in either section."""
    models = models_of(
        entry("a"),
        entry("b"),
        router_settings={
            "num_retries": 1,
            "model_group_alias": {"c": {"model": "a", "hidden": True}},
        },
        litellm_settings={
            "num_retries": 9,
            "request_timeout": 7,
            "fallbacks": [{"a": ["b"]}, {"*": ["a"]}],
            "default_fallbacks": ["b"],
            "drop_params": True,
        },
        general_settings={"max_request_size_mb": 1, "store_prompts_in_spend_logs": True},
    )

    assert (models.router.num_retries, models.router.timeout) == (1, 7.0)
    assert models.router.fallbacks["a"] == ("b",)
    assert models.router.default_fallbacks == ("a",)
    assert models.router.allowed_fails == 3
    assert models.deployments[0].drop_params is True
    assert (models.max_body_bytes, models.store_prompts) == (1 << 20, True)
    assert models.match("c")[0].alias == "c"
    assert models.match("c")[0].id == models.match("a")[0].id


def test_budgets_of_providers_are_in_dollars_and_seconds() -> None:
    """time_period is LiteLLM's: 1d, 12h, 1mo."""
    budgets = {"openai": {"budget_limit": 5, "time_period": "1d"}}
    models = models_of(entry(), router_settings={"provider_budget_config": budgets})

    assert models.router.provider_budgets == {"openai": (5.0, 86_400.0)}
    assert seconds_of("1mo") == 30 * 86_400
    with pytest.raises(ValueError, match="soon"):
        seconds_of("soon")


def test_a_discount_and_a_margin_are_in_the_price() -> None:
    """cost_discount_config and cost_margin_config of litellm_settings, for their provider."""
    models = models_of(
        entry("a"),
        entry("b", "gemini/gemini-2.5-pro"),
        litellm_settings={
            "cost_discount_config": {"openai": 0.1},
            "cost_margin_config": {"global": 0.5, "gemini": {"fixed_amount": 0.01}},
        },
    )

    assert models.deployments[0].price["cost_multiplier"] == pytest.approx(0.9 * 1.5)
    assert models.deployments[1].price["cost_fixed"] == 0.01


def test_access_groups_name_their_aliases_once() -> None:
    """Several deployments of one alias are one model of the group."""
    first = entry("a") | {"model_info": {"access_groups": ["beta"]}}
    second = entry("a", api_base="http://b/v1") | {"model_info": {"access_groups": ["beta"]}}

    assert models_of(first, second).access_groups == {"beta": ("a",)}


def test_the_route_of_an_alias_is_printed_with_its_reason() -> None:
    """For `./run check` and `./run models`."""
    models = models_of(
        entry("a"), entry("b", "gemini/gemini-2.5-pro"), entry("c", guardrails=["pii"])
    )

    assert route_of(models, "a") == ("gateway", "OpenAI's protocol")
    assert route_of(models, "b") == ("worker", "LiteLLM's library translates for gemini")
    assert route_of(models, "c") == (
        "LiteLLM's proxy",
        "guardrails: guardrails read and change prompts and answers",
    )


@pytest.mark.parametrize(
    ("section", "settings", "names"),
    [
        ("litellm_settings", {"callbacks": ["prometheus"]}, []),
        ("litellm_settings", {"callbacks": ["prometheus", "langfuse"]}, ["callbacks"]),
        ("litellm_settings", {"success_callback": "langfuse"}, ["success_callback"]),
        ("litellm_settings", {"cache": False, "cache_params": {"type": "redis"}}, []),
        ("litellm_settings", {"cache": True}, ["cache"]),
        ("litellm_settings", {"of_the_next_version": 1}, ["of_the_next_version"]),
        ("litellm_settings", {"of_the_next_version": False}, []),
        ("general_settings", {"custom_auth": "mine.auth"}, ["custom_auth"]),
        ("general_settings", {"proxy_batch_write_at": 5, "disable_spend_logs": True}, []),
        ("general_settings", {"of_the_next_version": "x"}, ["of_the_next_version"]),
        ("router_settings", {"cache_responses": True, "timeout": 5}, ["cache_responses"]),
        ("router_settings", {"routing_groups": []}, []),
    ],
)
def test_settings_that_only_litellm_knows_send_every_request_there(
    section: str, settings: dict[str, Any], names: list[str]
) -> None:
    """An unknown one too, unless it is off."""
    found = models_of(entry(), **{section: settings}).litellm_only

    assert [each.what for each in found] == [f"{section}.{name}" for name in names]
    assert all(each.why for each in found)


def test_sections_that_change_requests_send_them_to_litellm() -> None:
    """Guardrails read every prompt; MCP servers are asked by LiteLLM's own paths."""
    found = models_of(
        entry(), guardrails=[{"guardrail_name": "pii"}], mcp_servers={"x": {}}
    ).litellm_only

    assert [each.what for each in found] == ["guardrails"]


def test_every_key_that_is_known_has_one_place_in_the_lists() -> None:
    """No setting's handling is accidental."""
    lists = {"": known_keys.TOP_LEVEL, "router_settings": known_keys.ROUTER}
    for section, known in lists.items():
        places = (
            litellm_only.NATIVE[section],
            litellm_only.NO_REQUEST[section],
            frozenset(litellm_only.RULES[section]),
        )
        assert known == frozenset().union(*places)
        assert sum(map(len, places)) == len(known)
    for section in ("litellm_settings", "general_settings"):
        names = [
            *litellm_only.NATIVE[section],
            *litellm_only.NO_REQUEST[section],
            *litellm_only.RULES[section],
        ]
        assert len(names) == len(set(names))


def test_a_wildcard_takes_names_in_and_gives_them_to_its_deployments() -> None:
    """The longest pattern first; the price is that of the model asked for."""
    models = models_of(
        entry("openai/*", "openai/*", api_key="sk-1"),
        entry("*", "openai/*", api_base="http://rest/v1"),
        entry("openai/gpt-4o", "openai/gpt-4o", api_key="sk-exact"),
    )
    (mini,) = models.match("openai/gpt-4o-mini")
    (other,) = models.match("llama")
    (exact,) = models.match("openai/gpt-4o")

    assert (mini.alias, mini.model, mini.key) == ("openai/gpt-4o-mini", "gpt-4o-mini", "sk-1")
    assert mini.price["input_cost_per_token"] == 1.5e-07
    assert (other.full_model, other.base) == ("openai/llama", "http://rest/v1")
    assert exact.key == "sk-exact"
    assert models.match("openai/gpt-4o-mini")[0] is mini
    assert models.match("openai/*") == ()


def test_names_without_end_are_not_remembered_without_end() -> None:
    """A caller may ask for a million names."""
    models = models_of(entry("*", "openai/*"))
    for number in range(600):
        assert models.match(f"m{number}")[0].model == f"m{number}"

    assert models.match("x" * 5000) == ()
    assert len(models.wildcards._found) <= 512  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("everywhere", "own", "drops"),
    [
        ({}, {}, False),
        ({}, {"drop_params": True}, True),
        ({"drop_params": True}, {}, True),
        ({"drop_params": True}, {"drop_params": False}, True),
    ],
)
def test_a_deployment_can_begin_to_drop_parameters_and_not_stop(
    everywhere: dict[str, Any], own: dict[str, Any], *, drops: bool
) -> None:
    """As LiteLLM: they are dropped where the deployment or the whole configuration says so."""
    models = models_of(entry(**own), litellm_settings=everywhere)
    assert models.deployments[0].drop_params is drops
