"""One connection to a server: HTTP/1.1 by httptools (Node's parser), on asyncio's transports.

The call to a provider is the most expensive part of answering a request, and a general client
(aiohttp's) took a quarter of all processor time. This one leaves out what is not needed here:
cookies, requests in pieces, compression that was not asked for (gzip is understood).
"""

from __future__ import annotations

import asyncio
import zlib

import httptools

from gateway.providers.response import BrokenConnectionError, NotHttpError, Response

MAX_HEAD = 1 << 18
"""Bytes before the headers are complete; llhttp has no bound of its own."""

WRITTEN_AT_ONCE = 1 << 16
"""Bytes of a body that are copied behind its head, to be one packet and one system call."""


class Connection(asyncio.Protocol):
    """Takes one request after the other.

    Args:
        loop: that it is on.
        pool: where it is to be found while it is idle.

    Attributes:
        idle_since: on the loop's clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, pool: list[Connection]) -> None:
        self.loop = loop
        self.idle_since = 0.0
        self.transport: asyncio.Transport | None = None
        self._pool = pool
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        self._pairs: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return self.transport is not None and not self.transport.is_closing()

    def ask(self, head: bytes, body: bytes, *, whole: bool) -> Response:
        """Send a request; the answer is yet to come.

        Args:
            head: the request line and all headers, with the empty line.
            body: of the request.
            whole: whether the answer is wanted only when it has ended.
        """
        response = self._response = Response(self, whole=whole)
        transport = self.transport
        if transport is None:
            response.fail(BrokenConnectionError("closed"))
        elif len(body) <= WRITTEN_AT_ONCE:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        return response

    def abort(self) -> None:
        """Drop the connection."""
        self._response = None
        if self.transport is not None:
            self.transport.abort()

    def resume(self) -> None:
        """Let the server go on, if it was asked to wait."""
        if self._is_paused:
            self._is_paused = False
            if self.is_open and self.transport is not None:
                self.transport.resume_reading()

    def _fail(self, error: Exception) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.fail(error)

    # asyncio's Protocol: https://docs.python.org/3/library/asyncio-protocol.html

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self.transport = transport  # type: ignore[assignment] # of a stream, which typeshed leaves open

    def data_received(self, data: bytes) -> None:
        """Parse what came, and wake who waits for it."""
        response = self._response
        if response is None:  # nobody asked
            self.abort()
            return
        if not response.status:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, zlib.error) as error:
            self._fail(NotHttpError(str(error)))
            self.abort()
        if self._head_size > MAX_HEAD:
            self._fail(NotHttpError("its headers do not end"))
            self.abort()
        response.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits; where nothing says how long a body is, this is its end."""
        self.transport = None
        response = self._response
        if response is not None and exc is None and response.ends_with_connection:
            self._response = None
            response.end()
            response.wake()
        else:
            self._fail(BrokenConnectionError(str(exc or "closed by the server")))

    # httptools' callbacks: https://github.com/MagicStack/httptools#apis

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those behind a body are nobody's."""
        self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """Hand the head on, unless it is one before the real one (100, 103)."""
        status: int = self._parser.get_status_code()
        pairs, self._pairs = self._pairs, []
        self._head_size = 0
        if self._response is None:  # nobody asked
            self.abort()
        elif status >= 200:  # noqa: PLR2004 -- HTTP's
            self._response.begin(status, pairs)

    def on_body(self, part: bytes) -> None:
        """Hand a part of the body on."""
        response = self._response
        if response is not None and response.add(part) and self.transport is not None:
            self._is_paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        """Hand the end on, and be free for the next request."""
        response = self._response
        self._pairs = []
        if response is None or not response.status:
            return  # one of the heads before the real one
        self._response = None
        response.end()
        self.resume()
        transport = self.transport
        if transport is None:
            return
        if self._parser.should_keep_alive() and not transport.get_write_buffer_size():
            self.idle_since = self.loop.time()
            self._pool.append(self)
        else:
            transport.close()
