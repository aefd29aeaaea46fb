"""What a failed call says about its deployment, through a real worker."""

from __future__ import annotations

import socket

import pytest

from gateway.routing.failure import FailureKind, Refusal
from unit.worker.asking import MESSAGES, Asking

pytestmark = pytest.mark.long

BOTH = pytest.mark.parametrize("provider", ["anthropic", "gemini"])
Kind = FailureKind


@BOTH
@pytest.mark.parametrize(
    ("do", "kind", "status"),
    [
        ("{status: 401}", Kind.UNAUTHORISED, 401),
        ("{status: 403}", Kind.UNAUTHORISED, 403),
        ("{status: 404}", Kind.MISSING, 404),
        ("{status: 400}", Kind.REQUEST, 400),
        ("{status: 413}", Kind.REQUEST, 413),
        ("{status: 500}", Kind.FAILING, 500),
        ("{status: 529}", Kind.FAILING, 529),
        ("{close: true}", Kind.UNREACHABLE, None),
        ("{reset: true}", Kind.UNREACHABLE, None),
    ],
)
def test_a_providers_answer_decides(
    ask: Asking, provider: str, do: str, kind: FailureKind, status: int | None
) -> None:
    """By its own status, not by the one that LiteLLM maps it to."""
    ask.script(do)
    failure = ask.failure(provider)
    assert (failure.kind, failure.status) == (kind, status)


@BOTH
def test_a_limit_says_when_to_come_back(ask: Asking, provider: str) -> None:
    """Also for a stream of Gemini's, which LiteLLM opens with its first chunk."""
    ask.script("{status: 429, retry_after: 7}")
    plain = ask.failure(provider)
    assert (plain.kind, plain.status, plain.retry_after) == (Kind.LIMITED, 429, 7)
    streamed = ask.failure(provider, {"messages": MESSAGES, "stream": True})
    assert (streamed.kind, streamed.status, streamed.retry_after) == (Kind.LIMITED, 429, 7)


@BOTH
def test_nothing_is_asked_twice(ask: Asking, provider: str) -> None:
    """Retries are routing's."""
    ask.script("{status: 500}")
    ask.failure(provider)
    assert len(ask.upstream.journal()) == 1


@BOTH
@pytest.mark.parametrize(
    ("error", "refusal"),
    [("context_window", Refusal.CONTEXT_WINDOW), ("content_policy", Refusal.CONTENT_POLICY)],
)
def test_a_refusal_has_its_reason(ask: Asking, provider: str, error: str, refusal: Refusal) -> None:
    """It decides about fallbacks."""
    ask.script(f"{{error: {error}}}")
    failure = ask.failure(provider)
    assert (failure.kind, failure.status, failure.refusal) == (Kind.REQUEST, 400, refusal)


def test_a_streams_refusal_has_its_reason_too(ask: Asking) -> None:
    """LiteLLM hands Gemini's words on as they are when it opens a stream."""
    ask.script("{error: context_window}")
    failure = ask.failure("gemini", {"messages": MESSAGES, "stream": True})
    assert (failure.kind, failure.refusal) == (Kind.REQUEST, Refusal.CONTEXT_WINDOW)


@BOTH
def test_an_answer_that_cannot_be_read_is_the_providers(ask: Asking, provider: str) -> None:
    """LiteLLM fails inside, as it does for a malformed message."""
    ask.script("{end_after: 0}")
    assert ask.failure(provider).kind is Kind.FAILING


@BOTH
def test_arguments_that_cannot_be_read_are_the_requests(ask: Asking, provider: str) -> None:
    """The JSON that is broken came with the request."""
    function = {"name": "look_up", "arguments": '{"word": "Hu'}
    call = {"id": "call_1", "type": "function", "function": function}
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "{}"},
    ]
    ask.script()
    assert ask.failure(provider, {"messages": messages}).kind is Kind.REQUEST


@BOTH
def test_silence_is_unresponsive_plain_and_streamed(ask: Asking, provider: str) -> None:
    """LiteLLM has no timeout for a stream of Gemini's."""
    ask.script("{stall: 5}")
    assert ask.failure(provider, answer=0.5).kind is Kind.UNRESPONSIVE
    body = {"messages": MESSAGES, "stream": True}
    assert ask.failure(provider, body, answer=0.5).kind is Kind.UNRESPONSIVE
    ask.script("{stall_after: {pieces: 2, seconds: 5}}")
    found = ask.stream(provider, answer=0.5)
    assert found.failure is not None
    assert found.failure.kind is Kind.UNRESPONSIVE


@BOTH
@pytest.mark.parametrize("do", ["end_after", "cut_after", "reset_after", "broken_line_after"])
def test_a_stream_that_ends_short_is_a_failure_and_no_answer(
    ask: Asking, provider: str, do: str
) -> None:
    """LiteLLM invents `finish_reason: stop` for some of these."""
    ask.script(f"{{{do}: 3, end_after: 5}}" if do == "broken_line_after" else f"{{{do}: 3}}")
    found = ask.stream(provider)
    assert found.failure is not None
    assert found.failure.kind is Kind.UNREACHABLE
    assert found.finish_reasons == []
    assert found.usage.completion > 0


@BOTH
def test_an_error_within_a_stream_is_the_providers(ask: Asking, provider: str) -> None:
    """It has no HTTP status any more."""
    ask.script("{error_after: 2}")
    found = ask.stream(provider)
    assert found.failure is not None
    assert found.failure.kind is Kind.FAILING


@BOTH
def test_a_port_where_nobody_listens_is_unreachable(ask: Asking, provider: str) -> None:
    """LiteLLM calls it a server error of status 500."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        assert ask.failure(provider, url=url).kind is Kind.UNREACHABLE


@BOTH
def test_a_host_that_takes_no_connection_is_found_out_soon(ask: Asking, provider: str) -> None:
    """Within the bound on connecting, not on answering."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 -- the socket's own signature
            each.connect_ex(address)
        failure = ask.failure(provider, url=f"http://127.0.0.1:{address[1]}", answer=15)
        for each in waiting:
            each.close()
    assert failure.kind is Kind.UNREACHABLE


NONSENSE: list[object] = [
    None,
    0,
    -1,
    1.5,
    True,
    "x",
    "",
    [],
    [1],
    [None],
    [[]],
    {},
    {"a": 1},
    [{}],
]
FIELDS = (
    *("messages", "tools", "tool_choice", "response_format", "temperature", "max_tokens", "stop"),
    *("n", "logit_bias", "thinking", "reasoning_effort", "functions", "function_call", "user"),
    *("parallel_tool_calls", "top_logprobs", "modalities", "web_search_options", "seed", "audio"),
)
MESSAGES_OF_NONSENSE: list[object] = [
    *([{"role": role, "content": "x"}] for role in (None, 1, "", "tool", "nobody", "assistant")),
    *([{"role": "user", "content": content}] for content in NONSENSE),
    *([{"role": "user", "content": [part]}] for part in NONSENSE),
    *([{"role": "assistant", "tool_calls": calls}] for calls in NONSENSE),
    [{"role": "tool", "tool_call_id": 1, "content": "x"}],
    [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://[::"}}]}],
    [
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1"}}],
        }
    ],
    [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}],
    [{"role": "user", "content": [{"type": "file", "file": {"file_id": 5}}]}],
    [{"role": "user", "content": "invalid api key, status 401, rate limit 429, timeout"}, 5],
]


@BOTH
def test_nonsense_in_a_body_is_never_more_than_the_requests_fault(
    ask: Asking, provider: str
) -> None:
    """Else one caller takes the deployment from everybody."""
    bodies = [{"messages": MESSAGES, field: value} for field in FIELDS for value in NONSENSE] + [
        {"messages": messages} for messages in MESSAGES_OF_NONSENSE
    ]
    blamed = []
    for body in bodies:
        try:
            failure = ask.failure(provider, body)
        except AssertionError:
            continue
        if failure.kind is not Kind.REQUEST or not 400 <= (failure.status or 0) < 500:
            blamed.append((body, failure))
    assert blamed == []
    assert ask.plain(provider).data is not None


def test_a_wrong_type_is_refused_by_the_name_of_its_field(ask: Asking) -> None:
    """Before anybody is asked."""
    failure = ask.failure("anthropic", {"messages": MESSAGES, "max_tokens": "many"})
    assert (failure.status, failure.error_param) == (400, "max_tokens")
    assert ask.upstream.journal() == []
