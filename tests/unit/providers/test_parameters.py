"""drop_params, against LiteLLM's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.deployments import make_deployment
from gateway.providers.parameters import ParameterRules, rules_of
from gateway.routing.failure import AttemptFailedError, FailureKind
from support.litellm_library import litellm

# LiteLLM and its dependencies warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("default")

MODELS = [
    *("local-model", "gpt-4o-mini", "gpt-4", "gpt-4.1", "o1", "o3", "o3-mini", "o4-mini"),
    *("gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.4", "gpt-5-chat", "gpt-5-search-api"),
]
PARAMETERS: dict[str, Any] = {
    "temperature": st.sampled_from([0, 0.5, 1]),
    "top_p": st.just(0.5),
    "n": st.sampled_from([1, 2]),
    "stop": st.just(["x"]),
    "max_tokens": st.just(5),
    "max_completion_tokens": st.just(6),
    "presence_penalty": st.just(0.1),
    "frequency_penalty": st.just(0.1),
    "logit_bias": st.just({"1": 1}),
    "user": st.just("u"),
    "seed": st.just(1),
    "logprobs": st.sampled_from([True]),
    "top_logprobs": st.just(2),
    "tools": st.just([{"type": "function", "function": {"name": "f", "parameters": {}}}]),
    "parallel_tool_calls": st.sampled_from([False]),
    "response_format": st.just({"type": "json_object"}),
    "reasoning_effort": st.sampled_from(["none", "minimal", "low", "high", "xhigh"]),
    "verbosity": st.just("low"),
    "service_tier": st.just("flex"),
    "store": st.sampled_from([True]),
    "unknown_to_openai": st.just(1),
}
BODIES = st.fixed_dictionaries({}, optional=PARAMETERS)


def rules(model: str, *, drop: Any = True, **more: Any) -> ParameterRules:
    """Return the rules of a model, as its entry of the configuration makes them."""
    model = model if "/" in model else f"openai/{model}"
    parameters = {"model": model, "api_base": "http://server/v1", **more}
    entry = {"model_name": "asked", "litellm_params": parameters}
    return rules_of(make_deployment(entry, {"drop_params": drop}, lambda _: None))


@pytest.mark.parametrize("price", [{}, {"input_cost_per_token": 1e-6}])
@pytest.mark.parametrize("model", MODELS)
@given(body=BODIES)
@settings(deadline=None, max_examples=25)
def test_a_model_is_sent_what_litellm_would_send_it(
    model: str, price: dict[str, float], body: dict[str, Any]
) -> None:
    """A model is sent the parameters that LiteLLM would send, with a price of its own or not."""
    theirs = litellm().get_optional_params(
        model=model, custom_llm_provider="openai", drop_params=True, **body
    )
    theirs |= theirs.pop("extra_body", {})
    for name in ("max_retries", "stream"):
        theirs.pop(name, None)
    ours = dict(body)
    rules(model, **price).apply(ours)
    assert ours == theirs


@pytest.mark.parametrize(
    ("provider", "is_kept"), [("openai", True), ("hosted_vllm", True), ("lm_studio", False)]
)
def test_an_effort_is_for_servers_of_which_litellm_knows_it(
    provider: str, *, is_kept: bool
) -> None:
    """A reasoning effort is sent only to servers of which LiteLLM knows that they take it."""
    body = {"reasoning_effort": "low"}
    rules(f"{provider}/local-model").apply(body)
    assert ("reasoning_effort" in body) is is_kept


def test_without_drop_params_the_first_unknown_parameter_is_named() -> None:
    """Without drop_params, a parameter unknown to the model gets 400 with its name."""
    with pytest.raises(AttemptFailedError) as raised:
        rules("gpt-5", drop=False).apply({"temperature": 0.5})
    failure = raised.value.failure
    assert (failure.kind, failure.status) == (FailureKind.REQUEST, 400)
    assert failure.error_param == "temperature"


def test_the_configuration_can_allow_and_drop() -> None:
    """The configuration can allow and drop single parameters, under LiteLLM's names."""
    more = {"allowed_openai_params": ["verbosity"], "additional_drop_params": ["seed"]}
    body = {"verbosity": "low", "seed": 1, "thinking": {}}
    rules("local-model", **more).apply(body)
    assert body == {"verbosity": "low"}


def test_the_effort_of_the_responses_api_is_understood() -> None:
    """The Responses API's object for a reasoning effort becomes the word alone."""
    body: dict[str, Any] = {"reasoning_effort": {"effort": "low", "summary": "auto"}}
    rules("gpt-5").apply(body)
    assert body == {"reasoning_effort": "low"}
