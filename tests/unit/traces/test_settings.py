"""Where traces go: refused before anything starts, and never with a secret in the message."""

from __future__ import annotations

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.traces.settings import ENDPOINT, HEADERS, TraceSettings, trace_settings


def settings(endpoint: str = "http://collector:4318", headers: str = "") -> TraceSettings | None:
    """Return what the gateway makes of these variables."""
    return trace_settings(load_settings({ENDPOINT: endpoint, HEADERS: headers}))


def refused(endpoint: str = "http://collector:4318", headers: str = "") -> str:
    """Return the message that refuses these variables."""
    with pytest.raises(ConfigurationError) as raised:
        settings(endpoint, headers)
    return str(raised.value)


def test_without_an_endpoint_there_are_no_traces() -> None:
    """Headers alone, or an empty variable as compose passes it, ask for none."""
    assert settings("", "a=b") is None


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://otlp.example.org/otlp/", "https://otlp.example.org/otlp/v1/traces"),
    ],
)
def test_spans_are_posted_under_the_endpoint(endpoint: str, url: str) -> None:
    """The endpoint is a base, to which OTLP adds its path."""
    found = settings(endpoint)
    assert found is not None
    assert (found.url, found.service) == (url, "litellm-gateway")


@pytest.mark.parametrize(
    "endpoint",
    [
        *("collector:4318", "collector", "grpc://collector:4317", "http://", "http://a b", "http:"),
        *("http://collector:port", "http://[::1", "http://collector/?a=b", "http://a/v1/traces"),
    ],
)
def test_what_is_no_base_url_is_refused(endpoint: str) -> None:
    """The message names the variable and shows an address that would do, or what to leave off."""
    said = refused(endpoint)
    assert ENDPOINT in said
    assert "http://collector:4318" in said or "leave off /v1/traces" in said


def test_a_password_in_the_url_is_refused_unseen() -> None:
    """It would be shown wherever the address is; a token belongs into the headers."""
    said = refused("http://anna:hunter2@collector:4318")
    assert HEADERS in said
    assert "hunter2" not in said


def test_headers_are_read_as_the_standard_writes_them() -> None:
    """Several with commas between them, names in any case, values URL-encoded."""
    found = settings(headers="Authorization=Bearer%20abc=, x-tenant = 7 ,")
    assert found is not None
    assert found.headers == {"authorization": "Bearer abc=", "x-tenant": "7"}
    assert "abc" not in repr(found)


@pytest.mark.parametrize("headers", ["hunter2", "a b=hunter2", "a=hunter2%0Ax", "a=1,hunter2"])
def test_what_is_no_header_is_refused_unseen(headers: str) -> None:
    """The message says how to write it, and does not repeat what may be a token."""
    said = refused(headers=headers)
    assert HEADERS in said
    assert "hunter2" not in said
