"""Hand a request on to LiteLLM's proxy, and its answer back, byte by byte.

What is forwarded is on allow-lists in three places: the route (`routes.py`), the headers and the
fields of a body (`fields.py`). LiteLLM being down is a 503 with Retry-After, never more than that.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    PermissionDeniedError,
    UnavailableError,
)
from gateway.http.asgi import answer_error
from gateway.http.keys import CALL_ID
from gateway.proxy import admin_pages
from gateway.proxy.fields import header_passes, let_through
from gateway.proxy.headers import HOP_BY_HOP
from gateway.proxy.routes import Action, find
from gateway.proxy.upload import Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from gateway.proxy.exchange import Exchange

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

KEY_HEADERS = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
"""Where LiteLLM looks for a key (proxy/auth/user_api_key_auth.py, get_api_key)."""


@dataclass(frozen=True)
class ForwardSettings:
    """Where LiteLLM is, and what of it is shown.

    Attributes:
        url: of LiteLLM's supervisor, LITELLM_PROXY_URL; None when there is none.
        key: what LiteLLM wants, where callers are asked for none; replaces whatever they sent.
        pages_off: why the admin page is not shown; None when it is.
        max_body_bytes: the longest JSON body.
        connect_timeout: seconds for a connection.
        answer_timeout: seconds without a byte of an answer.
    """

    url: str | None
    key: str | None = field(default=None, repr=False)
    pages_off: str | None = None
    max_body_bytes: int = 32 << 20
    connect_timeout: float = 5.0
    answer_timeout: float = 900.0


class Forward:
    """An ASGI application for what LiteLLM's proxy answers.

    Args:
        settings: where it is.
        address: returns the caller's address, through proxies that are trusted.
    """

    def __init__(self, settings: ForwardSettings, address: Callable[[Message], str]) -> None:
        self._settings = settings
        self._address = address
        self._calls: Exchange | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request; a websocket is closed, because each would call a provider itself."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            if await admin_pages.answer(scope, send, self._settings.pages_off):
                return
            await self._forward(scope, receive, send)
        except GatewayError as error:
            with contextlib.suppress(OSError):
                await answer_error(send, error, _its_id(scope))

    async def close(self) -> None:
        """Drop all connections."""
        if self._calls is not None:
            await self._calls.close()

    async def _forward(self, scope: Message, receive: Receive, send: Send) -> None:
        route = find(scope["method"], scope["path"])
        if route.action is Action.REFUSED or route.only_native:
            raise PermissionDeniedError(route.reason, code="not_served")
        if self._settings.url is None:
            raise UnavailableError("there is no LiteLLM here: set LITELLM_PROXY_URL")
        headers = self._headers(scope)
        upload = Upload(receive)
        data: bytes | AsyncIterator[bytes] | None
        if not _has_body(scope):
            upload.ended.set()
            data = None
        elif route.filters_body and _is_json(scope):
            data = self._filtered(await upload.whole(self._settings.max_body_bytes))
            headers = [pair for pair in headers if pair[0] != "content-length"]
        else:
            data = upload.pieces()
        exchange = asyncio.ensure_future(self._exchange(scope, send, headers, data))
        gone = asyncio.ensure_future(upload.left())
        try:
            await asyncio.wait({exchange, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not exchange.done():  # the caller left: so does the call, and what it costs
                exchange.cancel()
            await asyncio.wait({exchange, gone})
        if not exchange.cancelled():
            exchange.result()

    async def _exchange(
        self,
        scope: Message,
        send: Send,
        headers: list[tuple[str, str]],
        data: bytes | AsyncIterator[bytes] | None,
    ) -> None:
        """Make the call to LiteLLM, and give its answer back."""
        # Most gateways hand nothing on for hours, and aiohttp is a fifth of a start.
        module = await asyncio.to_thread(import_module, "gateway.proxy.exchange")
        if self._calls is None:
            self._calls = module.Exchange(self._settings)
        await self._calls.make(scope, send, headers, data)

    def _headers(self, scope: Message) -> list[tuple[str, str]]:
        """Return what LiteLLM gets of the request's headers."""
        given = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in scope["headers"]]
        dropped = HOP_BY_HOP | {
            token.strip().lower() for n, v in given if n == "connection" for token in v.split(",")
        }
        if self._settings.key is not None:
            dropped |= KEY_HEADERS
        passed = [(n, v) for n, v in given if n not in dropped and header_passes(n)]
        if self._settings.key is not None:
            passed.append(("authorization", f"Bearer {self._settings.key}"))
        return [
            *passed,
            ("x-forwarded-for", self._address(scope)),
            ("x-forwarded-proto", scope.get("scheme", "http")),
        ]

    @staticmethod
    def _filtered(body: bytes) -> bytes:
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise InvalidRequestError("the body is not JSON") from None
        if not isinstance(parsed, dict):
            raise InvalidRequestError("the body is not a JSON object")
        if parsed.get("previous_response_id") is not None:
            # LiteLLM would silently drop it on the way to chat completions.
            message = "responses are not stored here; send the whole conversation as `input`"
            raise InvalidRequestError(message, param="previous_response_id")
        return orjson.dumps(let_through(parsed))


def _has_body(scope: Message) -> bool:
    return any(
        (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def _is_json(scope: Message) -> bool:
    """Return whether LiteLLM would read a body as JSON: everything that is not a form."""
    kinds = [value.lower() for name, value in scope["headers"] if name == b"content-type"]
    return not any(
        b"multipart/form-data" in kind or b"x-www-form-urlencoded" in kind for kind in kinds
    )


def _its_id(scope: Message) -> list[tuple[bytes, bytes]]:
    return [pair for pair in scope["headers"] if pair[0] == CALL_ID]
