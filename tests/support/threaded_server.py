"""uvicorn in a thread of the test's process, which says when it is up and ends at once."""

from __future__ import annotations

import socket
import ssl
import threading
from asyncio import sleep  # a test that replaces asyncio.sleep means its own program's

import httpx
import uvicorn

NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP: to read the authorities' certificates takes 50 ms for each client."""

TICK_SECONDS = 0.005
"""uvicorn itself looks every tenth of a second whether it is to end: a test's whole time."""


class ThreadedServer(uvicorn.Server):
    """A server that runs in a thread from its creation on.

    Args:
        config: with port 0 it gets a free one.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._up = threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        assert self._up.wait(10), "the server did not start"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell."""
        await super().startup(sockets)
        self._up.set()

    async def main_loop(self) -> None:
        """Serve until told to end."""
        await self.on_tick(0)  # sets the headers that every answer has
        while not self.should_exit:  # noqa: ASYNC110 -- set by another thread, and by signals
            await sleep(TICK_SECONDS)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}"

    def client(self, timeout: float) -> httpx.Client:
        """Return a client of it, with that timeout in seconds."""
        return httpx.Client(base_url=self.url, timeout=timeout, verify=NO_AUTHORITIES)

    def stop(self, *, force: bool = False) -> None:
        """End it.

        Args:
            force: whether requests under way are dropped.
        """
        self.should_exit, self.force_exit = True, force
        self._thread.join(20)
