"""A model provider in this process: speaks OpenAI's and Ollama's chat, and fails on command."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

from unit.failover.wire_formats import Body, OllamaWire, OpenAIWire


@dataclass(frozen=True)
class Reply:
    """How one chat request is answered.

    Attributes:
        content: the answer; a stream sends it word by word.
        status: other than 200, `content` is the message of an error.
        headers: sent along.
        hang: nothing is ever sent.
        reset: the connection is closed without an answer.
        cut_after: a stream is cut after so many words, its connection closed as if it had ended.
        broken: a stream sends a line that is no JSON after so many words.
        delay: seconds before the answer.
    """

    content: str = "ja gut so"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    reset: bool = False
    cut_after: int | None = None
    broken: int | None = None
    delay: float = 0


@dataclass
class Upstream:
    """A provider on a free loopback port.

    Attributes:
        replies: for the next chat requests, in order; then `default` holds.
        asked: the body of every chat request.
        headers: of every chat request, by their names in small letters.
        probed: the path of every request that is none.
        models_status: the status of the free endpoints.
        models: what Ollama lists.
    """

    name: str = "model"
    default: Reply = field(default_factory=Reply)
    replies: list[Reply] = field(default_factory=list)
    asked: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    probed: list[str] = field(default_factory=list)
    models_status: int = 200
    models: tuple[str, ...] = ("llama3.2:latest",)
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def base(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listens, on the port it had before if it had one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes the port and every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._one_request(reader, writer)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one_request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *fields = head.rstrip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in fields)}
        length = int(headers.get("content-length", 0))
        body = json.loads(await reader.readexactly(length)) if length else {}
        if method == "POST" and path in ("/v1/chat/completions", "/api/chat"):
            self.asked.append(body)
            self.headers.append(headers)
            reply = self.replies.pop(0) if self.replies else self.default
            await self._answer(writer, path, body, reply)
        else:
            self.probed.append(path)
            _write(writer, self.models_status, _free_answer(path, self.models))
        await writer.drain()

    async def _answer(
        self, writer: asyncio.StreamWriter, path: str, body: Body, reply: Reply
    ) -> None:
        if reply.hang:
            await asyncio.sleep(3600)
        if reply.reset:
            writer.transport.abort()
            return
        await asyncio.sleep(reply.delay)
        if reply.status != 200:
            error = {"message": reply.content, "type": "error"}
            _write(writer, reply.status, {"error": error}, reply.headers)
            return
        wire = OllamaWire(self.name) if path == "/api/chat" else OpenAIWire(self.name)
        if body.get("stream", False):
            _write_head(writer, 200, {"content-type": wire.stream_type})
            async for chunk in wire.stream(reply, body):
                writer.write(chunk.encode())
                await writer.drain()
        else:
            _write(writer, 200, wire.whole(reply), reply.headers)


def _free_answer(path: str, models: tuple[str, ...]) -> Body:
    if path == "/api/tags":
        return {"models": [{"name": model, "model": model} for model in models]}
    return {"data": [], "version": "0.17.4"}


def _write(
    writer: asyncio.StreamWriter, status: int, body: Body, headers: Mapping[str, str] | None = None
) -> None:
    data = json.dumps(body).encode()
    fields = {"content-type": "application/json", "content-length": str(len(data))}
    _write_head(writer, status, fields | dict(headers or {}))
    writer.write(data)


def _write_head(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str]) -> None:
    fields = {"connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in fields.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
