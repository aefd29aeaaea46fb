"""New connections: names looked up, addresses tried, proxies passed, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

from aiohappyeyeballs import start_connection

from gateway.providers.connection import Connection
from gateway.providers.response import BrokenConnectionError
from gateway.providers.target import PORTS

if TYPE_CHECKING:
    from gateway.providers.target import Target

NEXT_ADDRESS = 0.25
"""Seconds before another address of a name is tried in parallel (RFC 8305)."""

OK = 200


class Dialler:
    """Opens connections.

    Args:
        tls: for https; None for one that trusts what the system and SSL_CERT_FILE say.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls

    async def connect(self, target: Target, pool: list[Connection]) -> Connection:
        """Return a new connection, through the target's proxy if it has one.

        Args:
            target: where to.
            pool: where it is to be found while it is idle.

        Raises:
            OSError: no connection could be made.
        """
        proxy = target.proxy
        if proxy is None:
            return await self._open(target.host, target.port, pool, is_secure=target.is_secure)
        host, port = proxy.hostname or "", proxy.port or PORTS[proxy.scheme]
        is_secure = proxy.scheme == "https"
        if not target.is_secure:
            return await self._open(host, port, pool, is_secure=is_secure)
        connection = await self._open(host, port, [], is_secure=is_secure)
        try:
            return await self._through(connection, target, pool)
        except BaseException:
            connection.abort()
            raise

    async def _open(
        self, host: str, port: int, pool: list[Connection], *, is_secure: bool
    ) -> Connection:
        loop = asyncio.get_running_loop()
        # Looked up each time: a stopped container's address leads nowhere, its name is refused at
        # once.
        found = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        raw = await start_connection(
            found, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1, loop=loop
        )
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(loop, pool),
                sock=raw,
                ssl=self._tls_context() if is_secure else None,
                server_hostname=host if is_secure else None,
            )
        except BaseException:
            raw.close()
            raise
        return connection

    async def _through(
        self, connection: Connection, target: Target, pool: list[Connection]
    ) -> Connection:
        """Return an encrypted connection in a tunnel through a proxy."""
        response = connection.ask(target.tunnel(), b"", whole=False)
        await response.ready()
        if response.status != OK or connection.transport is None:
            raise BrokenConnectionError(f"the proxy answered {response.status}")
        inside = Connection(connection.loop, pool)
        transport = await connection.loop.start_tls(
            connection.transport, inside, self._tls_context(), server_hostname=target.host
        )
        if transport is None:
            raise BrokenConnectionError("closed by the proxy")
        inside.connection_made(transport)
        return inside

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls
