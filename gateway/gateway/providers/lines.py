"""Streams taken apart: lines of any length up to a bound, and the events of an SSE stream.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream. Each `data`
line is an event of its own: nobody who speaks OpenAI's protocol splits JSON over several, and some
leave out the empty line between events.
"""

from __future__ import annotations

MAX_LINE = 32 << 20
"""Bytes. A chunk may hold an image or audio in base64."""


class LineTooLongError(Exception):
    """A line that does not end within MAX_LINE."""


class Lines:
    """Splits bytes, which come in pieces cut anywhere, into lines."""

    __slots__ = ("_held", "_length", "_longest")

    def __init__(self, longest: int = MAX_LINE) -> None:
        self._held: list[bytes] = []
        self._length = 0
        self._longest = longest

    def feed(self, data: bytes) -> list[bytes]:
        r"""Return the lines that are complete now, without their \n.

        Raises:
            LineTooLongError: the line that has begun is longer than the bound.
        """
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._held:
            lines[0] = b"".join((*self._held, lines[0]))
            self._held.clear()
            self._length = 0
        if rest:
            self._held.append(rest)
            self._length += len(rest)
            if self._length > self._longest:
                raise LineTooLongError
        return lines

    def end(self) -> list[bytes]:
        """Return the last line when it does not end in a newline."""
        return self.feed(b"\n") if self._held else []


def event_data(lines: list[bytes]) -> list[bytes]:
    """Return what the `data` lines hold; comments, names of events and the like are left out."""
    found = [line[5:].strip() for line in lines if line.startswith(b"data:")]
    return [data for data in found if data]
