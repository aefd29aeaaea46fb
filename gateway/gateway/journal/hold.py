"""Holds back the end of every answer until its record or note is on disk: an ASGI application.

Tokens of a stream go out as they come; only what tells a client that it has everything is held: the
last piece of the body, and before it the event that ends a stream.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from gateway.journal.answer import Answer, begin_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]

LONGEST_HOLD = 30.0
"""Seconds after which an answer is let go all the same, with an error in the log."""

END_OF_STREAM = (b"data: [DONE]", b"event: message_stop", b'"type":"response.completed"')
"""What ends a stream of OpenAI's chat, of Anthropic's messages, of OpenAI's responses."""

RETRY_AFTER = "10"


class Hold:
    """Wraps LiteLLM's application.

    Args:
        app: LiteLLM's.
        is_chargeable: whether a path is one of those that call a provider.
        stopped_because: why no new request may be taken, None as long as the journal has room.
        flush: makes durable what was written, when that takes no time to speak of.
        say: writes an event for people to the log, with its level.
    """

    def __init__(
        self,
        app: App,
        is_chargeable: Callable[[str], bool],
        stopped_because: Callable[[], str | None],
        flush: Callable[[], None],
        say: Callable[[str, str], None],
    ) -> None:
        self._app = app
        self._is_chargeable = is_chargeable
        self._stopped_because = stopped_because
        self._flush = flush
        self._say = say

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hands on, or refuses."""
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        reason = self._stopped_because()
        if reason is not None and self._is_chargeable(scope["path"]):
            await _refuse(send, reason)
            return
        held = _HeldSend(begin_answer(), send, self._flush, self._say)
        await self._app(scope, receive, held)


class _HeldSend:
    """Sends the messages of one answer, its end when the records are written."""

    def __init__(
        self,
        answer: Answer,
        send: Send,
        flush: Callable[[], None],
        say: Callable[[str, str], None],
    ) -> None:
        self._answer = answer
        self._send = send
        self._flush = flush
        self._say = say
        self._kept: list[Message] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        is_last = not message.get("more_body", False)
        if not is_last and not self._kept and not _ends_stream(message.get("body", b"")):
            await self._send(message)
            return
        # A stream that has said its last word is read on: LiteLLM accounts for it at its end.
        self._kept.append(message)
        if is_last:
            await self._settle()
            for kept in self._kept:
                await self._send(kept)

    async def _settle(self) -> None:
        if self._answer.is_accounted:
            self._flush()
        if self._answer.is_settled:  # nothing else gets its turn before the last byte leaves
            return
        try:
            await asyncio.wait_for(self._wait(), LONGEST_HOLD)
        except (TimeoutError, asyncio.TimeoutError):  # two classes until Python 3.11
            self._say(
                f"an answer was let go after {LONGEST_HOLD:g} s without its spend record", "ERROR"
            )

    async def _wait(self) -> None:
        await self._answer.accounted()
        self._flush()
        await self._answer.settled()


def _ends_stream(body: bytes) -> bool:
    return any(mark in body for mark in END_OF_STREAM)


async def _refuse(send: Send, reason: str) -> None:
    message = f"the gateway takes no requests, because its spend journal is full: {reason}"
    error = {"message": message, "type": "journal_full", "param": None, "code": "503"}
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", RETRY_AFTER.encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
