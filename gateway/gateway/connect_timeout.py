"""A bound on connecting that is shorter than the one on answering.

LiteLLM knows one timeout for all of a call, and a model may take minutes to answer. A host that
drops packets would take as long to be found out. Every provider that the gateway talks to goes
through one transport of LiteLLM's, so the bound is set there:
https://docs.aiohttp.org/en/stable/client_quickstart.html#timeouts (sock_connect)
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handle = Callable[[object, httpx.Request], Awaitable[httpx.Response]]


def bound_connecting(seconds: float) -> None:
    """Lets no call to a provider spend more than this on its connection; it imports LiteLLM.

    Args:
        seconds: for the TCP connection; a call's own shorter timeout still holds.
    """
    from litellm.llms.custom_httpx.aiohttp_transport import (  # noqa: PLC0415 -- seconds
        LiteLLMAiohttpTransport,
    )

    LiteLLMAiohttpTransport.handle_async_request = within(
        seconds, LiteLLMAiohttpTransport.handle_async_request
    )


def within(seconds: float, handle: Handle) -> Handle:
    """Returns a transport's `handle_async_request` with that bound on connecting.

    What it then raises is a NetworkError, not a timeout: nobody was reached, so nobody hangs. It
    is not a ConnectError either, because LiteLLM repeats the call at once after one.
    """

    @functools.wraps(handle)
    async def handle_async_request(self: object, request: httpx.Request) -> httpx.Response:
        timeout = dict(request.extensions.get("timeout") or {})
        asked = timeout.get("connect")
        timeout["connect"] = seconds if asked is None else min(asked, seconds)
        request.extensions["timeout"] = timeout
        try:
            return await handle(self, request)
        except httpx.ConnectTimeout as error:
            host = request.url.host
            raise httpx.NetworkError(
                f"no connection to {host} within {timeout['connect']:g} s"
            ) from error

    return handle_async_request
