"""The journal's lines: a checksum, a space, JSON, a newline.

A file is longer than what was written into it (see `segments.py`); the rest is zero bytes.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITTEN = re.compile(rb"[^\0]")


@dataclass(frozen=True)
class Line:
    """One line as it was written.

    Attributes:
        body: its JSON.
        end: the offset in the file where the next line begins.
    """

    body: bytes
    end: int


@dataclass(frozen=True)
class Damage:
    """Bytes that are not a valid line.

    Attributes:
        start: their offset in the file.
        raw: the bytes.
        unfinished: whether nothing follows them, as after a write that was cut off.
    """

    start: int
    raw: bytes
    unfinished: bool

    @property
    def end(self) -> int:
        """The offset in the file after these bytes."""
        return self.start + len(self.raw)


def encode(body: bytes) -> bytes:
    """Return the line that holds `body`, which is JSON without line breaks.

    Raises:
        ValueError: `body` holds a line break or a zero byte, which JSON on one line cannot hold.
    """
    if b"\n" in body or b"\0" in body:
        raise ValueError("a line of the journal cannot hold a line break or a zero byte")
    return b"%08x %s\n" % (zlib.crc32(body), body)


def scan(data: bytes, base: int = 0) -> Iterator[Line | Damage]:
    """Yield every valid line of `data`, and all other bytes as damage, in order.

    Args:
        data: a file's content from `base` on.
        base: the offset of the first byte of `data` in the file.
    """
    at = 0
    while (found := _WRITTEN.search(data, at)) is not None:
        start = found.start()
        newline = data.find(b"\n", start)
        if newline < 0:
            raw = data[start:].rstrip(b"\0")
            yield Damage(base + start, raw, unfinished=True)
            return
        body = _body(data[start:newline])
        at = newline + 1
        if body is not None:
            yield Line(body, base + at)
        else:
            unfinished = _WRITTEN.search(data, at) is None
            yield Damage(base + start, data[start:at], unfinished=unfinished)


def _body(text: bytes) -> bytes | None:
    """Return a line's JSON; None when its checksum is wrong."""
    checksum, space, body = text.partition(b" ")
    return body if space and checksum == b"%08x" % zlib.crc32(body) else None
