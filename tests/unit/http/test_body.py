"""What a body has to be before anything is reserved or asked."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.http.body import end_user_of, model_of, parse_json, read_fields
from gateway.request import Operation
from support.hostile import malformed, valid
from support.long import rounds

MALFORMED = dict(malformed("m"))
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hallo"}],
    "temperature": 0.2,
    "max_tokens": 5,
}


def read(raw: bytes, operation: Operation = Operation.CHAT) -> dict[str, Any]:
    """Return the fields of a body, read as an endpoint does."""
    body = parse_json(raw)
    model = model_of(body, None)
    end_user_of(body)
    return read_fields(operation, body, model).fields


def test_there_are_two_hundred_kinds_of_malformed_requests() -> None:
    """There are at least two hundred kinds of malformed requests to test with."""
    assert len(MALFORMED) >= 200


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_in_words(name: str) -> None:
    """A malformed request gets a 4xx with a short message, and raises nothing else."""
    with pytest.raises(InvalidRequestError) as raised:
        read(MALFORMED[name])

    assert 400 <= raised.value.status < 500
    assert len(raised.value.message) < 500


def test_the_error_names_the_field_that_is_wrong() -> None:
    """The error about a wrong field names the field's whole path."""
    body = {**CHAT, "messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}

    with pytest.raises(InvalidRequestError) as raised:
        read(json.dumps(body).encode())

    assert raised.value.param == "messages[0].content[0].text"
    assert raised.value.body()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"temperature": None, "tools": None},
        {"messages": [{"role": "assistant", "content": None, "tool_calls": []}] + CHAT["messages"]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:"}]}]},
        {"messages": [{"role": "tool", "content": "1", "tool_call_id": "c"}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}},
        {"stop": ["a", "b"], "n": 2, "logprobs": True, "top_logprobs": 3},
        {"a_field_of_my_server": [1, {"x": None}]},
    ],
)
def test_what_a_provider_may_take_is_passed_on(more: dict[str, Any]) -> None:
    """Fields that a provider may take are passed on as they are; only nulls are left out."""
    body = {**CHAT, **more}

    fields = read(json.dumps(body).encode())

    assert fields == {name: value for name, value in body.items() if value is not None}


def test_what_is_for_the_gateway_is_taken_out() -> None:
    """Fields for the gateway are taken out of a body, and LiteLLM's bookkeeping is dropped."""
    body = {
        **CHAT,
        "fallbacks": ["a", {"model": "b"}],
        "disable_fallbacks": False,
        "timeout": 7,
        "num_retries": 0,
        "metadata": {"tags": ["x"], "job": 1},
        "litellm_session_id": "s",
        "litellm_call_id": "forged",
        "cache": {"no-cache": True},
        "proxy_server_request": {"headers": {}},
    }

    read_body = read_fields(Operation.CHAT, body, "m")

    assert read_body.fields.keys() == CHAT.keys()
    controls = read_body.controls
    assert controls.fallbacks == ("a", "b")
    assert (controls.timeout, controls.num_retries, controls.session_id) == (7.0, 0, "s")
    assert controls.tags == ("x",)
    assert controls.metadata["job"] == 1
    assert not read_body.litellm_only


def test_a_guardrail_sends_the_request_to_litellm() -> None:
    """A request that asks for guardrails is marked as one for LiteLLM's proxy."""
    read_body = read_fields(Operation.CHAT, {**CHAT, "guardrails": ["pii"]}, "m")

    assert [each.what for each in read_body.litellm_only] == ["guardrails"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)
names = st.sampled_from([*CHAT, "tools", "stop", "n", "metadata", "fallbacks", "timeout", "user"])


@settings(max_examples=rounds(100, long=1000), deadline=None)
@given(st.dictionaries(names, json_values, max_size=6))
def test_no_json_makes_anything_but_an_answer_or_a_refusal(changes: dict[str, Any]) -> None:
    """Whatever JSON its fields hold, a body is read, or refused as the request's own fault."""
    body = json.dumps({**valid("m"), **changes}).encode()

    with contextlib.suppress(InvalidRequestError):
        read(body)
