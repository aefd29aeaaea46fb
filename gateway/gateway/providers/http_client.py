"""The connections to all providers: one pool a process, kept alive, with a bound on connecting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from gateway.providers.failures import failure_of_exception
from gateway.routing.failure import AttemptFailedError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from gateway.providers.reply import Timeouts

CLIENT_REQUEST_ID = "x-client-request-id"
"""The header in which OpenAI takes a caller's own id and logs it, of at most 512 ASCII characters;
other providers ignore it: https://platform.openai.com/docs/api-reference/debugging-requests"""

KEEP_ALIVE = 4.0
"""Seconds that a connection may be idle: fewer than the 5 after which uvicorn and Node close it.

A request that meets a connection just being closed fails, and is not sent again from here: the
provider may have taken it, and would be paid twice. Whether another try is due is routing's to say.
"""

ERROR_LIMIT = 1 << 20
KEPT_HEADERS = ("x-ratelimit-", "x-request-id", "request-id", "openai-", "retry-after")
FAILURES = (aiohttp.ClientError, OSError, asyncio.TimeoutError)
"""What aiohttp raises when nobody answers. Before Python 3.11 asyncio's is a class of its own."""

USER_AGENT = "litellm-proxy-service"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a deployment is asked.

    Attributes:
        url: of the endpoint.
        headers: of every call.
        proxy: through which it is reached, as the environment says; None for directly.
    """

    url: URL
    headers: Mapping[str, str]
    proxy: URL | None = None

    @classmethod
    def at(cls, url: str, headers: Mapping[str, str]) -> Target:
        """Return a target, behind the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.

        They are read here, once a deployment: aiohttp's trust_env reads them, and the user's
        .netrc, at every call.
        """
        parsed = URL(url)
        host = f"{parsed.host}:{parsed.port}"
        proxy = None if proxy_bypass(host) else getproxies().get(parsed.scheme)
        return cls(
            parsed,
            {"User-Agent": USER_AGENT, "Accept": "application/json", **headers},
            URL(proxy) if proxy else None,
        )


class HttpClient:
    """Posts to providers. To be made anywhere; it opens its pool at the first call.

    Args:
        tls: for https; None for aiohttp's, which trusts what the system and SSL_CERT_FILE say.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    async def open(
        self, target: Target, body: bytes, headers: Mapping[str, str], timeouts: Timeouts
    ) -> aiohttp.ClientResponse:
        """Post and return a response whose body is still to be read; for streams.

        No byte of it for `timeouts.answer` ends it.

        Raises:
            AttemptFailedError: nobody answered.
        """
        limits = aiohttp.ClientTimeout(connect=timeouts.connect, sock_read=timeouts.answer)
        return await self._post(target, body, headers, limits)

    async def fetch(
        self, target: Target, body: bytes, headers: Mapping[str, str], timeouts: Timeouts
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Post and return the response with all of its body.

        Raises:
            AttemptFailedError: nobody answered, or not within `timeouts.answer`.
        """
        limits = aiohttp.ClientTimeout(total=timeouts.answer, connect=timeouts.connect)
        response = await self._post(target, body, headers, limits)
        try:
            return response, await response.read()
        except FAILURES as error:
            raise AttemptFailedError(failure_of_exception(error)) from error

    async def close(self) -> None:
        """Drop all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(
        self,
        target: Target,
        body: bytes,
        headers: Mapping[str, str],
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        session = self._session or self._open_session()
        try:
            return await session.post(
                target.url, data=body, headers=headers, timeout=limits, proxy=target.proxy
            )
        except FAILURES as error:
            raise AttemptFailedError(failure_of_exception(error)) from error

    def _open_session(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                # A stopped container's address leads nowhere, its name is refused at once.
                use_dns_cache=False,
                keepalive_timeout=KEEP_ALIVE,
                ssl=self._tls if self._tls is not None else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Content-Type"),
        )
        return self._session


def provider_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return a provider's headers with limits and ids, in lower case."""
    return {
        lower: value
        for name, value in response.headers.items()
        if (lower := name.lower()).startswith(KEPT_HEADERS)
    }


async def read_error(response: aiohttp.ClientResponse) -> bytes:
    """Return the start of an error's body, and end the response; b"" when it broke."""
    try:
        parts = []
        length = 0
        async for part in response.content.iter_any():
            parts.append(part)
            length += len(part)
            if length > ERROR_LIMIT:
                break
    except FAILURES:
        return b""
    else:
        return b"".join(parts)
    finally:
        response.release()
