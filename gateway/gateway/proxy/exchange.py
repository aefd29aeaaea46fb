"""The calls to LiteLLM's proxy: bytes as they are, in both directions."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from gateway.errors import UnavailableError
from gateway.http.asgi import ClientDisconnectedError
from gateway.proxy import admin_pages
from gateway.proxy.headers import answer_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping

    from gateway.proxy.forward import ForwardSettings

    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]

LOG = logging.getLogger(__name__)

RETRY_AFTER = 5  # seconds
CHUNK = 1 << 16


class Exchange:
    """Makes calls; to be made on the event loop.

    Args:
        settings: where LiteLLM is.
    """

    def __init__(self, settings: ForwardSettings) -> None:
        self._url = (settings.url or "").rstrip("/")
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=None, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=settings.connect_timeout,
                sock_read=settings.answer_timeout,
            ),
            read_bufsize=CHUNK,
        )

    async def close(self) -> None:
        """Drop all connections."""
        await self._session.close()

    async def make(
        self,
        scope: Message,
        send: Send,
        headers: list[tuple[str, str]],
        data: bytes | AsyncIterator[bytes] | None,
    ) -> None:
        """Make a call, and give its answer back.

        Raises:
            UnavailableError: LiteLLM is not there, or says nothing for too long.
            ConnectionError: its answer broke off.
        """
        query = scope.get("query_string", b"").decode("latin-1")
        raw_path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        target = f"{self._url}{raw_path}{'?' + query if query else ''}"
        try:
            async with self._session.request(
                scope["method"],
                URL(target, encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            ) as response:
                await _relay(response, scope, send)
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError) as error:
            LOG.info("LiteLLM's proxy cannot be reached: %s", type(error).__name__)
            message = (
                "LiteLLM's proxy, which answers this path, is not running; try again in a moment"
            )
            raise UnavailableError(message, retry_after=RETRY_AFTER) from None
        except asyncio.TimeoutError:
            raise UnavailableError("LiteLLM's proxy does not answer", status=504) from None
        except ClientDisconnectedError:
            LOG.debug("the caller left while uploading")


async def _relay(response: aiohttp.ClientResponse, scope: Message, send: Send) -> None:
    headers = answer_headers(response.raw_headers)
    if admin_pages.is_page(scope["path"]):
        headers.append((b"content-security-policy", admin_pages.CONTENT_POLICY))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    try:
        async for chunk in response.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except aiohttp.ClientError as error:  # cut off: so is the caller's answer
        LOG.warning("LiteLLM's proxy broke off an answer: %s", type(error).__name__)
        raise ConnectionError("the answer broke off") from None
    await send({"type": "http.response.body", "body": b""})
