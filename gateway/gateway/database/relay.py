"""A relay through which LiteLLM's container reaches a database of the user's own.

LiteLLM's container has no route to the outside. It reaches the gateway, and the bundled Postgres,
which is on a network that both share. It reaches a database elsewhere through this relay. Bytes are
copied unchanged, so TLS stays between LiteLLM and the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from gateway.config.checked import LOOPBACK
from gateway.own_sockets import own_sockets

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from gateway.config.settings import Settings

LOG = logging.getLogger(__name__)

PORT_AFTER_INTERNAL = 1
"""The relay's port, counted from the internal endpoint's."""

CHUNK = 1 << 16
CONNECT_SECONDS = 10.0


def needs_relay(settings: Settings, internal_host: str | None) -> bool:
    """Return whether LiteLLM's proxy needs the relay.

    It does if it runs in a container and the database is the user's own. If the internal endpoint
    is on loopback, LiteLLM runs beside the gateway, and reaches whatever the gateway reaches.

    Args:
        settings: the settings of the gateway or of LiteLLM's container.
        internal_host: the host of the gateway's internal endpoint.
    """
    own = settings.database_url is not None
    return own and internal_host is not None and internal_host not in LOOPBACK


class Relay:
    """Listens for LiteLLM's proxy, and joins each connection to a new one to the database.

    Args:
        url: the URL of the database.
        host: the host to listen on. If several gateways share the name, only this gateway's
            addresses count.
        port: the port to listen on.
        is_shared: whether other processes of this gateway listen there, too.
    """

    def __init__(self, url: str, host: str, port: int, *, is_shared: bool = False) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "localhost", parts.port or 5432)
        self._listening = (host, port)
        self._is_shared = is_shared
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken.
        """
        self._servers = [
            await asyncio.start_server(self._join, sock=each, limit=CHUNK)
            for each in await own_sockets(*self._listening, is_shared=self._is_shared)
        ]

    async def close(self) -> None:
        """Stop listening; open connections end with the process."""
        for server in self._servers:
            server.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connecting = asyncio.open_connection(*self._target)
            theirs, ours = await asyncio.wait_for(connecting, CONNECT_SECONDS)
        except (OSError, asyncio.TimeoutError) as error:
            LOG.info("the database cannot be reached for LiteLLM: %s", type(error).__name__)
            writer.close()
            return
        ways = [
            asyncio.ensure_future(_copy(reader, ours)),
            asyncio.ensure_future(_copy(theirs, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for end in (writer, ours):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()


def through_relay(url: str, internal_url: str) -> str:
    """Return a database's URL that leads through the relay.

    The URL keeps the database's own host name as `sslservername`, so that its certificate can be
    checked. Our engine reads that: litellm/prisma-engine/src/postgres/tls-options.js.

    Args:
        url: the URL of the database.
        internal_url: the URL of the gateway's internal endpoint.
    """
    parts, internal = urlsplit(url), urlsplit(internal_url)
    port = (internal.port or 4001) + PORT_AFTER_INTERNAL
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True))}
    query["sslservername"] = parts.hostname or "localhost"
    netloc = f"{_credentials(parts)}{internal.hostname}:{port}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))


def _credentials(parts: SplitResult) -> str:
    user, at, _ = parts.netloc.rpartition("@")
    return f"{user}{at}"
