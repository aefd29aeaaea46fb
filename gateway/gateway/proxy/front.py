"""What listens for the gateway in LiteLLM's container: health, and a way through to LiteLLM.

It reads the first line of a connection and nothing else: the rest are bytes, joined to a connection
to LiteLLM. So streams, uploads and websockets pass as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.proxy.backend import HOST
from gateway.proxy.supervisor import State

if TYPE_CHECKING:
    from gateway.proxy.supervisor import Supervisor

LOG = logging.getLogger(__name__)

HEALTH = "/_supervisor/health"
"""What the container's health check and the gateway ask: free, and wakes nobody."""

CHUNK = 1 << 16
RETRY_AFTER = 5  # seconds
LINGER = 2.0  # seconds


class Front:
    """Serves one port.

    Args:
        supervisor: of LiteLLM.
        port: LiteLLM's own.
        hold_seconds: how long a request waits for LiteLLM's start, before its caller has to retry.
    """

    def __init__(self, supervisor: Supervisor, port: int, hold_seconds: float) -> None:
        self._supervisor = supervisor
        self._port = port
        self._hold = hold_seconds

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Begin to listen; return the server, to be closed at the end."""
        return await asyncio.start_server(self._connection, host, port, limit=CHUNK)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A connection kept for later requests must not wake LiteLLM, its first byte does.
            first = await reader.read(CHUNK)
            if not first:
                return
            if first.startswith(f"GET {HEALTH} ".encode()):
                writer.write(self._health())
            elif await self._supervisor.ensure(self._hold):
                await self._join(first, reader, writer)
            else:
                writer.write(self._unavailable())
            await writer.drain()
            await _linger(reader, writer)
        except OSError:
            LOG.debug("a connection broke", exc_info=True)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _join(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            from_litellm, to_litellm = await asyncio.open_connection(HOST, self._port)
        except OSError:
            writer.write(self._unavailable())
            return
        to_litellm.write(first)
        ways = {
            asyncio.create_task(self._copy(reader, to_litellm)),
            asyncio.create_task(self._copy(from_litellm, writer)),
        }
        try:
            # Either end closed: HTTP has no use for the other half.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_litellm.close()
            with contextlib.suppress(OSError):
                await to_litellm.wait_closed()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            self._supervisor.touch()
            target.write(data)
            await target.drain()

    def _health(self) -> bytes:
        supervisor = self._supervisor
        body = {
            "state": supervisor.state.value,
            "why": supervisor.why,
            "since": round(supervisor.changed_at),
        }
        return _response(503 if supervisor.state is State.FAILED else 200, body)

    def _unavailable(self) -> bytes:
        state, why = self._supervisor.state, self._supervisor.why
        what = f"LiteLLM's proxy is {state.value}{': it ' + why if why else ''}"
        error = {
            "message": f"{what}; try again in a moment",
            "type": "service_unavailable",
            "param": None,
            "code": "503",
        }
        return _response(503, {"error": error}, f"retry-after: {RETRY_AFTER}\r\n")


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read what is left of a request: else its sender sees a reset, not the answer."""
    if writer.can_write_eof():
        writer.write_eof()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_discard(reader), LINGER)


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(CHUNK):
        pass


def _response(status: int, body: object, more: str = "") -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\ncache-control: no-store\r\n"
        f"connection: close\r\n{more}\r\n"
    )
    return head.encode() + content
