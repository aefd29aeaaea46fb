"""Send an answer, whole or event by event; its end waits for the journal."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import CUT_OFF, GatewayError, UnavailableError
from gateway.http.asgi import JSON, answer_bytes, encoded
from gateway.routing.failure import AttemptFailedError
from gateway.routing.report import response_headers

if TYPE_CHECKING:
    from gateway.http.asgi import Headers, Message, Receive, Send
    from gateway.http.booking import Booking
    from gateway.providers.reply import PlainReply
    from gateway.request import Request
    from gateway.routing.answer import AnswerStream

OK = 200
CLIENT_GONE = 499
"""nginx's status for a caller that hung up: https://nginx.org/en/docs/dev/development_guide.html."""

_EVENT_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_DONE = b"data: [DONE]\n\n"


async def send_plain(
    send: Send, request: Request, asked: str, reply: PlainReply, limits: dict[str, str]
) -> None:
    """Send an answer that is not a stream.

    Args:
        send: ASGI's `send`.
        request: the request that is answered.
        asked: the model as the caller wrote it. The answer shows this name. Only after a fallback
            it shows the model that answered, as in LiteLLM (common_request_processing.py).
        reply: the answer.
        limits: headers about the caller's limits.
    """
    headers = encoded(response_headers(request) | limits)
    data = reply.data
    if data is None:
        headers.append((b"content-type", reply.content_type.encode("latin-1")))
        await answer_bytes(send, OK, headers, reply.content)
        return
    if "model" in data and not request.fell_back:
        data["model"] = asked
    headers.append(JSON)
    await answer_bytes(send, OK, headers, orjson.dumps(data))


async def send_stream(  # noqa: PLR0913, PLR0917 -- what an answer is made of
    receive: Receive,
    send: Send,
    request: Request,
    asked: str,
    stream: AnswerStream,
    limits: dict[str, str],
    booking: Booking,
) -> int:
    """Send an answer as it comes, but its end only when its cost is on disk.

    The chunk with the finish_reason and all chunks after it wait for that; tokens do not. So the
    cost of every answer that a client has read to its end is recorded, whatever dies next.

    Returns:
        The status for the log: 200, 502 when the stream broke, 499 when the caller hung up.
    """
    headers = _EVENT_STREAM + encoded(response_headers(request) | limits)
    watch = _Hangup(receive)
    status = OK
    name = None if request.fell_back else asked
    ending: list[bytes] = []
    try:
        await send({"type": "http.response.start", "status": OK, "headers": headers})
        async for chunk in stream:
            event = _event(chunk, name)
            if _finishes(chunk) or (ending and not chunk.get("choices")):
                ending.append(event)
            else:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        await booking.book_durably()
        ending.append(_DONE)
    except AttemptFailedError as error:
        status = CUT_OFF
        ending = [_error_event(f"the model's answer was cut off: {_how(error)}"), _DONE]
    except GatewayError as error:
        status = error.status
        ending = [_error_event(error.message), _DONE]
    except asyncio.CancelledError:
        if not watch.has_hung_up:
            raise
        return CLIENT_GONE
    finally:
        watch.stop()
        await stream.close()
        with suppress(UnavailableError):  # the log has it, and the answer has broken already
            booking.book()
    await send({"type": "http.response.body", "body": b"".join(ending), "more_body": False})
    return status


class _Hangup:
    """Cancels the task that sends a stream when its caller hangs up.

    Otherwise the task would wait for a silent provider, and what the provider then says would be
    paid for.
    """

    def __init__(self, receive: Receive) -> None:
        self.has_hung_up = False
        self._receive = receive
        self._sender = asyncio.current_task()
        self._watching = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()
        if self._sender is not None:
            self.has_hung_up = True
            self._sender.cancel()

    def stop(self) -> None:
        """Stop watching."""
        with suppress(Exception):
            self._watching.cancel()


def _event(chunk: dict[str, Any], model: str | None) -> bytes:
    if model is not None:
        chunk["model"] = model
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _finishes(chunk: dict[str, Any]) -> bool:
    """Return whether a chunk marks the end: it has a finish_reason, or the usage of the answer."""
    choices = chunk.get("choices")
    if not choices:
        return bool(chunk.get("usage"))
    return any(choice.get("finish_reason") for choice in choices)


def _how(error: AttemptFailedError) -> str:
    return {
        "unresponsive": "the provider was silent for too long",
        "failing": "the provider reported an error in its stream",
    }.get(error.failure.kind.value, "the provider's stream broke")


def _error_event(message: str) -> bytes:
    error = {"message": message, "type": "server_error", "param": None, "code": str(CUT_OFF)}
    return b"data: " + orjson.dumps({"error": error}) + b"\n\n"
