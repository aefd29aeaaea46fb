"""Where a request goes: to the gateway, to LiteLLM, or nowhere with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.routes import MALFORMED, ROUTES, UNKNOWN, Action, find


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/v1/chat/completions", Action.NATIVE),
        ("POST", "/engines/a/chat/completions", Action.NATIVE),
        ("GET", "/v1/models/a", Action.NATIVE),
        ("POST", "/v1/messages", Action.FORWARDED),
        ("POST", "/v1/messages/count_tokens", Action.REFUSED),
        ("POST", "/v1beta/models/a:generateContent", Action.FORWARDED),
        ("POST", "/v1beta/models/a:countTokens", Action.REFUSED),
        ("POST", "/v1/responses", Action.FORWARDED),
        ("GET", "/v1/responses/resp_1", Action.REFUSED),
        ("POST", "/v1/responses/resp_1/cancel", Action.REFUSED),
        ("POST", "/openai/v1/responses", Action.FORWARDED),
        ("POST", "/openai/v1/files", Action.REFUSED),
        ("POST", "/azure/v1/files", Action.REFUSED),
        ("POST", "/key/v1/files", Action.REFUSED),
        ("POST", "/v1/files/", Action.REFUSED),
        ("GET", "/key/info", Action.FORWARDED),
        ("GET", "/ui", Action.FORWARDED),
        ("GET", "/ui/login/", Action.FORWARDED),
        ("GET", "/", Action.FORWARDED),
        ("GET", "/v2/model/info", Action.FORWARDED),
        ("POST", "/model/new", Action.REFUSED),
        ("POST", "/config/update", Action.REFUSED),
        ("GET", "/config/list", Action.FORWARDED),
        ("POST", "/config/pass_through_endpoint", Action.REFUSED),
        ("POST", "/credentials", Action.FORWARDED),
        ("GET", "/credentials", Action.FORWARDED),
        ("POST", "/my-server/mcp", Action.FORWARDED),
        ("POST", "/health/test_connection", Action.REFUSED),
        ("GET", "/_supervisor/health", Action.REFUSED),
        ("GET", "/made-up", Action.REFUSED),
    ],
)
def test_a_route_goes_where_the_list_says(method: str, path: str, action: Action) -> None:
    """A route is served natively, forwarded to LiteLLM or refused, as the list says."""
    assert find(method, path).action is action


@given(
    prefix=st.sampled_from(["/key", "/ui", "/v1/messages", ""]),
    trick=st.sampled_from(["/..", "/.", "//x", "/a//b", "/../openai/v1/files", "/x\\y"]),
)
def test_a_path_that_two_programs_may_read_differently_is_refused(prefix: str, trick: str) -> None:
    """A path that two programs may read differently is refused as malformed."""
    assert find("POST", prefix + trick) is MALFORMED


@given(path=st.text(max_size=60), method=st.sampled_from(["GET", "POST", "DELETE"]))
def test_any_path_has_an_answer(path: str, method: str) -> None:
    """Whatever the path and method, there is a decision with a reason."""
    assert find(method, path).reason


def test_every_route_says_why_and_is_found_by_its_own_pattern() -> None:
    """Every route of the list has a reason and is found by its own pattern."""
    for route in ROUTES:
        method = route.methods[0] if route.methods else "POST"
        found = find(method, route.pattern.replace("*", "x1"))
        assert route.reason
        assert found.pattern == route.pattern
        assert found is not UNKNOWN


def test_no_pattern_stands_twice_for_the_same_methods() -> None:
    """No pattern is listed twice for the same methods."""
    seen = [(route.pattern, route.methods) for route in ROUTES]
    assert len(seen) == len(set(seen))
