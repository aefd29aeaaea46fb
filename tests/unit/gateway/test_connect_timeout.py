"""A host that drops packets is found out in seconds, however long its model may take to answer."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

from gateway.connect_timeout import within
from gateway.failover.failure import FailureKind, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def blackhole() -> Iterator[str]:
    """Yield the address of a port that takes no more connections and refuses none.

    Linux drops what knocks at a listener whose queue is full.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as filler:
        filler.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def ask(url: str, *, bound: float, timeout: httpx.Timeout) -> BaseException | None:
    """Return what a call through LiteLLM's transport raised."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it is fetched from the net
    from litellm.llms.custom_httpx.aiohttp_transport import (  # noqa: PLC0415 -- after that
        LiteLLMAiohttpTransport,
    )

    handle = within(bound, LiteLLMAiohttpTransport.handle_async_request)
    bounded = type("Bounded", (LiteLLMAiohttpTransport,), {"handle_async_request": handle})

    async def call() -> BaseException | None:
        transport = bounded(client=aiohttp.ClientSession())
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
            try:
                await client.get(url)
            except httpx.HTTPError as error:
                return error
        return None

    return asyncio.run(call())


def test_connecting_is_bounded_though_answering_may_take_long(blackhole: str) -> None:
    """With 60 s for the answer and 0.3 s for the connection, a dropped one fails after 0.3 s."""
    started = time.monotonic()

    error = ask(blackhole, bound=0.3, timeout=httpx.Timeout(60))

    assert isinstance(error, httpx.NetworkError)
    assert "127.0.0.1 within 0.3 s" in str(error)
    assert time.monotonic() - started < 10


def test_a_calls_own_shorter_timeout_holds(blackhole: str) -> None:
    """A call that allows 0.2 s for connecting is not given more."""
    error = ask(blackhole, bound=30, timeout=httpx.Timeout(60, connect=0.2))

    assert "within 0.2 s" in str(error)


def test_nobody_reached_is_unreachable_and_not_a_hang(blackhole: str) -> None:
    """Failover treats it as no connection: a probe brings the deployment back, no long cooldown."""
    error = ask(blackhole, bound=0.1, timeout=httpx.Timeout(60))

    assert error is not None
    assert failure_of(error).kind is FailureKind.UNREACHABLE
