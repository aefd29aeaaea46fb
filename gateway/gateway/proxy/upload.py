"""The body of a request on its way to LiteLLM, and the moment when its caller leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidRequestError
from gateway.http.asgi import ClientDisconnectedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Upload:
    """Reads a request's body once.

    Attributes:
        ended: set when the body was read, or when there is none.
    """

    def __init__(self, receive: Receive) -> None:
        self.ended = asyncio.Event()
        self._receive = receive
        self._left = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            ClientDisconnectedError: it broke off.
        """
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._left = True
                self.ended.set()
                raise ClientDisconnectedError
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self.ended.set()

    async def whole(self, most: int) -> bytes:
        """Return the body.

        Raises:
            InvalidRequestError: it is longer than `most` bytes, or broke off.
        """
        body = bytearray()
        try:
            async for piece in self.pieces():
                body += piece
                if len(body) > most:
                    raise InvalidRequestError(f"the body is longer than {most} bytes", status=413)
        except ClientDisconnectedError:
            raise InvalidRequestError("the body broke off") from None
        return bytes(body)

    async def left(self) -> None:
        """Return when the caller left; never, while it still waits for its answer."""
        await self.ended.wait()
        while not self._left:
            self._left = (await self._receive())["type"] == "http.disconnect"
