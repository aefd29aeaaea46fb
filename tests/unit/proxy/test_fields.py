"""What LiteLLM may read of a request, and what a call inside LiteLLM may carry."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.fields import (
    API,
    CONTROLS,
    NEVER,
    controls_of,
    header_passes,
    let_through,
    take_out,
)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(sorted(API | CONTROLS | NEVER | {"top_k2", "extra_body", "aws_x"}))


@given(body=st.dictionaries(FIELDS | st.text(max_size=8), JSON))
def test_litellm_sees_only_fields_of_the_list(body: dict[str, Any]) -> None:
    """LiteLLM sees only the listed fields of a request, which itself is not changed."""
    before = repr(body)
    passed = let_through(body)
    assert set(passed) <= API | CONTROLS | {"extra_body"}
    assert not set(passed.get("extra_body", {})) & (NEVER | set(passed))
    assert repr(body) == before


@given(data=st.dictionaries(FIELDS | st.text(max_size=8), JSON))
def test_no_call_carries_a_forbidden_field(data: dict[str, Any]) -> None:
    """A call inside LiteLLM carries no forbidden field, not even in its extra_body."""
    controls_of(data)
    take_out(data)
    assert not set(data) & NEVER
    beyond = data.get("extra_body")
    assert not isinstance(beyond, dict) or not set(beyond) & (NEVER | {"model"})


def test_a_models_own_field_reaches_it_where_litellm_reads_nothing() -> None:
    """A model's own fields travel in extra_body, where LiteLLM does not read them."""
    assert let_through({"model": "a", "min_p": 0.1, "extra_body": {"seed2": 1}}) == {
        "model": "a",
        "extra_body": {"min_p": 0.1, "seed2": 1},
    }


def test_another_server_key_or_router_is_not_even_passed_on_nested() -> None:
    """A caller cannot name another server, key or region, not even in extra_body."""
    body = {"model": "a", "api_base": "http://x", "extra_body": {"api_key": "k", "aws_region": "e"}}
    assert let_through(body) == {"model": "a"}


def test_metadata_keeps_plain_values_and_what_litellm_may_read() -> None:
    """A request's metadata keeps plain values and loses nested and internal ones."""
    given_metadata = {
        "job": "7",
        "tags": ["a"],
        "user_api_key_hash": "forged",
        "_internal": "x",
        "headers": {"x-gateway-identity": "forged"},
        "deep": {"a": 1},
    }
    passed = let_through({"metadata": given_metadata, "litellm_metadata": "text"})
    assert passed == {"metadata": {"job": "7", "tags": ["a"]}, "litellm_metadata": "text"}


def test_what_a_request_asks_of_the_gateway_is_read_before_it_is_taken_out() -> None:
    """What a request asks of the gateway is read, without values that a caller could forge."""
    data = {
        "model": "a",
        "fallbacks": ["b"],
        "num_retries": 2,
        "timeout": 3.5,
        "disable_fallbacks": True,
        "litellm_session_id": "s",
        "metadata": {
            "tags": ["t", 5],
            "requester_metadata": {"job": "7", "user_api_key": "forged", "x": [1]},
        },
    }
    assert controls_of(data) == {
        "fallbacks": ["b"],
        "num_retries": 2,
        "timeout": 3.5,
        "disable_fallbacks": True,
        "session_id": "s",
        "tags": ["t"],
        "metadata": {"job": "7"},
    }


@pytest.mark.parametrize(
    "data",
    [
        {"fallbacks": [{"model": "b", "api_base": "http://x"}]},
        {"fallbacks": "b"},
        {"num_retries": True},
        {"timeout": "3"},
        {"disable_fallbacks": "yes"},
        {"metadata": "text"},
        {"litellm_session_id": 5},
    ],
)
def test_controls_of_another_form_are_left_out(data: dict[str, Any]) -> None:
    """Controls for the gateway that have a wrong type are left out."""
    assert controls_of(data) == {}


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("authorization", True),
        ("x-litellm-tags", True),
        ("x-litellm-api-base", False),
        ("x-gateway-identity", False),
        ("x-pass-x-gateway-identity", False),
        ("x-forwarded-for", False),
        ("x-mcp-servers", True),
        ("anthropic-version", True),
    ],
)
def test_headers_of_litellm_pass_by_their_names(name: str, passes: bool) -> None:
    """A header passes to LiteLLM, or does not, by its name."""
    assert header_passes(name) is passes
