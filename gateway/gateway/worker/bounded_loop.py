"""An event loop whose connections to providers are bounded in time.

LiteLLM knows one timeout for all of a call, and a model may take minutes to answer; a host that
drops packets would take as long to be found out. Every one of its asynchronous clients connects by
`loop.sock_connect`, which is asyncio's public interface:
https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_connect
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

CONNECT: ContextVar[float] = ContextVar("CONNECT", default=5.0)
"""Seconds for a connection of this call."""


class NoConnectionInTimeError(TimeoutError):
    """No connection came about within the bound."""


class BoundedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, with that bound."""

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401 -- asyncio's
        """Connect a socket.

        Raises:
            NoConnectionInTimeError: it took longer than CONNECT.
        """
        seconds = CONNECT.get()
        try:
            await asyncio.wait_for(super().sock_connect(sock, address), seconds)
        except asyncio.TimeoutError:
            raise NoConnectionInTimeError(f"no connection within {seconds:g} s") from None
