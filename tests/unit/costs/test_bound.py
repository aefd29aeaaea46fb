"""A bound is never below the bill, and needs no tokenizer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Models, Protocol
from gateway.costs import bill, bound, ceiling, upper_bound
from gateway.request import Operation, Request, UploadedFile, Usage

PRICE = {
    "input_cost_per_token": 1e-6,
    "output_cost_per_token": 4e-6,
    "cache_read_input_token_cost": 1e-7,
    "cache_creation_input_token_cost": 2e-6,
    "input_cost_per_token_above_200k_tokens": 3e-6,
    "output_cost_per_token_above_200k_tokens": 8e-6,
    "input_cost_per_token_priority": 5e-6,
    "output_cost_per_token_priority": 9e-6,
    "output_cost_per_reasoning_token": 6e-6,
}


def deployment(alias: str = "a", **fields: Any) -> Deployment:
    """Return a deployment of 100,000 tokens of input and 5,000 of output."""
    known: dict[str, Any] = {
        "price": PRICE,
        "max_input_tokens": 100_000,
        "max_output_tokens": 5_000,
    }
    known["model"] = alias
    return Deployment(
        id=alias,
        alias=alias,
        provider="openai",
        protocol=Protocol.OPENAI,
        **{**known, **fields},
    )


def request(
    size: int = 400,
    operation: Operation = Operation.CHAT,
    **body: Any,
) -> Request:
    """Return a request for the alias `a`."""
    messages = {"messages": [{"role": "user", "content": "hello"}]}
    return Request("", operation, "a", {**messages, **body}, size, Caller())


def most(target: Deployment, asked: Request) -> tuple[float, int]:
    """Return the bound of a request to one deployment."""
    return upper_bound(Models((target,)), asked, ("a",))


@given(st.data())
def test_no_bill_is_above_the_bound(data: st.DataObject) -> None:
    """No bill is above its bound, whatever tokens and tier the provider reports."""
    body: dict[str, Any] = {
        "n": data.draw(st.integers(1, 3)),
        "max_tokens": data.draw(st.integers(1, 9_000)),
    }
    target = deployment(max_input_tokens=300_000)
    asked = request(data.draw(st.integers(10, 400_000)), **body)
    dollars, tokens = most(target, asked)
    prompt = data.draw(st.integers(0, min(asked.size + ceiling.TEMPLATE, 300_000)))
    answer = data.draw(st.integers(0, body["n"] * body["max_tokens"]))
    cached = data.draw(st.integers(0, prompt))
    usage = Usage(
        prompt,
        answer,
        cached,
        data.draw(st.integers(0, prompt - cached)),
        data.draw(st.integers(0, answer)),
        service_tier=data.draw(st.sampled_from([None, "priority", "flex"])),
    )

    assert bill(target, Operation.CHAT, usage, asked).cost <= dollars + 1e-12
    assert usage.total <= tokens


def test_the_dearest_price_of_any_tier_and_length_counts() -> None:
    """A bound uses the highest price of any tier and prompt length."""
    asked = request(1000, max_tokens=50_000)
    dollars, tokens = most(deployment(), asked)

    assert dollars == pytest.approx((tokens - 50_000) * 5e-6 + 50_000 * 9e-6)


def test_the_answer_is_as_long_as_it_was_asked_to_be_or_as_the_model_can_make_it() -> None:
    """A bound takes an answer to be as long as was asked for, or as the model can make it."""
    overhead = 400 + ceiling.TEMPLATE

    assert most(deployment(), request(max_tokens=10))[1] == overhead + 10
    assert most(deployment(), request(max_tokens=7, max_completion_tokens=10))[1] == overhead + 10
    assert most(deployment(), request(max_tokens=10, max_completion_tokens=7))[1] == overhead + 10
    assert most(deployment(), request(max_tokens=10, n=3))[1] == overhead + 30
    assert most(deployment(), request())[1] == overhead + 5_000
    assert most(deployment(defaults={"max_tokens": 20}), request())[1] == overhead + 20
    assert most(deployment(), request(max_tokens=10**12))[1] == overhead + 100_000


OPENAI_MODELS = ["gpt-4o-mini", "ft:gpt-4o-mini-2024-07-18:us::x", "openai/gpt-4.1", "o3-mini"]


@pytest.mark.parametrize("model", [*OPENAI_MODELS, "gemini-2.5-flash", "claude-sonnet-4-5"])
def test_models_without_a_prompt_of_their_own_take_no_more_than_the_body(model: str) -> None:
    """A model that adds no prompt of its own takes no more prompt tokens than the body's size."""
    assert most(deployment(model=model), request(max_tokens=10))[1] == 400 + 10


@pytest.mark.parametrize("model", ["qwen2.5:0.5b", "gpt-oss:20b", "mistral-small"])
def test_any_other_model_may_have_a_prompt_of_its_own(model: str) -> None:
    """Any model that is not known to add none is bounded with a prompt of its own."""
    assert most(deployment(model=model), request(max_tokens=10))[1] == 410 + ceiling.TEMPLATE


def test_the_name_of_a_deployment_is_not_that_of_its_model() -> None:
    """A deployment's base_model, and not its own name, says which model it is."""
    target = deployment(model="our-own", info={"base_model": "azure/gpt-4o"})

    assert most(target, request(max_tokens=10))[1] == 410


@pytest.mark.parametrize("field", ["tools", "functions", "response_format"])
def test_claude_is_told_how_to_call_tools(field: str) -> None:
    """Claude is bounded with a prompt for tools when a request has tools or a format."""
    value = {"type": "json_object"} if field == "response_format" else [{"type": "function"}]
    body: dict[str, Any] = {field: value, "max_tokens": 10}
    asked = request(**body)

    assert most(deployment(model="claude-sonnet-4-5"), asked)[1] == 410 + ceiling.TEMPLATE
    assert most(deployment(model="gpt-4o"), asked)[1] == 410


def test_what_a_deployment_adds_to_each_request_is_in_the_prompt() -> None:
    """Tools and lengths that the configuration adds, even in extra_body, count in the bound."""
    tools = [{"type": "function", "function": {"name": "x" * 1000}}]
    plain = most(deployment(), request(max_tokens=1))[1]

    assert most(deployment(defaults={"tools": tools}), request(max_tokens=1))[1] > plain + 1000
    within = {"extra_body": {"tools": tools, "max_tokens": 77}}
    assert most(deployment(defaults=within), request(max_tokens=1))[1] > plain + 1000
    assert most(deployment(defaults=within), request())[1] > plain + 1076


def test_extra_body_is_what_the_provider_gets() -> None:
    """A caller's extra_body counts in the bound, and nonsense in it breaks nothing."""
    extra = {"max_tokens": 900, "n": 2, "messages": "no list", "tools": "none", "best_of": "x"}
    asked = request(max_tokens=1, extra_body=extra)

    assert most(deployment(model="gpt-4o"), asked)[1] == 400 + 2 * 900
    pictures = [{"role": "user", "content": [{"type": "image_url"}, 3]}, 4]
    assert most(deployment(), request(max_tokens=1, extra_body={"messages": pictures}))[1] > 100_000


def test_what_of_a_prediction_is_not_taken_is_paid_for() -> None:
    """A bound counts a prediction as an answer as well, since its rejected tokens are billed."""
    asked = request(max_tokens=10, prediction={"type": "content", "content": "x"})

    assert most(deployment(model="gpt-4o"), asked)[1] == 400 + 10 + 400


def test_sound_of_an_earlier_answer_is_named_by_its_id_alone() -> None:
    """Audio that is named by its id may fill the whole of the model's input."""
    said = [{"role": "assistant", "audio": {"id": "audio_1"}}]

    assert most(deployment(), request(max_tokens=1, messages=said))[1] == 100_001


def test_an_answer_that_may_be_repaired_is_reserved_twice_for_each_deployment() -> None:
    """An answer that may be repaired is reserved twice for each deployment of its chain."""
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    first, second = deployment("a", model="gpt-4o"), deployment("b", model="gpt-4o")
    models = Models((first, second))
    asked = request(max_tokens=10, response_format=form)
    once = (400 * 5e-6 + 10 * 9e-6) + ((410 + bound.REPAIR) * 5e-6 + 10 * 9e-6)

    dollars, tokens = upper_bound(models, asked, ("a", "b"), repairs=True)
    assert dollars == pytest.approx(2 * once)
    assert tokens == 2 * (410 + 420 + bound.REPAIR)
    assert upper_bound(models, asked, ("a", "b"))[1] == 410
    assert upper_bound(models, request(max_tokens=10), ("a", "b"), repairs=True)[1] == 410


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", "of_the_next_version"])
def test_what_is_no_text_may_fill_the_whole_of_the_models_input(kind: str) -> None:
    """Content other than text may fill the whole of the model's input."""
    content = [{"type": "text", "text": "what is this"}, {"type": kind}]
    asked = request(max_tokens=1, messages=[{"role": "user", "content": content}])

    assert most(deployment(), asked)[1] == 100_001


def test_a_model_that_nobody_bounds_is_bounded_by_what_is_documented() -> None:
    """A model without a known limit is bounded by a documented one."""
    target = deployment(max_input_tokens=None, max_output_tokens=None)
    overhead = 400 + ceiling.TEMPLATE

    assert most(target, request())[1] == overhead + ceiling.UNKNOWN_OUTPUT


def test_the_dearest_deployment_that_may_answer_counts() -> None:
    """A bound is that of the most expensive deployment of the alias and its fallbacks."""
    cheap = deployment("a", price={"input_cost_per_token": 0, "output_cost_per_token": 0})
    models = Models((cheap, deployment("b")))

    assert upper_bound(models, request(), ("a",))[0] == 0
    both = upper_bound(models, request(), ("a", "b"))
    assert both == upper_bound(models, request(), ("b",))


def test_embeddings_have_no_answer_and_speech_is_paid_by_its_letters() -> None:
    """Embeddings are bounded without an answer, speech by characters and audio by seconds."""
    text = request(400, Operation.EMBEDDING, input="x")
    spoken = request(400, Operation.SPEECH, input="x" * 300)
    voice = deployment(price={"input_cost_per_character": 1e-5}, mode="audio_speech")
    sound = Request(
        "",
        Operation.TRANSCRIPTION,
        "a",
        {},
        500_000,
        Caller(),
        files=(UploadedFile("file", "a.ogg", "audio/ogg", b"x" * 500_000),),
    )
    ears = deployment(price={"input_cost_per_second": 1e-4}, mode="audio_transcription")

    assert most(deployment(), text)[1] == 400
    assert most(voice, spoken)[0] >= 300 * 1e-5
    assert most(ears, sound)[0] >= 1000 * 1e-4


def test_searches_in_the_web_are_reserved_only_when_they_may_happen() -> None:
    """Web searches count in the bound only if the request may make them."""
    price = PRICE | {"search_context_cost_per_query": {"search_context_size_medium": 0.05}}
    target = deployment(price=price)
    plain = most(target, request())[0]

    assert plain < 0.1
    assert most(target, request(web_search_options={}))[1] > 100_000, "what is found is read"
    assert most(target, request(web_search_options={}))[0] >= plain + 20 * 0.05
