"""What goes wrong on the wire, seen by a client that has a real connection."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from support.wait import until

from .running import SCHEMA, TEXT

if TYPE_CHECKING:
    from .running import Running

STRUCTURED = {"type": "json_schema", "json_schema": {"name": "items", "schema": SCHEMA}}


def stream(upstream: Running) -> tuple[list[dict[str, Any]], httpx.TransportError | None]:
    """Ask for a stream; return the chunks that came, and how the connection failed."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    lines: list[str] = []
    try:
        with upstream.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            lines.extend(answer.iter_lines())
    except httpx.TransportError as error:
        return _chunks(lines), error
    return _chunks(lines), None


def _chunks(lines: list[str]) -> list[dict[str, Any]]:
    found = [each.removeprefix("data: ") for each in lines if each]
    return [json.loads(each) for each in found if each != "[DONE]"]


def text(chunks: list[dict[str, Any]]) -> str:
    """Return the text that chunks bring."""
    return "".join(
        choice["delta"].get("content") or "" for each in chunks for choice in each["choices"]
    )


def test_status_with_retry_after_in_seconds(upstream: Running) -> None:
    """retry_after is a Retry-After in whole seconds, and headers are sent along."""
    upstream.script("rules: [{do: {status: 429, retry_after: 1.5, headers: {x-left: '0'}}}]")

    answer = upstream.chat()

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["x-left"] == "0"


def test_retry_after_as_a_date(upstream: Running) -> None:
    """retry_after_date is a Retry-After with the date of so many seconds from now."""
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
    """cut_after sends so many words and then ends the connection without an end of the stream."""
    upstream.script("rules: [{do: {cut_after: 3}}]")

    chunks, error = stream(upstream)

    assert text(chunks) == "Der Hund schläft"
    assert isinstance(error, httpx.RemoteProtocolError)
    assert (upstream.last()["ended"], upstream.last()["pieces"]) == ("cut", 3)


def test_cut_before_the_first_word(upstream: Running) -> None:
    """cut_after 0 sends headers and opening events, and no word."""
    upstream.script("rules: [{do: {cut_after: 0}}]")

    chunks, error = stream(upstream)

    assert len(chunks) == 1
    assert text(chunks) == ""
    assert isinstance(error, httpx.RemoteProtocolError)


def test_cut_after_more_than_there_is(upstream: Running) -> None:
    """A count beyond the answer's end means after its last word, before its last events."""
    upstream.script("rules: [{do: {cut_after: 99}}]")

    chunks, error = stream(upstream)

    assert text(chunks) == TEXT
    assert chunks[-1]["choices"][0]["finish_reason"] is None
    assert error is not None


def test_reset_midway(upstream: Running) -> None:
    """reset_after sends so many words and then an RST."""
    upstream.script("rules: [{do: {reset_after: 3}}]")

    chunks, error = stream(upstream)

    assert text(chunks) == "Der Hund schläft"
    assert isinstance(error, httpx.ReadError)


def test_ends_too_early(upstream: Running) -> None:
    """end_after ends the stream in good order, without its last events."""
    upstream.script("rules: [{do: {end_after: 3}}]")

    chunks, error = stream(upstream)

    assert text(chunks) == "Der Hund schläft"
    assert chunks[-1]["choices"][0]["finish_reason"] is None
    assert error is None


def test_error_midway(upstream: Running) -> None:
    """error_after sends so many words and then the provider's error as the last event."""
    upstream.script("rules: [{do: {error_after: 2, message: zu viel}}]")

    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}
    lines = upstream.http.post("/v1/chat/completions", json=body).text.strip().split("\n\n")

    assert len(lines) == 4
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["message"] == "zu viel"


def test_broken_line(upstream: Running) -> None:
    """broken_line_after puts a line that is no JSON between the words, which then go on."""
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


def test_stall_before_the_first_byte(upstream: Running) -> None:
    """A stall lets the client wait before anything is sent."""
    upstream.script("rules: [{do: {stall: 0.3}}]")

    assert upstream.chat().status_code == 200

    assert 0.3 <= upstream.last()["first_byte_seconds"] < 2


def test_stall_midway(upstream: Running) -> None:
    """stall_after lets the client wait after so many words, and then goes on."""
    upstream.script("rules: [{do: {stall_after: {pieces: 2, seconds: 0.3}}}]")

    chunks, error = stream(upstream)

    assert text(chunks) == TEXT
    assert error is None
    assert upstream.last()["first_byte_seconds"] < 0.2
    assert upstream.last()["seconds"] >= 0.3


def test_slow_tokens(upstream: Running) -> None:
    """ms_per_token pauses before each word; who does not stream waits for all of them."""
    upstream.script("rules: [{do: {ms_per_token: 30}}]")

    stream(upstream)
    upstream.chat()

    streamed, plain = upstream.journal()
    assert streamed["first_byte_seconds"] < 0.2
    assert streamed["seconds"] >= 0.27
    assert plain["first_byte_seconds"] >= 0.27


def test_notices_that_the_client_left(upstream: Running) -> None:
    """A hang ends as soon as the client gives up, and the journal says so."""
    upstream.script("rules: [{do: {stall: 3600}}]")

    with pytest.raises(httpx.ReadTimeout):
        upstream.http.post(
            "/v1/chat/completions", json={"model": "m", "messages": [{"role": "user"}]}, timeout=0.2
        )

    entry = until(
        lambda: next((each for each in upstream.journal() if each["client_left"]), None),
        seconds=5,
        what="the journal to note that the client left",
    )
    assert entry["seconds"] < 5
    assert upstream.ledger()["total"]["broken"] == 1


def test_notices_that_the_client_left_midway(upstream: Running) -> None:
    """A stream that nobody reads any more ends, and only what was sent is billed."""
    upstream.script("rules: [{do: {stall_after: {pieces: 2, seconds: 3600}}}]")
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}

    with upstream.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        received = ""
        for part in answer.iter_text():
            received += part
            if received.count("data: ") == 3:
                break

    entry = until(
        lambda: next((each for each in upstream.journal() if each["client_left"]), None),
        seconds=5,
        what="the journal to note that the client left",
    )
    assert (entry["pieces"], entry["usage"]["output"]) == (2, 2)


def test_a_hang_holds_nobody_else_up(upstream: Running) -> None:
    """While one request hangs, others are answered."""
    upstream.script("rules: [{match: {model: slow}, do: {stall: 3600}}]")
    host, port = upstream.url.removeprefix("http://").split(":")
    body = b'{"model": "slow", "messages": [{"role": "user"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"

    with socket.create_connection((host, int(port))) as hanging:
        hanging.sendall(head % len(body) + body)
        until(lambda: upstream.journal("ended=open"), seconds=5, what="the hanging request")
        assert upstream.chat().status_code == 200


@pytest.mark.parametrize("plain", [True, False])
def test_no_usage(upstream: Running, *, plain: bool) -> None:
    """no_usage leaves the token counts out of the answer, but not out of the ledger."""
    upstream.script("rules: [{do: {no_usage: true}}]")

    options = {"stream": True, "stream_options": {"include_usage": True}}
    answer = upstream.chat({} if plain else options)

    assert '"usage"' not in answer.text
    assert upstream.ledger()["total"]["output"] == 9


def test_empty_answer(upstream: Running) -> None:
    """An empty answer is one without a word."""
    upstream.script("rules: [{do: {empty: true}}]")

    answer = upstream.chat().json()

    assert answer["choices"][0]["message"]["content"] == ""
    assert answer["usage"]["completion_tokens"] == 0


def test_wrong_model(upstream: Running) -> None:
    """The scripted model is who claims to have answered; the journal keeps who was asked."""
    upstream.script("rules: [{do: {model: gpt-2}}]")

    assert upstream.chat().json()["model"] == "gpt-2"
    assert upstream.last()["model"] == "gpt-4o-mini"


def test_bad_json(upstream: Running) -> None:
    """bad_json breaks a structured answer in one of three ways, and leaves a text alone."""
    upstream.script("""
        rules:
          - {when: {nth: 1}, do: {bad_json: wrong_type}}
          - {when: {nth: 2}, do: {bad_json: truncated}}
          - {do: {bad_json: prose}}
    """)

    wrong, truncated, prose, plain = (
        upstream.chat(asked).json()["choices"][0]["message"]["content"]
        for asked in ({"response_format": STRUCTURED},) * 3 + ({},)
    )

    assert json.loads(wrong) == {"items": "keine Zahl"}
    assert truncated.startswith('{"items": [{"article"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(truncated)
    assert prose.startswith("Gern!")
    assert plain == TEXT


def test_many_at_once(upstream: Running) -> None:
    """Under parallel calls each is numbered, judged and journalled once."""
    upstream.script("rules: [{when: {every: 4}, do: {status: 500}}]")
    statuses: list[int] = []

    threads = [
        threading.Thread(target=lambda: statuses.extend(upstream.statuses(10))) for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert (statuses.count(200), statuses.count(500)) == (60, 20)
    assert len({each["number"] for each in upstream.journal()}) == 80


def test_a_slow_upstream_and_a_fast_one(upstream: Running) -> None:
    """Two upstreams in one server have speeds of their own, chosen by path or by key."""
    upstream.script("""
        upstreams:
          slow: {key: sk-slow, stall: 0.3}
          fast: {key: sk-fast, answer: {text: schnell}}
    """)
    started = time.monotonic()

    upstream.chat(path="/u/slow/v1/chat/completions")
    upstream.chat(key="sk-slow")
    both_slow = time.monotonic() - started
    by_path = upstream.chat(path="/u/fast/v1/chat/completions").json()
    by_key = upstream.chat(key="sk-fast").json()

    assert both_slow >= 0.6
    assert {each["choices"][0]["message"]["content"] for each in (by_path, by_key)} == {"schnell"}
    assert [each["upstream"] for each in upstream.journal()] == ["slow", "slow", "fast", "fast"]
