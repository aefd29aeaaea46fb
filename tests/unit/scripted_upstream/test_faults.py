"""What goes wrong on the wire, seen by a client that has a real connection."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from .running import TEXT, Running, stream, text_of


def test_status_with_retry_after_in_seconds(upstream: Running) -> None:
    """retry_after is a Retry-After in whole seconds, and headers are sent along."""
    upstream.script("rules: [{do: {status: 429, retry_after: 1.5, headers: {x-left: '0'}}}]")

    answer = upstream.chat()

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["x-left"] == "0"


def test_retry_after_as_a_date(upstream: Running) -> None:
    """retry_after_date is a Retry-After with a date, some seconds from now."""
    upstream.script("rules: [{do: {status: 503, retry_after_date: 30}}]")

    date = upstream.chat().headers["retry-after"]

    when = parsedate_to_datetime(date)
    assert date.endswith(" GMT")
    assert timedelta(seconds=28) < when - datetime.now(UTC) <= timedelta(seconds=30)


@pytest.mark.parametrize(
    ("status", "kind"), [(418, "invalid_request_error"), (502, "server_error")]
)
def test_any_status(upstream: Running, status: int, kind: str) -> None:
    """Any error status can be sent, with a message of the script's own."""
    upstream.script(f"rules: [{{do: {{status: {status}, message: so nicht}}}}]")

    answer = upstream.chat()

    assert answer.status_code == status
    assert answer.json()["error"]["message"] == "so nicht"
    assert answer.json()["error"]["type"] == kind


def test_close(upstream: Running) -> None:
    """A close ends the connection before a single byte was sent."""
    upstream.script("rules: [{do: {close: true}}]")

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        upstream.chat()

    assert upstream.last()["ended"] == "closed"
    assert upstream.last()["status"] is None


def test_reset(upstream: Running) -> None:
    """A reset is an RST: the client sees ECONNRESET, not an end."""
    upstream.script("rules: [{do: {reset: true}}]")

    with pytest.raises(httpx.ReadError, match="reset by peer"):
        upstream.chat()

    assert upstream.last()["ended"] == "reset"


def test_cut_midway(upstream: Running) -> None:
    """cut_after sends that many words and then ends the connection without an end of the stream."""
    upstream.script("rules: [{do: {cut_after: 3}}]")

    chunks, error = stream(upstream)

    assert text_of(chunks) == "Der Hund schläft"
    assert isinstance(error, httpx.RemoteProtocolError)
    assert (upstream.last()["ended"], upstream.last()["pieces"]) == ("cut", 3)


def test_cut_before_the_first_word(upstream: Running) -> None:
    """cut_after 0 sends headers and opening events, and no word."""
    upstream.script("rules: [{do: {cut_after: 0}}]")

    chunks, error = stream(upstream)

    assert len(chunks) == 1
    assert text_of(chunks) == ""
    assert isinstance(error, httpx.RemoteProtocolError)


def test_cut_after_more_than_there_is(upstream: Running) -> None:
    """A count beyond the answer's end means after its last word, before its last events."""
    upstream.script("rules: [{do: {cut_after: 99}}]")

    chunks, error = stream(upstream)

    assert text_of(chunks) == TEXT
    assert chunks[-1]["choices"][0]["finish_reason"] is None
    assert error is not None


def test_reset_midway(upstream: Running) -> None:
    """reset_after sends that many words and then an RST."""
    upstream.script("rules: [{do: {reset_after: 3}}]")

    chunks, error = stream(upstream)

    assert text_of(chunks) == "Der Hund schläft"
    assert isinstance(error, httpx.ReadError)


def test_ends_too_early(upstream: Running) -> None:
    """end_after ends the stream in good order, without its last events."""
    upstream.script("rules: [{do: {end_after: 3}}]")

    chunks, error = stream(upstream)

    assert text_of(chunks) == "Der Hund schläft"
    assert chunks[-1]["choices"][0]["finish_reason"] is None
    assert error is None


def test_error_midway(upstream: Running) -> None:
    """error_after sends that many words and then the provider's error as the last event."""
    upstream.script("rules: [{do: {error_after: 2, message: zu viel}}]")

    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    lines = upstream.http.post("/v1/chat/completions", json=body).text.strip().split("\n\n")

    assert len(lines) == 4
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["message"] == "zu viel"


def test_broken_line(upstream: Running) -> None:
    """broken_line_after puts a line that is not JSON between the words, which then go on."""
    upstream.script("rules: [{do: {broken_line_after: 2}}]")

    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    lines = upstream.http.post("/v1/chat/completions", json=body).text.strip().split("\n\n")

    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[3].removeprefix("data: "))
    assert json.loads(lines[4].removeprefix("data: "))["choices"][0]["delta"]["content"]
    assert lines[-1] == "data: [DONE]"


@pytest.mark.parametrize(
    ("action", "error", "ended"),
    [
        ("cut_after: 2", httpx.RemoteProtocolError, "cut"),
        ("reset_after: 2", httpx.ReadError, "reset"),
    ],
)
def test_cuts_a_plain_answer_in_its_middle(
    upstream: Running, action: str, error: type[httpx.TransportError], ended: str
) -> None:
    """An answer that is not streamed is cut after half of its bytes."""
    upstream.script(f"rules: [{{do: {{{action}}}}}]")

    with pytest.raises(error):
        upstream.chat()

    assert upstream.last()["status"] == 200
    assert upstream.last()["ended"] == ended


@pytest.mark.parametrize("action", ["broken_line_after: 2", "end_after: 2"])
def test_breaks_a_plain_answer(upstream: Running, action: str) -> None:
    """An answer that is not streamed is half of its JSON, sent in good order."""
    upstream.script(f"rules: [{{do: {{{action}}}}}]")

    answer = upstream.chat()

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
