"""What LiteLLM's process writes, as lines of JSON only: one event per line, for a log store.

LiteLLM's loggers can write JSON. Its banner, what its libraries print, uvicorn's lines and
tracebacks are plain text. Each line becomes an event under the names that every service has.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys

from gateway.log import event

COMPONENT = "litellm"
LONGEST = 1 << 16  # bytes
_LEVEL = re.compile(r"\W*(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")


class JsonLines:
    """Takes what a process writes; `descriptor` is for its standard output and error."""

    def __init__(self) -> None:
        self._source, self.descriptor = os.pipe()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to write lines; the process has the other end by now."""
        os.close(self.descriptor)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        source = os.fdopen(self._source, "rb", 0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, source)
        self._task = asyncio.create_task(self._write_lines(reader, transport))

    async def ended(self) -> None:
        """Wait for the last line: until every process that had the other end is gone."""
        if self._task is not None:
            await self._task

    @staticmethod
    async def _write_lines(reader: asyncio.StreamReader, pipe: asyncio.ReadTransport) -> None:
        kept = b""
        try:
            while data := await reader.read(LONGEST):
                *lines, kept = (kept + data).split(b"\n")
                if len(kept) > LONGEST:  # an event of its own: it may go on for ever
                    lines.append(kept)
                    kept = b""
                _write(lines)
            _write([kept])
        finally:
            pipe.close()


def _write(lines: list[bytes]) -> None:
    texts = (line.decode(errors="replace").strip() for line in lines)
    sys.stderr.write("".join(f"{as_json(text)}\n" for text in texts if text))
    sys.stderr.flush()


def as_json(text: str) -> str:
    """Return the event of a line, whatever it is."""
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        level = _LEVEL.match(text)
        fields = event(text, level[1] if level else "INFO")
    # LiteLLM's time has no zone, and its component is the name of a logger.
    ours = {"timestamp": event("")["timestamp"], "component": COMPONENT}
    return json.dumps({**event(""), **fields, **ours}, ensure_ascii=False)
