"""A server on a loopback port that answers with the bytes that a test gives it, and what asks it.

The scripted upstream speaks whole protocols; this one can also break them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.access.caller import Caller
from gateway.config.deployment import Deployment, Protocol
from gateway.providers.http_client import HttpClient
from gateway.providers.ollama_provider import OllamaProvider
from gateway.providers.openai_provider import OpenAIProvider
from gateway.providers.reply import PlainReply, StreamReply, Timeouts
from gateway.providers.usage import Count
from gateway.request import Operation, Request
from gateway.routing.failure import AttemptFailedError, Failure

Json = dict[str, Any]
HI = [{"role": "user", "content": "Hi"}]
PATIENT = Timeouts(connect=5, answer=10)
HASTY = Timeouts(connect=5, answer=0.2)

MESSAGE = {"role": "assistant", "content": "Hallo"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
CHAT: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "theirs",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}],
    "usage": USAGE,
}


@dataclass(frozen=True)
class Wire:
    """One response.

    Attributes:
        pieces: the body; an object is sent as JSON, bytes as they are, None waits for good.
        status: HTTP's.
        headers: besides those that are needed.
        cut: whether the connection breaks instead of the response's end.
        close: whether the connection is closed after it, without saying so.
        reset: whether there is no response at all.
    """

    pieces: tuple[bytes | Json | None, ...] = (CHAT,)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    close: bool = False
    reset: bool = False


@dataclass
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    content: bytes
    connection: int

    @property
    def body(self) -> Json:
        """Its JSON."""
        found: Json = json.loads(self.content)
        return found


@dataclass
class Server:
    """Answers each request with the next wire, the last of them again and again."""

    wires: list[Wire] = field(default_factory=lambda: [Wire()])
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    dropped: asyncio.Event = field(default_factory=asyncio.Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.connections += 1
        number = self.connections
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._one(reader, writer, number):
                    pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        self.asked.append(Asked(first.split(" ")[1], headers, content, number))
        wire = self.wires.pop(0) if len(self.wires) > 1 else self.wires[0]
        if wire.reset:
            writer.transport.abort()
            return False
        fields = {"content-type": "application/json", **wire.headers}
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(
            f"HTTP/1.1 {wire.status} -\r\ntransfer-encoding: chunked\r\n{text}\r\n".encode()
        )
        for piece in wire.pieces:
            if piece is None:
                await writer.drain()
                await reader.read(1)  # until the other side leaves
                self.dropped.set()
                return False
            data = piece if isinstance(piece, bytes) else json.dumps(piece).encode()
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await writer.drain()
        if not wire.cut:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not (wire.cut or wire.close)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Serve on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()


def events(*chunks: Json | bytes) -> Wire:
    """Return a stream of server-sent events, each of them in a piece of its own."""
    pieces = [each if isinstance(each, bytes) else data(each) for each in chunks]
    return Wire(tuple(pieces), headers={"content-type": "text/event-stream"})


def data(document: Json) -> bytes:
    """Return one event."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def chunk(delta: Json, reason: str | None = None, **more: object) -> Json:
    """Return a chat.completion.chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "theirs"}
    return {**head, "choices": [choice], **more}


DONE = b"data: [DONE]\n\n"
STOP = chunk({}, "stop")
LAST = {**chunk({}), "choices": [], "usage": USAGE}


def lines(*documents: Json) -> Wire:
    """Return a stream of JSON lines, as Ollama sends it."""
    pieces = [orjson.dumps(each) + b"\n" for each in documents]
    return Wire(tuple(pieces), headers={"content-type": "application/x-ndjson"})


def part(content: str, **more: object) -> Json:
    """Return one line of Ollama's."""
    message = {"role": "assistant", "content": content}
    return {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message} | {
        "done": False,
        **more,
    }


END = part("", done=True, done_reason="stop", prompt_eval_count=7, eval_count=2)


def request(
    body: Json | None = None, operation: Operation = Operation.CHAT, **more: object
) -> Request:
    """Return a request for an alias `a`; a chat that says hi when it says nothing else."""
    given = body or {}
    if operation is Operation.CHAT:
        given = {"messages": HI, **given}
    stream = given.get("stream") is True
    fields = {"model": "a", **given}
    return Request("call-1", operation, "a", fields, 100, Caller(), stream=stream, **more)  # type: ignore[arg-type]


@dataclass
class Asking:
    """A provider with a deployment, and the server that it leads to."""

    server: Server
    provider: OpenAIProvider | OllamaProvider
    deployment: Deployment

    async def ask(self, asked: Request | None = None, timeouts: Timeouts = PATIENT) -> PlainReply:
        """Return a plain reply."""
        reply = await self.provider.ask(self.deployment, asked or request(), timeouts)
        assert isinstance(reply, PlainReply)
        return reply

    async def open(self, timeouts: Timeouts = PATIENT, **body: Any) -> StreamReply:
        """Return a stream."""
        reply = await self.provider.ask(
            self.deployment, request({"stream": True, **body}), timeouts
        )
        assert isinstance(reply, StreamReply)
        return reply

    async def chunks(self, **body: Any) -> tuple[list[Json], StreamReply]:
        """Return all chunks of a stream, and the stream."""
        stream = await self.open(**body)
        return [each async for each in stream], stream

    async def failure(self, asked: Request | None = None, timeouts: Timeouts = PATIENT) -> Failure:
        """Return how an attempt fails; a stream is read to its end."""
        try:
            reply = await self.provider.ask(self.deployment, asked or request(), timeouts)
            if isinstance(reply, StreamReply):
                async for _ in reply:
                    pass
        except AttemptFailedError as error:
            return error.failure
        raise AssertionError("it did not fail")

    async def broken(self, timeouts: Timeouts = PATIENT, **body: object) -> BrokenStream:
        """Read a stream until it fails."""
        stream = await self.open(timeouts, **body)
        found: list[Json] = []
        try:
            async for each in stream:
                found.append(each)  # noqa: PERF401 -- it breaks
        except AttemptFailedError as error:
            return BrokenStream(found, error.failure, stream)
        raise AssertionError("it did not break")


@dataclass
class BrokenStream:
    """What came of a stream, and how it failed."""

    chunks: list[Json]
    failure: Failure
    stream: StreamReply


def text_of(chunks: list[Json]) -> str:
    """Return the text that chunks bring."""
    return "".join(
        choice["delta"].get("content") or "" for each in chunks for choice in each["choices"]
    )


@contextlib.asynccontextmanager
async def openai(*wires: Wire, count: Count | None = None, **more: object) -> AsyncIterator[Asking]:
    """Ask a server in OpenAI's protocol."""
    async with Server(list(wires) or [Wire()]).running() as server:
        provider = OpenAIProvider(HttpClient(), count)
        base = f"http://127.0.0.1:{server.port}/v1"
        try:
            yield Asking(server, provider, deployment(Protocol.OPENAI, base, **more))
        finally:
            await provider.close()


@contextlib.asynccontextmanager
async def ollama(*wires: Wire, count: Count | None = None, **more: object) -> AsyncIterator[Asking]:
    """Ask a server in Ollama's protocol."""
    async with Server(list(wires)).running() as server:
        provider = OllamaProvider(HttpClient(), count)
        base = f"http://127.0.0.1:{server.port}"
        given = {"provider": "ollama_chat", **more}
        try:
            yield Asking(server, provider, deployment(Protocol.OLLAMA, base, **given))
        finally:
            await provider.close()


def deployment(protocol: Protocol, base: str | None = None, **more: object) -> Deployment:
    """Return a deployment."""
    fields = {"provider": "openai", "model": "theirs", "key": "sk-theirs", **more}
    return Deployment("d1", "a", protocol=protocol, base=base, **fields)  # type: ignore[arg-type]
