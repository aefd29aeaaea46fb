"""Streams of servers that speak OpenAI's protocol."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.config.deployment import Deployment
from gateway.providers.stream import ProviderStream
from gateway.request import Operation, Request, Usage
from gateway.routing.failure import FailureKind
from unit.providers.wire import (
    DONE,
    HASTY,
    LAST,
    STOP,
    USAGE,
    Wire,
    chunk,
    data,
    events,
    openai,
    request,
    text_of,
)

A, B = chunk({"role": "assistant", "content": "A"}), chunk({"content": "B"})
WHOLE = events(A, B, STOP, LAST, DONE)
ASK = {"stream_options": {"include_usage": True}}


async def test_usage_is_always_asked_for_and_hidden_from_who_did_not_ask() -> None:
    """A stream's usage is always asked for, and hidden from a caller that did not ask."""
    async with openai(WHOLE) as made:
        chunks, stream = await made.chunks()
        assert chunks == [A, B, STOP]
        assert stream.usage == Usage(3, 2, raw=USAGE)
        assert made.server.asked[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize(
    "wire",
    [
        WHOLE,
        events(A, B, {**STOP, "usage": USAGE}, DONE),
        events({**A, "usage": None}, {**B, "usage": None}, STOP, LAST, DONE),
    ],
    ids=["of its own", "in the last chunk", "null before"],
)
async def test_who_asks_for_usage_gets_it_once_at_the_end(wire: Wire) -> None:
    """A caller that asks for usage gets it once at the end, wherever the server puts it."""
    async with openai(wire) as made:
        chunks, _ = await made.chunks(**ASK)
        assert [each.get("usage") for each in chunks] == [None, None, None, USAGE]
        assert chunks[-1]["choices"] == []
        assert all("usage" not in each for each in chunks[:-1])


async def test_usage_that_is_not_reported_is_counted() -> None:
    """Usage that a stream does not report is counted, and shown to a caller that asked."""

    async def count(_deployment: Deployment, _request: Request, text: str) -> tuple[int, int]:
        return 1, len(text)

    async with openai(events(A, B, STOP, DONE), count=count) as made:
        chunks, stream = await made.chunks(**ASK)
        assert (stream.usage.completion, stream.usage.counted) == (2, True)
        assert chunks[-1]["usage"]["completion_tokens"] == 2


async def test_a_server_that_refuses_stream_options_is_asked_without_them_from_then_on() -> None:
    """A server that refuses stream_options is asked without them from then on."""
    refusal = Wire(({"error": {"message": "unknown field stream_options"}},), 400)
    async with openai(refusal, events(A, STOP, DONE)) as made:
        for _ in range(2):
            chunks, _ = await made.chunks()
            assert text_of(chunks) == "A"
        bodies = [each.body for each in made.server.asked]
        assert ["stream_options" in each for each in bodies] == [True, False, False]


async def test_what_a_caller_puts_into_stream_options_changes_nothing_for_others() -> None:
    """A refusal of one caller's own stream_options changes nothing for other callers."""
    refusal = Wire(({"error": {"message": "stream_options.x"}},), 400)
    async with openai(refusal, events(A, STOP, DONE)) as made:
        await made.chunks(stream_options={"include_usage": True, "x": 1})
        await made.chunks()
        assert "stream_options" in made.server.asked[-1].body


async def test_a_stream_without_a_finish_reason_was_cut() -> None:
    """A stream without a finish_reason was cut, however it ended."""
    whole = events(A, B, DONE)
    cut = replace(events(A, B), cut=True)
    for wire in (whole, events(A, B), cut):
        async with openai(wire) as made:
            broken = await made.broken()
            assert text_of(broken.chunks) == "AB"
            assert broken.failure.kind is FailureKind.UNREACHABLE
            assert broken.stream.usage.counted


async def test_an_answer_that_is_whole_survives_a_break_after_it() -> None:
    """A stream that breaks after its finish_reason, before [DONE], is whole."""
    async with openai(replace(events(A, STOP), cut=True)) as made:
        chunks, _ = await made.chunks()
        assert chunks == [A, STOP]


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"message": "no", "code": 400}, FailureKind.REQUEST, 400),
        ({"message": "no", "code": 429}, FailureKind.LIMITED, 429),
        ({"message": "no", "type": "invalid_request_error"}, FailureKind.REQUEST, 400),
        ({"message": "no"}, FailureKind.FAILING, 500),
        ("no", FailureKind.FAILING, 500),
    ],
)
async def test_an_error_in_a_stream_ends_it(error: object, kind: FailureKind, status: int) -> None:
    """An error in a stream ends it as a failure, and what came before is still read."""
    async with openai(events(A, {"error": error}, B, STOP)) as made:
        broken = await made.broken()
        assert text_of(broken.chunks) == "A"
        assert (broken.failure.kind, broken.failure.status) == (kind, status)


@pytest.mark.parametrize(
    "bad", [b'data: {"a\n\n', b"data: 1\n\n", b'data: {"choices": [1]}\n\n'], ids=str
)
async def test_a_stream_that_cannot_be_read_is_failing(bad: bytes) -> None:
    """A stream that cannot be read any further makes its deployment failing."""
    async with openai(events(A, bad, STOP)) as made:
        broken = await made.broken()
        assert text_of(broken.chunks) == "A"
        assert broken.failure.kind is FailureKind.FAILING


async def test_comments_and_other_spellings_are_understood() -> None:
    """A stream may hold comments, CRLF, names of events and a last line without an end."""
    body = (
        b": ping\r\n\r\nevent: message\r\ndata:" + data(A)[6:].rstrip() + b"\r\n\r\n"
        b"id: 1\r\n" + data(STOP).rstrip()
    )
    async with openai(events(body)) as made:
        chunks, _ = await made.chunks()
        assert chunks == [A, STOP]


@pytest.mark.parametrize("first", [(), (b": ping\n\n",), (data(A),)], ids=str)
async def test_silence_ends_a_stream(first: tuple[bytes, ...]) -> None:
    """Silence ends a stream, before its first event and between two; comments do not count."""
    wire = replace(events(*first), pieces=(*first, None))
    async with openai(wire) as made:
        broken = await made.broken(HASTY)
        assert broken.failure.kind is FailureKind.UNRESPONSIVE
        await asyncio.wait_for(made.server.dropped.wait(), 5)


async def test_a_slow_reader_is_not_the_providers_silence() -> None:
    """A caller that reads slowly is not taken for a provider that is silent."""
    async with openai(WHOLE) as made:
        stream = await made.open()
        assert isinstance(stream, ProviderStream)
        first = await anext(stream)
        stream._silence = 0  # so that any time is too long
        stream._on_alarm()
        stream._silence = 10
        assert [first, *[each async for each in stream]] == [A, B, STOP]


async def test_closing_drops_the_connection_and_counts_what_was_produced() -> None:
    """Closing a stream drops its connection and counts what was produced so far."""

    async def count(_deployment: Deployment, _request: Request, text: str) -> tuple[int, int]:
        return 9, len(text)

    wire = replace(WHOLE, pieces=(data(A), None))
    async with openai(wire, count=count) as made:
        stream = await made.open()
        await anext(stream)
        await stream.close()
        await asyncio.wait_for(made.server.dropped.wait(), 5)
        assert (stream.usage.prompt, stream.usage.completion) == (9, 1)
        assert stream.usage.counted
        assert [each async for each in stream] == []
        await stream.close()


async def test_a_stream_that_produced_nothing_used_nothing() -> None:
    """A stream that is closed before it produced anything has no usage."""
    async with openai(replace(WHOLE, pieces=(None,))) as made:
        stream = await made.open()
        await stream.close()
        assert stream.usage == Usage()


async def test_a_stream_read_to_its_end_keeps_its_connection() -> None:
    """A stream that is read to its end leaves its connection to the next request."""
    async with openai(WHOLE) as made:
        await made.chunks()
        await made.chunks()
        assert [each.connection for each in made.server.asked] == [1, 1]


async def test_reasoning_goes_by_litellms_name() -> None:
    """A stream's reasoning is named `reasoning_content`, as LiteLLM names it."""
    async with openai(events(chunk({"reasoning": "hm"}), A, STOP, DONE)) as made:
        chunks, _ = await made.chunks()
        assert chunks[0]["choices"][0]["delta"] == {"reasoning_content": "hm"}


async def test_a_json_answer_to_a_stream_is_an_error_or_unreadable() -> None:
    """A JSON answer to a streamed request is the error in it, or else a failing deployment."""
    stream = request({"stream": True})
    async with openai(Wire(({"error": {"message": "no", "code": 429}},)), Wire()) as made:
        assert (await made.failure(stream)).kind is FailureKind.LIMITED
        assert (await made.failure(stream)).kind is FailureKind.FAILING


async def test_a_completion_streams_its_text() -> None:
    """A completion's stream holds texts in place of deltas."""
    choice = {"index": 0, "text": "A", "finish_reason": None}
    end = {"index": 0, "text": "", "finish_reason": "length"}
    wire = events({"id": "c", "choices": [choice]}, {"id": "c", "choices": [end]}, DONE)
    async with openai(wire) as made:
        asked = request({"prompt": "x", "stream": True}, Operation.COMPLETION)
        reply = await made.provider.ask(made.deployment, asked, HASTY)
        chunks = [each async for each in reply]  # type: ignore[union-attr]
        assert [each["choices"][0]["text"] for each in chunks] == ["A", ""]
        assert made.server.asked[0].path == "/v1/completions"
