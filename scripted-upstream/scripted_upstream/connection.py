"""The TCP connection under a request: to reset it, to cut it, to notice that the client left.

ASGI has no words for any of this, so the HTTP protocol of uvicorn hands its transport down in the
scope. Without one (a test inside the process) a broken connection is a ConnectionResetError.
"""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "scripted_upstream.transport"
_PARTING_SECONDS = 5


class ClientLeftError(Exception):
    """The client closed the connection before it had its answer."""


class Protocol(H11Protocol):
    """HTTP/1.1 that tells the application which connection it is on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the transport into every scope of this connection."""
        super().connection_made(transport)
        app: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


class Connection:
    """One request's connection.

    It watches for the client to leave from `watch` on, which is when the body has been read.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._transport: asyncio.Transport | None = scope.get(_TRANSPORT)
        self._receive = receive
        self._gone = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    def watch(self) -> None:
        """Begin to notice that the client leaves."""
        self._watcher = asyncio.create_task(self._wait_for_the_end())

    async def _wait_for_the_end(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()

    async def pause(self, seconds: float) -> None:
        """Wait; raise ClientLeftError as soon as the client leaves."""
        if seconds > 0:
            try:
                await asyncio.wait_for(self._gone.wait(), seconds)
            except TimeoutError:
                return
        self.check()

    def check(self) -> None:
        """Raise ClientLeftError if the client has left."""
        if self._gone.is_set():
            raise ClientLeftError

    async def close(self) -> None:
        """End the connection after what was sent, as a server that dies in good order would."""
        if self._transport is None:
            raise ConnectionResetError("closed by the script")
        self._transport.close()
        await self._part()

    async def reset(self) -> None:
        """End the connection with an RST, as a crashed process or a firewall would."""
        if self._transport is None:
            raise ConnectionResetError("reset by the script")
        wire: socket.socket = self._transport.get_extra_info("socket")
        # A linger time of 0 makes close(2) send RST instead of FIN: socket(7)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        await self._part()

    async def _part(self) -> None:
        """Wait until the server knows it too, or it would complain of a missing answer."""
        try:
            await asyncio.wait_for(self._gone.wait(), _PARTING_SECONDS)
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()

    def stop_watching(self) -> None:
        """End the watch."""
        if self._watcher is not None:
            self._watcher.cancel()
