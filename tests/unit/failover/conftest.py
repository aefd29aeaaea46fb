"""One event loop for all tests of the router, warmed up."""

from __future__ import annotations

import asyncio
import warnings
from typing import TYPE_CHECKING

import pytest

from gateway.failover.cost import cost_of
from unit.failover.router_stack import Run, stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def warm() -> Iterator[asyncio.Runner]:
    """LiteLLM keeps its connections by loop, and imports much at its first call of each kind."""

    async def call_once() -> None:
        async with stack() as made:
            made.router.timeout = 60
            await made.text()
            await made.text(stream=True, stream_options={"include_usage": True})
            await made.primary.stop()
            await made.text()
            cost_of(await made.ask("second", stream=True))

    with asyncio.Runner() as runner:
        with warnings.catch_warnings(action="ignore"):
            runner.run(call_once())
        yield runner


@pytest.fixture
def run(warm: asyncio.Runner) -> Run:
    """Runs a test's coroutine."""
    return Run(warm)
