"""The connections to all providers: one pool a process, kept alive, with a bound on connecting."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.providers.dialling import Dialler
from gateway.providers.failures import failure_of_exception
from gateway.providers.response import BrokenConnectionError
from gateway.routing.failure import AttemptFailedError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from gateway.providers.connection import Connection
    from gateway.providers.reply import Timeouts
    from gateway.providers.response import Response
    from gateway.providers.target import Target

CLIENT_REQUEST_ID = "x-client-request-id"
"""The header in which OpenAI takes a caller's own id and logs it, of at most 512 ASCII characters;
other providers ignore it: https://platform.openai.com/docs/api-reference/debugging-requests"""

KEEP_ALIVE = 4.0
"""Seconds that a connection may be idle: fewer than the 5 after which uvicorn and Node close it.

A request that meets a connection just being closed fails, and is not sent again from here: the
provider may have taken it, and would be paid twice. Whether another try is due is routing's to say.
"""

MOVED = frozenset({307, 308})
"""Redirects that keep method and body; a POST that others turn into a GET is no use."""

MAX_REDIRECTS = 3
ERROR_LIMIT = 1 << 20
ERROR_SECONDS = 10.0
KEPT_HEADERS = ("x-ratelimit-", "x-request-id", "request-id", "openai-", "retry-after")
FAILURES = (OSError, asyncio.TimeoutError)
"""What is raised when nobody answers. Before Python 3.11 asyncio's is a class of its own."""


class HttpClient:
    """Asks providers. To be made anywhere; it connects at the first call.

    Args:
        tls: for https; None for one that trusts what the system and SSL_CERT_FILE say.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._dialler = Dialler(tls)
        self._pools: dict[tuple[object, ...], list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def open(
        self, target: Target, body: bytes, headers: Mapping[str, str], timeouts: Timeouts
    ) -> Response:
        """Ask, and return a response whose body is still to be read; for streams.

        Args:
            target: whom to ask.
            body: of the request.
            headers: of this request, in addition to the target's own or in their place.
            timeouts: `answer` bounds the time until the response's head.

        Raises:
            AttemptFailedError: nobody answered.
        """
        return await self._ask(target, body, headers, timeouts, whole=False)

    async def fetch(
        self, target: Target, body: bytes, headers: Mapping[str, str], timeouts: Timeouts
    ) -> tuple[Response, bytes]:
        """Ask, and return the response with all of its body; arguments as of `open`.

        Raises:
            AttemptFailedError: nobody answered, or not within `timeouts.answer`.
        """
        response = await self._ask(target, body, headers, timeouts, whole=True)
        return response, response.body()

    async def close(self) -> None:
        """Drop all connections that are idle; one in use ends with its response."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for pool in self._pools.values():
            while pool:
                pool.pop().abort()

    async def _ask(
        self,
        target: Target,
        body: bytes,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        *,
        whole: bool,
    ) -> Response:
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeouts.answer
        try:
            for _ in range(MAX_REDIRECTS):
                connection = self._idle(target, loop)
                if connection is None:
                    connection = await self._connect(target, timeouts, whole=whole)
                head = target.head(headers, len(body))
                response = connection.ask(head, body, whole=whole)
                due = ends if whole else loop.time() + timeouts.answer
                alarm = loop.call_at(due, response.time_out)
                try:
                    await response.ready()
                except asyncio.CancelledError:
                    response.close()
                    raise
                finally:
                    alarm.cancel()
                following = _moved(target, response)
                if following is None:
                    return response
                response.close()
                target = following
        except FAILURES as error:
            raise AttemptFailedError(failure_of_exception(error)) from error
        return response

    def _idle(self, target: Target, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """Return a connection that was kept; None when there is none."""
        pool = self._pools.get(target.key)
        if pool is None:
            pool = self._pools[target.key] = []
        if self._sweep is None:
            self._sweep = loop.call_later(KEEP_ALIVE, self._drop_idle)
        oldest = loop.time() - KEEP_ALIVE
        while pool:
            connection = pool.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    def _drop_idle(self) -> None:
        """Drop connections that nobody used for long, in every pool."""
        self._sweep = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEP_ALIVE
        for pool in self._pools.values():
            kept = [each for each in pool if each.is_open and each.idle_since > oldest]
            for each in pool:
                if each.idle_since <= oldest:
                    each.abort()
            pool[:] = kept
        if any(self._pools.values()):
            self._sweep = loop.call_later(KEEP_ALIVE, self._drop_idle)

    async def _connect(self, target: Target, timeouts: Timeouts, *, whole: bool) -> Connection:
        seconds = min(timeouts.connect, timeouts.answer) if whole else timeouts.connect
        pool = self._pools[target.key]
        try:
            return await asyncio.wait_for(self._dialler.connect(target, pool), seconds)
        except asyncio.TimeoutError:
            if seconds < timeouts.connect:  # the whole answer was to be there by now
                raise
            raise BrokenConnectionError("no connection in time") from None
        except OSError as error:  # among them TimeoutError, which would say something else
            raise BrokenConnectionError(str(error)) from error


def _moved(target: Target, response: Response) -> Target | None:
    """Return where a redirect leads; None for any other answer."""
    if response.status not in MOVED:
        return None
    try:
        return target.moved_to(response.headers["location"])
    except (KeyError, ValueError):  # it leads nowhere
        return None


def provider_headers(response: Response) -> dict[str, str]:
    """Return a provider's headers with limits and ids, in lower case."""
    return {
        name: value for name, value in response.headers.items() if name.startswith(KEPT_HEADERS)
    }


async def read_error(response: Response) -> bytes:
    """Return the start of an error's body, and end the response; b"" when it broke."""
    alarm = asyncio.get_running_loop().call_later(ERROR_SECONDS, response.time_out)
    parts = []
    length = 0
    try:
        while length <= ERROR_LIMIT and (part := await response.readany()):
            parts.append(part)
            length += len(part)
    except FAILURES:
        return b""
    finally:
        alarm.cancel()
        response.close()
    return b"".join(parts)
