"""The worker process: LiteLLM's library behind HTTP on a Unix socket.

    python -m gateway.worker.server SOCKET

It reports that it is ready, and everything else, in lines of JSON on standard output. It ends when
its standard input ends: that is a pipe that the gateway holds open, so a killed gateway takes its
worker with it. What LiteLLM prints itself may quote prompts, and is not read by anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from gateway.request import Operation
from gateway.routing.failure import Failure, FailureKind
from gateway.worker.bounded_loop import CONNECT, BoundedLoop
from gateway.worker.failures import failure_of
from gateway.worker.wire import (
    CHUNK,
    COUNTED,
    DONE,
    END,
    FAILED,
    FAILURE_EVENT,
    PROVIDER_HEADERS,
    USAGE_EVENT,
    decode_call,
    encode_failure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.worker.streams import Stream
    from gateway.worker.wire import WorkerCall

MAX_REQUEST = 1 << 30
"""Bytes; the gateway has its own limit, which is lower."""

NEEDS_USAGE = frozenset({Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING})


class Server:
    """Answers the gateway."""

    def __init__(self) -> None:
        self._stops: dict[str, asyncio.Event] = {}

    def app(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=MAX_REQUEST)
        app.router.add_post("/ask", self.ask)
        app.router.add_post("/stop/{id}", self.stop)
        return app

    async def stop(self, request: web.Request) -> web.Response:
        """End a stream early: its usage so far is its last event."""
        stop = self._stops.get(request.match_info["id"])
        if stop is not None:
            stop.set()
        return web.Response(status=204)

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Make one call to a provider."""
        line, _, content = (await request.read()).partition(b"\n")
        ask = decode_call(line)
        CONNECT.set(ask.connect)
        files: dict[str, tuple[str, bytes, str]] = {}
        for file in ask.files:
            files[file.field] = (file.name, content[: file.size], file.content_type)
            content = content[file.size :]
        from gateway.worker import calls  # noqa: PLC0415 -- 4 s, imported before it serves

        try:
            answer = await asyncio.wait_for(calls.call(ask, files), ask.answer)
        except Exception as error:  # noqa: BLE001 -- LiteLLM raises anything
            return _failed(_failure(error, ask, is_reading=False))
        if ask.stream:
            return await self._stream(request, ask, answer)
        return await _plain(ask, answer)

    async def _stream(
        self, request: web.Request, ask: WorkerCall, answer: object
    ) -> web.StreamResponse:
        from gateway.worker.calls import provider_headers  # noqa: PLC0415 -- as above
        from gateway.worker.streams import Stream  # noqa: PLC0415 -- as above

        stream = Stream(answer, ask)
        stop = self._stops[ask.id] = asyncio.Event()
        try:
            try:
                await asyncio.wait_for(stream.open(), ask.answer)
            except Exception as error:  # noqa: BLE001 -- as above
                return _failed(_failure(error, ask, is_reading=False))
            try:
                first = await asyncio.wait_for(stream.next(), ask.answer)
            except Exception as error:  # noqa: BLE001 -- as above
                return _failed(_failure(error, ask, is_reading=True))
            headers = orjson.dumps(provider_headers(answer)).decode()
            response = web.StreamResponse(
                headers={"content-type": "text/event-stream", PROVIDER_HEADERS: headers}
            )
            await response.prepare(request)
            await response.write(CHUNK + orjson.dumps(first) + END)
            await _copy(stream, response, ask, stop)
        finally:
            self._stops.pop(ask.id, None)
            await stream.close()
        return response


async def _copy(
    stream: Stream, response: web.StreamResponse, ask: WorkerCall, stop: asyncio.Event
) -> None:
    """Copy chunks until the end, a failure, or until the gateway wants no more."""
    stopped = asyncio.ensure_future(stop.wait())
    failure: Failure | None = None
    try:
        while True:
            chunk = asyncio.ensure_future(stream.next())
            done, _ = await asyncio.wait(
                (chunk, stopped), timeout=ask.answer, return_when=asyncio.FIRST_COMPLETED
            )
            if chunk not in done:
                chunk.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await chunk
                if not stop.is_set():
                    failure = Failure(FailureKind.UNRESPONSIVE, message="it fell silent")
                break
            found = chunk.result()
            if found is None:
                break
            await response.write(CHUNK + orjson.dumps(found) + END)
    except ConnectionError:
        return  # the gateway left
    except Exception as error:  # noqa: BLE001 -- as above
        failure = _failure(error, ask, is_reading=True)
    finally:
        stopped.cancel()
    await stream.close()
    usage, counted = await stream.usage()
    event = orjson.dumps({"usage": usage, "counted": counted})
    await response.write(USAGE_EVENT + event + END)
    if failure is not None:
        await response.write(FAILURE_EVENT + encode_failure(failure) + END)
    await response.write(DONE)


async def _plain(ask: WorkerCall, answer: object) -> web.Response:
    from gateway.worker import calls  # noqa: PLC0415 -- as above

    if ask.operation is Operation.SPEECH or not hasattr(answer, "model_dump"):
        content = getattr(answer, "content", None)
        if isinstance(content, bytes):
            kind = answer.response.headers.get("content-type", "audio/mpeg")  # type: ignore[attr-defined]
            return web.Response(body=content, headers={"content-type": kind})
        return web.Response(text=str(answer))
    data = calls.as_object(answer)
    headers = {PROVIDER_HEADERS: orjson.dumps(calls.provider_headers(answer)).decode()}
    usage = data.get("usage") or {}
    if ask.operation in NEEDS_USAGE and not usage.get("total_tokens"):
        try:
            data["usage"] = await asyncio.to_thread(calls.count_tokens, ask, data)
        except Exception:  # noqa: BLE001 -- LiteLLM's counter fails on messages of unusual form
            logging.getLogger(__name__).warning("an answer's tokens could not be counted")
        headers[COUNTED] = "1"
    return web.Response(
        body=orjson.dumps(data), headers={**headers, "content-type": "application/json"}
    )


def _failure(error: Exception, ask: WorkerCall, *, is_reading: bool) -> Failure:
    from gateway.worker.streams import CUT, StreamCutError  # noqa: PLC0415 -- as above

    if isinstance(error, StreamCutError):
        return CUT
    if isinstance(error, asyncio.TimeoutError):
        return Failure(FailureKind.UNRESPONSIVE, message=f"no answer within {ask.answer:g} s")
    return failure_of(error, ask.provider, ask.arguments, is_reading=is_reading)


def _failed(failure: Failure) -> web.Response:
    return web.Response(status=FAILED, body=encode_failure(failure))


async def _serve(path: str, say: Callable[..., None]) -> None:
    runner = web.AppRunner(Server().app(), handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal's, meant for the gateway
    os.set_blocking(sys.stdin.fileno(), False)
    loop.add_reader(sys.stdin.fileno(), _watch, ended)
    say(ready=True)
    await ended.wait()
    loop.remove_reader(sys.stdin.fileno())
    await runner.cleanup()


def _watch(ended: asyncio.Event) -> None:
    with contextlib.suppress(BlockingIOError):
        if not os.read(sys.stdin.fileno(), 1):
            ended.set()


class _Lines(logging.Handler):
    """Hands the worker's own events to the gateway."""

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        self._say(level=record.levelname, message=record.getMessage())


def main() -> None:
    """Serve until told to stop."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what LiteLLM prints is none of ours

    def say(**event: object) -> None:
        with contextlib.suppress(OSError):
            out.write(orjson.dumps(event) + b"\n")

    own = logging.getLogger("gateway")
    own.addHandler(_Lines(say))
    own.setLevel(logging.INFO)
    own.propagate = False
    # Importing allocates a million objects that stay; collecting them meanwhile is a third of it.
    gc.disable()
    from gateway.worker import calls, streams  # noqa: F401, PLC0415 -- as above

    calls.turn_everything_off()
    gc.freeze()
    gc.enable()
    loop = BoundedLoop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_serve(sys.argv[1], say))


if __name__ == "__main__":
    main()
