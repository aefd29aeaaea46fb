"""The internal endpoint listens at this gateway's own address, of those that a name stands for."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.test_utils import unused_port

from gateway.http.listener import Listener

ELSEWHERE = "192.0.2.1"
"""An address of documentation (RFC 5737), which no machine has."""


async def _app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 -- ASGI
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@pytest.fixture
def name_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives every name the same addresses."""

    def stands_for(*addresses: str) -> None:
        async def getaddrinfo(_: object, __: str, port: int, **___: object) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in addresses
            ]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

    return stands_for


def test_the_gateways_own_server_keeps_its_log() -> None:
    """Making the internal listener leaves the process's access log as it was."""
    access = logging.getLogger("uvicorn.access")
    before = (access.level, access.propagate, list(access.handlers))
    Listener(_app, "127.0.0.1", unused_port())
    assert (access.level, access.propagate, list(access.handlers)) == before


async def test_of_a_name_that_gateways_share_each_takes_its_own_address(
    name_of: Callable[..., None],
) -> None:
    """Of a name that stands for several gateways, a listener takes its own address."""
    name_of(ELSEWHERE, "127.0.0.1")
    port = unused_port()

    listener = Listener(_app, "gateway-internal", port)
    await listener.start()
    assert await _listens(port)
    await listener.stop()


async def test_where_the_name_is_another_gateways_it_serves_all_else(
    name_of: Callable[..., None],
) -> None:
    """Where the name is another gateway's alone, a listener starts without listening."""
    name_of(ELSEWHERE)
    port = unused_port()

    listener = Listener(_app, "gateway-internal", port)
    await listener.start()
    assert not await _listens(port)
    await listener.stop()


def test_a_port_that_is_taken_is_an_error() -> None:
    """A listener whose port is taken fails to start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener = Listener(_app, "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            asyncio.run(listener.start())


async def test_processes_of_one_gateway_share_the_port() -> None:
    """Two listeners that are told to share a port both listen there."""
    port = unused_port()

    one, other = (Listener(_app, "127.0.0.1", port, is_shared=True) for _ in range(2))
    await one.start()
    await other.start()
    await one.stop()
    assert await _listens(port), "the other one still does"
    await other.stop()
    assert not await _listens(port)
