"""Asks a deployment through the worker; never imports LiteLLM."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import orjson

from gateway.errors import UnavailableError
from gateway.providers.reply import PlainReply, Provider, StreamReply, Timeouts
from gateway.request import Usage
from gateway.routing.failure import AttemptFailedError, Failure, FailureKind
from gateway.worker.fields import WrongFieldError, arguments_of
from gateway.worker.stream_reply import WorkerStream
from gateway.worker.usage import usage_of
from gateway.worker.wire import (
    COUNTED,
    FAILED,
    PROVIDER_HEADERS,
    File,
    WorkerCall,
    decode_failure,
    encode_call,
)

if TYPE_CHECKING:
    from gateway.config.deployment import Deployment
    from gateway.request import Request

GRACE = 5.0
"""Seconds that the worker may take beyond the bounds which it keeps itself."""

PAUSE = 0.05
"""Seconds before a worker that took no connection is tried again."""

SECONDS_TO_RETURN = 5
JSON = "application/json"


class WorkerUnavailableError(UnavailableError):
    """The worker is starting, or died: no deployment's fault, and none is to be marked for it."""


class Process(Protocol):
    """The worker process, as far as it is needed here."""

    socket: str

    async def wait_ready(self, seconds: float) -> bool:
        """Return whether it serves, now or within `seconds`."""


class WorkerProvider(Provider):
    """Makes one call to one deployment, by LiteLLM's library.

    Args:
        process: the worker.
        start_wait: seconds that a request waits for a worker which is starting.
    """

    def __init__(self, process: Process, start_wait: float) -> None:
        self._process = process
        self._start_wait = start_wait
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self, deployment: Deployment, request: Request, timeouts: Timeouts
    ) -> PlainReply | StreamReply:
        """Ask a deployment once; a stream is returned with its first chunk there.

        Raises:
            AttemptFailedError: the deployment gave no answer.
            WorkerUnavailableError: the worker did not come up in time, or died under this request.
        """
        ask = _ask_of(deployment, request, timeouts)
        body = encode_call(ask) + b"".join(file.content for file in request.files)
        response = await self._send(body, timeouts.answer)
        if ask.stream and response.status != FAILED:
            headers = _headers(response)
            return WorkerStream(
                response, headers, self._stopper(ask.id), wants_usage=_wants_usage(request.body)
            )
        try:
            content = await response.read()
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            raise _died() from error
        if response.status == FAILED:
            raise AttemptFailedError(decode_failure(content))
        if response.status != 200:  # noqa: PLR2004 -- the worker itself failed
            raise _died()
        return _plain(response, content)

    async def close(self) -> None:
        """Drop all connections to the worker."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, body: bytes, answer: float) -> aiohttp.ClientResponse:
        """Send a request once there is a worker that takes it; never twice to one that did."""
        end = time.monotonic() + self._start_wait
        while await self._process.wait_ready(max(0.0, end - time.monotonic())):
            try:
                return await self._open_session().post(
                    "http://worker/ask",
                    data=body,
                    timeout=aiohttp.ClientTimeout(sock_read=2 * answer + GRACE),
                )
            except aiohttp.ClientConnectorError as error:  # it died, and nobody noticed yet
                if time.monotonic() > end:
                    raise _died() from error
                await asyncio.sleep(PAUSE)
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                raise _died() from error
        raise WorkerUnavailableError(
            "the gateway's worker for this provider is starting",
            retry_after=SECONDS_TO_RETURN,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                # No connection is kept: one to a worker that died would be broken, and a request on
                # it could not be told from one that was taken. A new one is refused, at once.
                connector=aiohttp.UnixConnector(
                    path=self._process.socket, limit=0, force_close=True
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _stopper(self, call: str) -> Any:  # noqa: ANN401 -- a coroutine function
        async def stop() -> None:
            async with self._open_session().post(f"http://worker/stop/{call}"):
                pass

        return stop


def _ask_of(deployment: Deployment, request: Request, timeouts: Timeouts) -> WorkerCall:
    try:
        arguments = arguments_of(
            request.operation, request.body, drop_others=deployment.drop_params
        )
    except WrongFieldError as error:
        raise AttemptFailedError(_refused(str(error), error.field)) from error
    parameters = {
        **deployment.parameters,
        "model": deployment.parameters.get("model") or deployment.full_model,
        "drop_params": deployment.drop_params,
    }
    if deployment.key is not None:
        parameters["api_key"] = deployment.key
    if deployment.base is not None:
        parameters["api_base"] = deployment.base
    if deployment.headers:
        parameters["extra_headers"] = dict(deployment.headers)
    for name, value in deployment.defaults.items():
        parameters.setdefault(name, value)
    return WorkerCall(
        id=f"{request.id}-{len(request.attempts) or 1}",
        request_id=request.id,
        operation=request.operation,
        provider=deployment.provider,
        parameters=parameters,
        arguments=arguments,
        stream=request.stream,
        connect=timeouts.connect,
        answer=timeouts.answer,
        files=tuple(
            File(file.field, file.name, file.content_type, len(file.content))
            for file in request.files
        ),
    )


def _plain(response: aiohttp.ClientResponse, content: bytes) -> PlainReply:
    headers = _headers(response)
    if response.content_type != JSON:
        kind = response.headers.get("content-type", "application/octet-stream")
        return PlainReply(None, Usage(), content, kind, headers)
    data = orjson.loads(content)
    usage = usage_of(data.get("usage"), counted=COUNTED in response.headers)
    return PlainReply(data, usage, headers=headers)


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(response.headers.get(PROVIDER_HEADERS) or b"{}")
    return found


def _wants_usage(body: dict[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _refused(message: str, param: str) -> Failure:
    return Failure(
        FailureKind.REQUEST,
        400,
        message=message,
        error_type="invalid_request_error",
        error_param=param,
    )


def _died() -> WorkerUnavailableError:
    return WorkerUnavailableError(
        "the gateway's worker for this provider stopped and is being restarted",
        retry_after=SECONDS_TO_RETURN,
    )
