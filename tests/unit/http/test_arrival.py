"""What is read of a request before anything is done: its key, id, origin and body."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.http.asgi import ClientDisconnectedError, read_body
from gateway.http.client import client_of
from gateway.http.keys import request_id_of, secret_of
from unit.http.rooms import Conversation

PROXY = "10.0.0.5"
TRUSTED = ("10.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    "headers",
    [
        {b"authorization": b"Bearer sk-1"},
        {b"authorization": b"bearer  sk-1 "},
        {b"authorization": b"sk-1"},
        {b"api-key": b"sk-1"},
        {b"x-api-key": b"sk-1"},
        {b"x-goog-api-key": b"sk-1"},
        {b"x-litellm-api-key": b"Bearer sk-1", b"authorization": b"Bearer of-a-proxy"},
    ],
)
def test_a_key_is_found_where_clients_put_it(headers: dict[bytes, bytes]) -> None:
    """A key is read from any header that clients use, from LiteLLM's own before others."""
    assert secret_of(headers) == "sk-1"


@pytest.mark.parametrize("headers", [{}, {b"authorization": b""}, {b"cookie": b"token=sk-1"}])
def test_no_key_is_none(headers: dict[bytes, bytes]) -> None:
    """A request without a header for it has no key, and a cookie is not taken for one."""
    assert secret_of(headers) is None


@pytest.mark.parametrize(
    "call", [b"9f0c2b4e-0d5b-4c1e-8a51-6d1c2f3a4b5c", b"job:7.2_b", b"7" * 128]
)
def test_a_callers_id_is_taken(call: bytes) -> None:
    """A caller's id is kept if it is up to 128 letters, digits and marks such as colons."""
    assert request_id_of({b"x-litellm-call-id": call}) == call.decode()


@pytest.mark.parametrize(
    "call", [b"", b"7" * 129, b"a b", "ä".encode(), b"a\tb", b'a"b', b"-x", b"a\n"]
)
def test_an_id_that_a_log_could_stumble_over_is_replaced(call: bytes) -> None:
    """A caller's id that could break a line of the log is replaced by a new one."""
    assert uuid.UUID(request_id_of({b"x-litellm-call-id": call}))


def test_each_request_without_an_id_gets_one_of_its_own() -> None:
    """Requests without an id get different ones."""
    assert request_id_of({}) != request_id_of({})


def address(peer: str, forwarded: str | None, trusted: tuple[str, ...] = TRUSTED) -> str:
    """Return the address of a caller."""
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    return client_of({"client": (peer, 1)}, headers, trusted).address


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        (PROXY, "192.0.2.7", "192.0.2.7"),
        (PROXY, "192.0.2.7, 10.1.1.1", "192.0.2.7"),
        (PROXY, "198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        (PROXY, None, PROXY),
        (PROXY, " , ", PROXY),
        (PROXY, "10.1.1.1", PROXY),
        ("192.0.2.9", "192.0.2.7", "192.0.2.9"),
    ],
)
def test_only_a_trusted_proxy_is_believed(peer: str, forwarded: str | None, found: str) -> None:
    """A forwarded address is believed only as far as trusted proxies have passed it on."""
    assert address(peer, forwarded) == found


@given(st.text(max_size=40).filter(lambda text: "," not in text))
def test_without_a_trusted_proxy_nobody_chooses_an_address(forwarded: str) -> None:
    """Without a trusted proxy, no X-Forwarded-For changes a caller's address."""
    assert address("192.0.2.9", forwarded, ()) == "192.0.2.9"


def test_a_clients_own_words_are_cut() -> None:
    """A client's user agent and trace are cut to 200 characters."""
    headers = {b"user-agent": b"x" * 5000, b"traceparent": b"y" * 5000}
    found = client_of({"client": None}, headers, ())
    assert (found.address, len(found.user_agent), len(found.traceparent)) == ("", 200, 200)


def body_of(parts: list[bytes], limit: int, *, leaves: bool = False) -> bytes:
    """Return the body that was read of these parts."""

    async def test() -> bytes:
        talk = Conversation(parts=list(parts))
        if leaves:
            talk.leaves.set()
        return await read_body(talk.receive, limit)

    return asyncio.run(asyncio.wait_for(test(), 10))


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=6))
def test_a_body_is_put_together_up_to_its_limit(parts: list[bytes]) -> None:
    """A body up to the limit is read, in however many parts it comes; a longer one is 413."""
    whole = b"".join(parts)
    assert body_of(parts, len(whole)) == whole
    if whole:
        with pytest.raises(InvalidRequestError) as caught:
            body_of(parts, len(whole) - 1)
        assert caught.value.status == 413


def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    """A body over the limit is not read to its end."""

    async def test() -> list[bytes]:
        talk = Conversation(parts=[b"x" * 10] * 5)
        with pytest.raises(InvalidRequestError):
            await read_body(talk.receive, 15)
        return talk.parts

    assert len(asyncio.run(test())) == 3


def test_a_caller_that_leaves_has_no_body() -> None:
    """A caller that leaves before its body is complete counts as gone."""
    with pytest.raises(ClientDisconnectedError):
        body_of([], 10, leaves=True)
