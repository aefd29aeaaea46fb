"""The callback inside LiteLLM: nothing forged passes, and each call is signed."""

from __future__ import annotations

import asyncio
import importlib
import sys
import types
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.proxy.identity import HEADER, Identity, verify

SECRET = b"s" * 32
NOW = 1_800_000_000.0
KEY = SimpleNamespace(api_key="ab" * 32, team_id="t", user_id="u", end_user_id=None, org_id="o")


@pytest.fixture(name="callback")
def _callback(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the callback over a stub of LiteLLM's base class, whose import takes seconds."""
    for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    base = sys.modules["litellm.integrations.custom_logger"]
    base.CustomLogger = object  # type: ignore[attr-defined]
    monkeypatch.delenv("GATEWAY_IDENTITY_SECRET", raising=False)
    monkeypatch.delitem(sys.modules, "gateway.proxy.callback", raising=False)
    module = importlib.import_module("gateway.proxy.callback")
    yield module.SignedIdentity(SECRET, clock=lambda: NOW)
    sys.modules.pop("gateway.proxy.callback", None)


def _call(callback: Any, data: dict[str, Any], call_type: str = "acompletion") -> Any:
    return asyncio.run(callback.async_pre_call_hook(KEY, None, data, call_type))


def _identity(data: dict[str, Any], slot: str = "headers") -> Identity:
    assert list(data[slot]) == [HEADER]
    return verify(data[slot][HEADER], SECRET, NOW)


def test_a_call_says_whose_it_is_and_which_model_it_may_ask_for(callback: Any) -> None:
    """A call inside LiteLLM is signed with its key, team, user, model, id and type."""
    data = {"model": "a", "litellm_call_id": "c1", "messages": []}
    identity = _identity(_call(callback, data))
    assert (identity.key_hash, identity.team_id, identity.user_id) == (KEY.api_key, "t", "u")
    assert (identity.organization_id, identity.end_user_id) == ("o", None)
    assert (identity.alias, identity.call_id, identity.call_type) == ("a", "c1", "acompletion")


def test_a_call_says_where_it_came_from(callback: Any) -> None:
    """A signed call holds the caller's address and trace, and its user agent cut short."""
    forwarded = {"x-forwarded-for": "203.0.113.7", "user-agent": "c" * 900, "traceparent": "00-1"}
    data = {"model": "a", "proxy_server_request": {"headers": forwarded}}
    identity = _identity(_call(callback, data))
    assert (identity.address, identity.traceparent) == ("203.0.113.7", "00-1")
    assert identity.user_agent == "c" * 200


def test_headers_of_a_caller_are_replaced_not_joined(callback: Any) -> None:
    """Headers that a caller gives a call are replaced by the signed identity alone."""
    forged = {HEADER: "forged", "X-Gateway-Identity": "forged", "authorization": "Bearer sk-x"}
    data = {"model": "a", "headers": dict(forged), "extra_headers": dict(forged)}
    result = _call(callback, data)
    assert "extra_headers" not in result
    assert "forged" not in repr(result)
    _identity(result)


def test_googles_calls_carry_it_in_their_own_field(callback: Any) -> None:
    """A call of Google's API carries the signed identity in `extra_headers`."""
    result = _call(callback, {"model": "a", "headers": {HEADER: "forged"}}, "agenerate_content")
    assert "headers" not in result
    assert _identity(result, "extra_headers").call_type == "agenerate_content"


def test_the_gateways_controls_travel_signed_and_leave_litellms_request(callback: Any) -> None:
    """Controls for the gateway leave LiteLLM's request and travel in the signed identity."""
    result = _call(callback, {"model": "a", "fallbacks": ["b"], "num_retries": 4, "timeout": 2})
    assert not {"fallbacks", "num_retries", "timeout"} & set(result)
    assert _identity(result).controls == {"fallbacks": ["b"], "num_retries": 4, "timeout": 2}


def test_a_request_whose_controls_fit_no_header_is_refused_in_words(callback: Any) -> None:
    """A request whose controls are too long for a header is refused with a message."""
    result = _call(callback, {"model": "a", "metadata": {"tags": ["x" * 20_000]}})
    assert isinstance(result, str)
    assert "too long" in result
