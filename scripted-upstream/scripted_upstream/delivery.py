"""Sends an answer as the script wants it: slowly, in part, broken, or not at all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil

from starlette.types import Send

from scripted_upstream.connection import Connection
from scripted_upstream.errors import failure_of
from scripted_upstream.exchange import Chunk, Failure, Format, Json, ParsedCall, Reply, Usage
from scripted_upstream.journal import Entry
from scripted_upstream.script import Action

_JSON = "application/json"


@dataclass
class Delivery:
    """What one answer is sent with.

    Attributes:
        send: to the client.
        connection: that it goes over.
        entry: notes what was sent.
        form: the provider's.
        action: what goes wrong.
        ms_per_token: the pause before each piece.
    """

    send: Send
    connection: Connection
    entry: Entry
    form: Format
    action: Action
    ms_per_token: float

    async def refuse(self, failure: Failure) -> None:
        """Send an error in the provider's form."""
        document = self.form.failure(failure)
        self.entry.answer = document
        await self._whole(_json(document), failure.status)

    async def answer(self, ask: ParsedCall, reply: Reply, usage: Usage) -> None:
        """Send an answer; what it costs is noted as far as it was sent."""
        if ask.stream:
            await self._stream(list(self.form.stream(ask, reply)), reply, usage)
            return
        # Who does not stream waits until the last token is there.
        await self.connection.pause(len(reply.pieces) * self.ms_per_token / 1000)
        if self.action.stall_after is not None:
            await self.connection.pause(self.action.stall_after.seconds)
        if self.action.error_after is not None:
            await self.refuse(failure_of(self.action, self.form.provider))
            return
        self.entry.usage, self.entry.answer = usage, reply.text
        self.entry.pieces = len(reply.pieces)
        await self._document(_json(self.form.document(ask, reply)))

    async def close(self) -> None:
        """End the connection in good order, answered or not."""
        self.entry.ended = "closed" if self.entry.status is None else "cut"
        await self.connection.close()

    async def reset(self) -> None:
        """End the connection with an RST."""
        self.entry.ended = "reset"
        await self.connection.reset()

    async def _document(self, content: bytes) -> None:
        """Send an answer at once; what would break a stream midway breaks it in its middle."""
        action, half = self.action, content[: len(content) // 2]
        if action.broken_line_after is not None or action.end_after is not None:
            await self._whole(half)
        elif action.cut_after is None and action.reset_after is None:
            await self._whole(content)
        else:
            await self._start(200, _JSON, len(content))
            await self._body(half, more=True)
            await (self.close() if action.reset_after is None else self.reset())

    async def _stream(self, chunks: Sequence[Chunk], reply: Reply, usage: Usage) -> None:
        places = _places(chunks, self.action)
        total = sum(chunk.piece for chunk in chunks)
        await self._start(200, self.form.stream_type, None)
        try:
            for index, chunk in enumerate(chunks):
                if await self._over(places.get(index, ())):
                    return
                if chunk.piece:
                    await self.connection.pause(self.ms_per_token / 1000)
                await self._body(chunk.data, more=True)
                self.entry.pieces += chunk.piece
            if not await self._over(places.get(len(chunks), ())):
                await self._body(b"")
        finally:
            sent = self.entry.pieces
            self.entry.answer = reply.text if sent == total else "".join(reply.pieces[:sent])
            self.entry.usage = usage if sent == total else _share(usage, sent, total)

    async def _over(self, events: Sequence[str]) -> bool:
        """Do what the script says for this place; return whether the answer is over."""
        for event in events:
            match event:
                case "stall_after" if self.action.stall_after is not None:
                    await self.connection.pause(self.action.stall_after.seconds)
                case "broken_line_after":
                    await self._body(self.form.broken, more=True)
                case "error_after":
                    failure = failure_of(self.action, self.form.provider)
                    await self._body(self.form.failure_chunk(failure))
                    return True
                case "end_after":
                    await self._body(b"")
                    return True
                case "cut_after":
                    await self.close()
                    return True
                case "reset_after":
                    await self.reset()
                    return True
        return False

    async def _whole(self, content: bytes, status: int = 200) -> None:
        await self._start(status, _JSON, len(content))
        await self._body(content)

    async def _start(self, status: int, content_type: str, length: int | None) -> None:
        self.connection.check()
        headers = {"content-type": content_type, "x-request-id": f"req_{self.entry.number:08}"}
        headers |= _retry_after(self.action) | self.action.headers
        if length is not None:
            headers["content-length"] = str(length)
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self.entry.status = status
        self.entry.first_byte_seconds = self.entry.elapsed
        await self.send({"type": "http.response.start", "status": status, "headers": raw})

    async def _body(self, content: bytes, *, more: bool = False) -> None:
        self.connection.check()
        await self.send({"type": "http.response.body", "body": content, "more_body": more})
        if not more:
            self.entry.ended = "complete"


def _places(chunks: Sequence[Chunk], action: Action) -> dict[int, list[str]]:
    """Return before which chunk something is to happen.

    After 0 pieces is after the opening events; after more pieces than there are is after the last.
    """
    pieces = [index for index, chunk in enumerate(chunks) if chunk.piece]
    after = {
        "stall_after": action.stall_after.pieces if action.stall_after else None,
        "broken_line_after": action.broken_line_after,
        "error_after": action.error_after,
        "end_after": action.end_after,
        "cut_after": action.cut_after,
        "reset_after": action.reset_after,
    }
    places: dict[int, list[str]] = {}
    for event, count in after.items():
        if count is None:
            continue
        if not pieces:
            place = min(1, len(chunks) - 1)
        else:
            place = pieces[min(count, len(pieces)) - 1] + 1 if count else pieces[0]
        places.setdefault(place, []).append(event)
    return places


def _share(usage: Usage, sent: int, total: int) -> Usage:
    output = round(usage.output * sent / total)
    return Usage(usage.input, output, usage.cached, min(usage.reasoning, output))


def _retry_after(action: Action) -> dict[str, str]:
    if action.retry_after is not None:
        return {"retry-after": str(ceil(action.retry_after))}
    if action.retry_after_date is not None:
        when = datetime.now(UTC) + timedelta(seconds=ceil(action.retry_after_date))
        return {"retry-after": format_datetime(when, usegmt=True)}
    return {}


def _json(document: Json) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
