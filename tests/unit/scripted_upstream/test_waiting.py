"""Hangs, slowness, clients that leave, and many at once."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from support.wait import until

from .running import TEXT, Running, stream, text_of


def test_stall_before_the_first_byte(upstream: Running) -> None:
    """A stall lets the client wait before anything is sent."""
    upstream.script("rules: [{do: {stall: 0.3}}]")

    assert upstream.chat().status_code == 200

    assert 0.3 <= upstream.last()["first_byte_seconds"] < 2


def test_stall_midway(upstream: Running) -> None:
    """stall_after lets the client wait after that many words, and then goes on."""
    upstream.script("rules: [{do: {stall_after: {pieces: 2, seconds: 0.3}}}]")

    chunks, error = stream(upstream)

    assert text_of(chunks) == TEXT
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
