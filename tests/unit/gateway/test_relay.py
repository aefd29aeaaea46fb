"""LiteLLM's way to a database that only the gateway reaches."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import unused_port

from gateway.config.settings import load_settings
from gateway.database.relay import Relay, needs_relay, through_relay


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def relay_to(port: int) -> AsyncIterator[int]:
    """Yield the port of a relay to one."""
    own = unused_port()
    relay = Relay(f"postgresql://u:p@127.0.0.1:{port}/db", "127.0.0.1", own)
    await relay.start()
    try:
        yield own
    finally:
        await relay.close()


async def test_bytes_go_both_ways_as_they_are() -> None:
    """More than a buffer of them, whatever they are."""
    said = bytes(range(256)) * 2000

    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with relay_to(server.sockets[0].getsockname()[1]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        assert await reader.readexactly(len(said)) == said
        writer.close()
    server.close()


async def test_who_ends_ends_both_sides() -> None:
    """The server hangs up, and so does the relay."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with relay_to(server.sockets[0].getsockname()[1]) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
    server.close()


async def test_a_database_that_is_away_hangs_up_and_the_relay_goes_on() -> None:
    """A client that connects again when it is back is served."""
    database = unused_port()
    async with relay_to(database) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        server = await asyncio.start_server(_echo, "127.0.0.1", database)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"there again")
        assert await reader.readexactly(11) == b"there again"
        writer.close()
        server.close()


async def test_of_a_name_that_gateways_share_each_takes_its_own_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With two replicas the name stands for both; another's address is no reason to fail."""

    async def getaddrinfo(_: object, __: str, port: int, **___: object) -> list[Any]:
        addresses = ("192.0.2.1", "127.0.0.1")  # the first is of documentation (RFC 5737)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    relay = Relay("postgresql://u:p@127.0.0.1:1/db", "gateway-internal", unused_port())
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
        await relay.start()
    await relay.close()


async def test_a_port_that_is_taken_is_an_error() -> None:
    """Two programs on one port are a mistake that somebody has to hear of."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        relay = Relay("postgresql://u:p@h/db", "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await relay.start()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss%2F@db.example.org:6432/litellm?sslmode=require&schema=x%20y",
        "postgresql://u:p%40ss%2F@db.example.org/litellm?sslmode=require&schema=x%20y",
    ],
)
def test_the_url_keeps_all_but_the_address(url: str) -> None:
    """Credentials stay as they are quoted; the database's name goes along for its certificate."""
    made = urlsplit(through_relay(url, "http://gateway-internal:4001/v1"))

    assert made.netloc == "u:p%40ss%2F@gateway-internal:4002"
    assert made.path == "/litellm"
    assert parse_qs(made.query) == {
        "sslmode": ["require"],
        "schema": ["x y"],
        "sslservername": ["db.example.org"],
    }


@pytest.mark.parametrize(
    ("url", "internal_host", "needed"),
    [
        ("postgresql://u:p@db.example.org/litellm", "gateway-internal", True),
        ("postgresql://u:p@db.example.org/litellm", "127.0.0.1", False),
        ("postgresql://postgres@localhost/litellm?host=%2Fa", "127.0.0.1", False),
        ("", "gateway-internal", False),
        ("postgresql://u:p@db.example.org/litellm", None, False),
    ],
)
def test_only_a_container_needs_it(url: str, internal_host: str | None, needed: bool) -> None:
    """On one machine, as after a native start, LiteLLM reaches the database by itself."""
    settings = load_settings({"DATABASE_URL": url} if url else {})

    assert needs_relay(settings, internal_host) is needed
