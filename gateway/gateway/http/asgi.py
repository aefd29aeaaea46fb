"""ASGI's messages, and the few lines that answer a request: https://asgi.readthedocs.io."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.errors import GatewayError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
NO_SNIFFING = (b"x-content-type-options", b"nosniff")


async def answer_bytes(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send a whole response, and add its length to the headers."""
    headers.append((b"content-length", b"%d" % len(body)))
    headers.append(NO_SNIFFING)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def answer_json(
    send: Send, status: int, content: object, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a JSON response."""
    await answer_bytes(send, status, [JSON, *headers], orjson.dumps(content))


async def answer_error(
    send: Send, error: GatewayError, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send an error in OpenAI's form, with the error's own headers."""
    more = [*headers, *encoded(error.headers)]
    if error.retry_after is not None:
        more.append((b"retry-after", b"%d" % error.retry_after))
    await answer_json(send, error.status, error.body(), more)


def encoded(headers: dict[str, str]) -> Headers:
    """Return headers in ASGI's form; a character that is not printable ASCII becomes a `?`."""
    return [(name.encode("latin-1"), _printable(value)) for name, value in headers.items()]


def _printable(value: str) -> bytes:
    if value.isascii() and value.isprintable():
        return value.encode()
    return "".join(c if c.isprintable() and c.isascii() else "?" for c in value).encode()


class ClientDisconnectedError(Exception):
    """The caller hung up before all of its request was read."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return a request's whole body.

    Args:
        receive: ASGI's `receive`.
        limit: the bytes that the body may have.

    Raises:
        InvalidRequestError: the body is longer (status 413).
        ClientDisconnectedError: the caller hung up.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body") and len(body) <= limit:
        return body
    parts = [body]
    size = len(body)
    while message["type"] == "http.request" and message.get("more_body") and size <= limit:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if message["type"] != "http.request":
        raise ClientDisconnectedError
    if size > limit:
        advice = f"the body is longer than {limit} bytes; send a shorter one"
        raise InvalidRequestError(advice, status=413, param="request_body")
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first gives a body that was read already, then the real messages."""
    first = [body]

    async def receive_again() -> Message:
        if first:
            return {"type": "http.request", "body": first.pop(), "more_body": False}
        return await receive()

    return receive_again
