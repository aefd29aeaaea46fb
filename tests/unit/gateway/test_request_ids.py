"""Which ids of callers are taken, and which headers leave with a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.request_ids import RequestIds, with_client_request_id

if TYPE_CHECKING:
    from gateway.front import Message, Receive, Send


def handed_on(*headers: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Returns the headers that LiteLLM gets to see."""
    seen: list[Any] = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        del receive, send
        seen.extend(scope["headers"])

    async def nothing(*_: object) -> Any:  # noqa: ANN401 -- never called
        raise AssertionError

    scope = {"type": "http", "headers": list(headers)}
    asyncio.run(RequestIds(app)(scope, nothing, nothing))
    return seen


@pytest.mark.parametrize(
    "call", [b"9f0c2b4e-0d5b-4c1e-8a51-6d1c2f3a4b5c", b"job:7.2_b", b"7" * 128]
)
def test_a_callers_id_is_taken(call: bytes) -> None:
    """Letters, digits and what ids are written with, up to 128 characters."""
    headers = [(b"accept", b"*/*"), (b"x-litellm-call-id", call)]
    assert handed_on(*headers) == headers


@pytest.mark.parametrize(
    "call", [b"", b"7" * 129, b"a b", "\u00e4".encode(), b"a\tb", b'a"b', b"-x", b"a\n"]
)
def test_an_id_that_a_log_could_stumble_over_is_dropped(call: bytes) -> None:
    """LiteLLM then makes one of its own; the other headers stay."""
    assert handed_on((b"x-litellm-call-id", call), (b"accept", b"*/*")) == [(b"accept", b"*/*")]


def test_the_provider_gets_the_requests_id() -> None:
    """Beside the headers that were there, and in place of one with its name."""
    given = {"X-Client-Request-ID": "other", "x-a": "1"}
    assert with_client_request_id(given, "id-1") == {"x-a": "1", "x-client-request-id": "id-1"}


def test_without_a_sane_id_nothing_is_sent() -> None:
    """A call outside of a request has none."""
    assert with_client_request_id(None, "") is None
    assert with_client_request_id({"x-a": "1"}, "a\nb") == {"x-a": "1"}
