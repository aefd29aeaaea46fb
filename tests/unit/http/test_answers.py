"""What of a stream waits for its end, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from gateway.http.answers import send_plain, send_stream
from gateway.providers.reply import PlainReply
from gateway.request import Usage
from unit.http.rooms import Conversation
from unit.routing.fakes import request

FILTERED: dict[str, Any] = {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
FIRST = {"choices": [{"index": 0, "delta": {"content": "one"}}]}
END_OF_FIRST = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
OTHER = {"choices": [{"index": 1, "delta": {"content": "two"}}]}
USAGE: dict[str, Any] = {"choices": [], "usage": {"total_tokens": 3}}
TRANSCRIPT = {"type": "transcript.text.delta", "delta": "one"}


class Booking:
    """Takes note of what was sent when the books were asked to wait."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self.before: list[Any] = []

    async def book_durably(self) -> None:
        """Take note."""
        self.before = [{**each} for each in self._talk.events if isinstance(each, dict)]

    def book(self) -> None:
        """Do nothing."""


class Stream:
    """Gives these chunks."""

    def __init__(self, *chunks: dict[str, Any]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for chunk in self._chunks:
            yield dict(chunk)

    async def close(self) -> None:
        """Do nothing."""


def streamed(*chunks: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return what was sent before the books, and in all."""
    talk = Conversation()
    booking = Booking(talk)

    async def send() -> None:
        asked = request(stream=True)
        stream = cast("Any", Stream(*chunks))
        status = await send_stream(
            talk.receive, talk.send, asked, "mine", stream, {}, cast("Any", booking)
        )
        assert status == 200

    asyncio.run(send())
    whole = talk.events
    for each in (*booking.before, *whole):
        if isinstance(each, dict):
            assert each.pop("model") == "mine"
    return booking.before, whole


@pytest.mark.parametrize(
    ("chunks", "flow"),
    [
        ([FILTERED, FIRST, END_OF_FIRST], [FILTERED, FIRST]),
        ([FIRST, END_OF_FIRST, OTHER, USAGE], [FIRST, OTHER]),
        ([FIRST, END_OF_FIRST, FILTERED], [FIRST]),
        ([TRANSCRIPT, {**TRANSCRIPT, "usage": {"total_tokens": 1}}], [TRANSCRIPT]),
    ],
    ids=["a filter's word first", "two choices", "a filter's word last", "a transcript"],
)
def test_only_what_tells_of_the_end_waits(
    chunks: list[dict[str, Any]], flow: list[dict[str, Any]]
) -> None:
    """Of a stream, only the chunks that tell of its end wait for the journal."""
    before, whole = streamed(*chunks)

    assert before == flow
    held = [each for each in chunks if each not in flow]
    assert whole == [*flow, *held, "[DONE]"]


def test_what_is_no_json_goes_out_as_it_came() -> None:
    """An answer that is not JSON, such as speech, keeps the provider's bytes and type."""
    talk = Conversation()
    reply = PlainReply(None, Usage(), b"\x00sound", "audio/mpeg")

    asyncio.run(send_plain(talk.send, request(), "mine", reply, {"x-limit": "ä\r\nb"}))

    assert talk.body == b"\x00sound"
    assert talk.headers["content-type"] == "audio/mpeg"
    assert talk.headers["content-length"] == "6"
    assert talk.headers["x-limit"] == "???b"
