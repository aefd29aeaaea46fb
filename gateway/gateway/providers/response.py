"""A server's answer on its way in: its head, and its body as it comes."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.providers.connection import Connection

MAX_BUFFERED = 1 << 17
"""Bytes of an answer that wait for its reader before the server is asked to wait."""

_COMPRESSED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class BrokenConnectionError(ConnectionError):
    """The connection ended before the answer did."""


class NotHttpError(ConnectionError):
    """The server answers in something else than HTTP."""


class Response:
    """A server's answer: its head, and its body as it comes.

    Attributes:
        status: HTTP's; 0 until the headers are there.
        headers: in lower case; those that came several times with commas between.
    """

    __slots__ = (
        "_connection",
        "_decoder",
        "_ended",
        "_failure",
        "_parts",
        "_size",
        "_waiter",
        "_whole",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, *, whole: bool) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._connection = connection
        self._whole = whole
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._decoder: zlib._Decompress | None = None

    @property
    def at_eof(self) -> bool:
        """Whether all of the body was read."""
        return self._ended and not self._parts

    @property
    def content_type(self) -> str:
        """The media type without parameters, in lower case; "" for none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def ends_with_connection(self) -> bool:
        """Whether it has begun, and nothing says how long it is (RFC 9112, section 6.3)."""
        headers = self.headers
        is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        return self.status > 0 and not is_chunked and "content-length" not in headers

    async def readany(self) -> bytes:
        """Return what came of the body, waiting for it where nothing has; b"" at its end.

        Raises:
            BrokenConnectionError, NotHttpError: the rest does not come.
            asyncio.TimeoutError: `time_out` was called.
        """
        while not self._parts:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            await self.wait()
        parts, self._parts = self._parts, []
        self._size = 0
        self._connection.resume()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def ready(self) -> None:
        """Return when the headers are there; of an answer that is wanted whole, when all is.

        Raises:
            BrokenConnectionError, NotHttpError, asyncio.TimeoutError: as `readany`.
        """
        while self._failure is None and not (self._ended if self._whole else self.status):
            await self.wait()
        if self._failure is not None:
            raise self._failure

    def body(self) -> bytes:
        """Return the whole body of an answer that has ended."""
        return b"".join(self._parts)

    def close(self) -> None:
        """End it: nothing more is wanted. A connection in the midst of an answer is dropped."""
        if not self._ended:
            self.fail(BrokenConnectionError("closed"))
            self._connection.abort()

    def time_out(self) -> None:
        """End it: it took too long."""
        if not self._ended:
            self.fail(asyncio.TimeoutError())
            self._connection.abort()

    async def wait(self) -> None:
        """Return when something came."""
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What its connection calls.

    def begin(self, status: int, pairs: list[tuple[bytes, bytes]]) -> None:
        """Take in the head."""
        headers = self.headers
        for raw_name, raw_value in pairs:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.status = status
        if headers.get("content-encoding", "").lower() in _COMPRESSED:
            self._decoder = zlib.decompressobj(_GZIP_OR_ZLIB)

    def add(self, part: bytes) -> bool:
        """Take in a part of the body; return whether the server has to wait with more."""
        if self._decoder is not None:
            part = self._decoder.decompress(part)
        if part:
            self._parts.append(part)
            self._size += len(part)
        return self._size > MAX_BUFFERED and not self._whole

    def end(self) -> None:
        """Take note that the body has ended."""
        self._ended = True

    def fail(self, error: Exception) -> None:
        """Take note that the rest does not come."""
        self._ended = True
        self._failure = error
        self.wake(always=True)

    def wake(self, *, always: bool = False) -> None:
        """Let who waits go on, if there is something for it."""
        waiter = self._waiter
        if waiter is not None and not waiter.done() and (always or self._ended or not self._whole):
            waiter.set_result(None)
