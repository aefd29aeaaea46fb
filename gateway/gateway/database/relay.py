"""A way to a database of the user's own for LiteLLM's container, which has no way out.

LiteLLM's proxy reaches the gateway and nothing else; the bundled Postgres is on a network that it
shares. A database elsewhere it reaches through this: bytes are copied as they are, TLS stays
between LiteLLM and the database.
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
"""The relay listens on the internal endpoint's port and so many more."""

CHUNK = 1 << 16
CONNECT_SECONDS = 10.0


def needs_relay(settings: Settings, internal_host: str | None) -> bool:
    """Return whether LiteLLM's proxy needs it: for a database of the user's own, in a container.

    On the gateway's own machine LiteLLM reaches what the gateway reaches.

    Args:
        settings: the gateway's, or LiteLLM's.
        internal_host: of the gateway's internal endpoint.
    """
    own = settings.database_url is not None
    return own and internal_host is not None and internal_host not in LOOPBACK


class Relay:
    """Listens for LiteLLM's proxy and joins each connection to one of the database.

    Args:
        url: of the database.
        host: where to listen; of a name that several gateways share, at this one's addresses.
        port: where to listen.
    """

    def __init__(self, url: str, host: str, port: int) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "localhost", parts.port or 5432)
        self._listening = (host, port)
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken.
        """
        self._servers = [
            await asyncio.start_server(self._join, sock=each, limit=CHUNK)
            for each in await own_sockets(*self._listening)
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

    The database's own name goes along for its certificate (`sslservername`, which our engine
    understands: litellm/prisma-engine/src/postgres/tls-options.js).

    Args:
        url: of the database.
        internal_url: of the gateway's internal endpoint.
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
