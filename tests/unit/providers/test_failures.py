"""What an error says about its deployment."""

from __future__ import annotations

import socket
from contextlib import closing

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.deployment import Protocol
from gateway.providers.failures import failure_of_answer
from gateway.providers.http_client import HttpClient
from gateway.providers.openai_provider import OpenAIProvider
from gateway.providers.reply import Timeouts
from gateway.routing.failure import FailureKind, Refusal
from unit.providers.wire import HASTY, Asking, Json, Server, Wire, openai, request
from unit.providers.wire import deployment as deployment_at

TOO_LONG = "This model's maximum context length is 4096 tokens. However, you sent 5000."
UNSAFE = "Your request was rejected as a result of our safety system."


def error(message: str = "no", **more: object) -> Json:
    """Return OpenAI's error object."""
    return {"error": {"message": message, "type": "invalid_request_error", **more}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, FailureKind.REQUEST),
        (401, FailureKind.UNAUTHORISED),
        (402, FailureKind.REQUEST),
        (403, FailureKind.UNAUTHORISED),
        (408, FailureKind.UNRESPONSIVE),
        (413, FailureKind.REQUEST),
        (422, FailureKind.REQUEST),
        (429, FailureKind.LIMITED),
        (500, FailureKind.FAILING),
        (503, FailureKind.FAILING),
        (529, FailureKind.FAILING),
    ],
)
def test_a_status_has_a_kind(status: int, kind: FailureKind) -> None:
    """A status decides the kind of a failure, which keeps what the provider said."""
    failure = failure_of_answer(status, orjson.dumps(error(param="p", code="c")))
    assert (failure.kind, failure.status, failure.message) == (kind, status, "no")
    assert (failure.error_type, failure.error_param, failure.error_code) == (
        "invalid_request_error",
        "p",
        "c",
    )


@pytest.mark.parametrize(
    ("status", "document", "refusal"),
    [
        (400, error(TOO_LONG), Refusal.CONTEXT_WINDOW),
        (400, error(code="context_length_exceeded"), Refusal.CONTEXT_WINDOW),
        (413, error("Current length is 9 while limit is 8"), Refusal.CONTEXT_WINDOW),
        (429, error("Request too large for gpt-4o: Limit 30000"), Refusal.CONTEXT_WINDOW),
        (400, error(UNSAFE), Refusal.CONTENT_POLICY),
        (400, error(code="content_filter"), Refusal.CONTENT_POLICY),
        (403, error("Input was flagged"), Refusal.CONTENT_POLICY),
        (400, error("Invalid 'user': string too long. x string_above_max_length"), None),
    ],
)
def test_a_refusal_is_the_requests_fault(
    status: int, document: Json, refusal: Refusal | None
) -> None:
    """A prompt that a provider refuses is the request's fault, whatever the status."""
    failure = failure_of_answer(status, orjson.dumps(document))
    assert (failure.kind, failure.refusal) == (FailureKind.REQUEST, refusal)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (orjson.dumps(error("The model `x` does not exist", code="model_not_found")), "missing"),
        (orjson.dumps({"message": "The model `x` does not exist.", "param": "model"}), "missing"),
        (orjson.dumps({"error": "model 'x' not found"}), "missing"),
        (orjson.dumps({"detail": "Not Found"}), "missing"),
        (b"<html>", "missing"),
        (b"", "missing"),
        (orjson.dumps(error("No such File object: file-model", param="id")), "request"),
        (orjson.dumps(error("No endpoints found that support image input")), "request"),
    ],
)
def test_a_404_is_about_the_model_or_about_what_a_request_names(content: bytes, kind: str) -> None:
    """A 404 means a missing model, unless it is about something that the request names."""
    assert failure_of_answer(404, content).kind.value == kind


def test_a_page_of_a_firewall_is_no_refused_key() -> None:
    """A firewall's page with status 403 is the request's fault, not a refused key."""
    assert failure_of_answer(403, b"<html>blocked</html>").kind is FailureKind.REQUEST


def test_retry_after_is_read() -> None:
    """A failure holds the Retry-After of its response."""
    failure = failure_of_answer(429, b"{}", {"retry-after": "7"})
    assert failure.retry_after == 7


@given(st.integers(400, 499), st.binary(max_size=50) | st.text().map(str.encode))
def test_any_body_of_an_error_is_understood(status: int, content: bytes) -> None:
    """A 4xx keeps its status whatever its body, and is never a failing deployment."""
    failure = failure_of_answer(status, content)
    assert failure.status == status
    assert failure.kind is not FailureKind.FAILING


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 999) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "detail"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from([400, 404, 429, 500]), JSON)
def test_any_json_of_an_error_is_understood(status: int, document: object) -> None:
    """Any JSON in an error is understood, and gives a message of bounded length."""
    failure = failure_of_answer(status, orjson.dumps(document))
    assert len(failure.message) <= 2000


async def test_nobody_who_listens_is_unreachable() -> None:
    """A deployment that refuses the connection counts as unreachable."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    provider = OpenAIProvider(HttpClient())
    base = f"http://127.0.0.1:{port}/v1"
    made = Asking(Server(), provider, deployment_at(Protocol.OPENAI, base))
    assert (await made.failure()).kind is FailureKind.UNREACHABLE
    await provider.close()


async def test_a_host_that_takes_no_connection_is_unreachable_within_the_connect_timeout() -> None:
    """A host that drops all packets is unreachable when the connect timeout is over."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(address)
        provider = OpenAIProvider(HttpClient())
        base = f"http://127.0.0.1:{address[1]}/v1"
        made = Asking(Server(), provider, deployment_at(Protocol.OPENAI, base))
        failure = await made.failure(timeouts=Timeouts(connect=0.2, answer=30))
        assert failure.kind is FailureKind.UNREACHABLE
        await provider.close()
        for each in waiting:
            each.close()


@pytest.mark.parametrize(
    ("wire", "kind"),
    [
        (Wire(reset=True), FailureKind.UNREACHABLE),
        (Wire((b'{"id"',), cut=True), FailureKind.UNREACHABLE),
        (Wire((None,)), FailureKind.UNRESPONSIVE),
        (Wire((b"<html>",)), FailureKind.FAILING),
        (Wire((b"[]",)), FailureKind.FAILING),
        (Wire((b"{}",)), FailureKind.FAILING),
        (Wire((b'{"choices": [1]}',)), FailureKind.FAILING),
        (Wire((b'{"choices": null}',)), FailureKind.FAILING),
        (Wire(({"error": {"message": "no", "code": 400}},)), FailureKind.REQUEST),
        (Wire(({"error": {"message": "no", "code": 502}},)), FailureKind.FAILING),
    ],
    ids=lambda value: str(getattr(value, "pieces", value))[:30],
)
async def test_no_answer_has_a_kind(wire: Wire, kind: FailureKind) -> None:
    """A broken connection, silence and an unreadable answer each have a kind of failure."""
    async with openai(wire) as made:
        assert (await made.failure(timeouts=HASTY)).kind is kind


async def test_a_field_of_the_wrong_type_is_the_requests_fault() -> None:
    """A field of the wrong type is the request's fault, and the provider is not asked."""
    async with openai() as made:
        for body in ({"messages": [7]}, {"messages": 7}, {"seed": {1}}):
            failure = await made.failure(request(body))
            assert failure.kind is FailureKind.REQUEST
        assert made.server.asked == []
