"""The messages between a gateway and its applier: one JSON object a line, over a socket."""

from __future__ import annotations

import contextlib
import logging
import select
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from gateway.journal.place import Place

if TYPE_CHECKING:
    import socket


@dataclass(frozen=True, slots=True)
class Task:
    """The gateway's first message: what the applier is to do.

    Attributes:
        url: the URL of the database.
        folder: the gateway's own folder.
        tail: how far the gateway has written in this folder.
        left: folders of gateways that are gone.
    """

    url: str = field(repr=False)
    folder: str
    tail: Place
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Written:
    """A later message from the gateway.

    Attributes:
        tail: how far the gateway has written; None if that has not changed.
        left: further folders of gateways that are gone.
        stop_within: seconds within which the applier is to end, earlier if everything is applied;
            None for no end.
    """

    tail: Place | None = None
    left: list[str] = field(default_factory=list)
    stop_within: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A message from the applier.

    Attributes:
        place: up to where the gateway's own folder is in the database; None if that has not
            changed.
        records: how many records have been applied since the last message.
        is_idle: whether nothing is left to apply.
        done_with: a folder of a gateway that is gone, all of which is applied now; "" for none.
        level: the level of a log line; 0 for no log line.
        text: the log line.
    """

    place: Place | None = None
    records: int = 0
    is_idle: bool = False
    done_with: str = ""
    level: int = 0
    text: str = ""


def encoded(message: Task | Written | Progress) -> bytes:
    """Return a message as a line."""
    return orjson.dumps(asdict(message)) + b"\n"


def progress(line: bytes) -> Progress:
    """Return an applier's message."""
    fields = orjson.loads(line)
    return Progress(**{**fields, "place": _place(fields["place"])})


def _place(fields: dict[str, int] | None) -> Place | None:
    return None if fields is None else Place(**fields)


class Channel:
    """The applier's end of the socket.

    Args:
        end: the socket, in blocking mode.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._buffer = b""

    def send(self, message: Progress) -> None:
        """Send a message.

        Raises:
            OSError: the gateway is gone.
        """
        self._end.sendall(encoded(message))

    def receive_task(self) -> Task | None:
        """Return the task, which is the first message; None when the gateway is gone already."""
        while b"\n" not in self._buffer:
            more = self._end.recv(1 << 16)
            if not more:
                return None
            self._buffer += more
        line, self._buffer = self._buffer.split(b"\n", 1)
        fields = orjson.loads(line)
        return Task(**{**fields, "tail": Place(**fields["tail"])})

    def receive(self, seconds: float | None) -> Written | None:
        """Return all messages since the last call as one message; None when the gateway is gone.

        Args:
            seconds: how long to wait for a message at most; None for as long as it takes.
        """
        if b"\n" not in self._buffer:
            ready, _, _ = select.select([self._end], [], [], seconds)
            if ready:
                more = self._end.recv(1 << 16)
                if not more:
                    return None
                self._buffer += more
        *lines, self._buffer = self._buffer.split(b"\n")
        tail: Place | None = None
        left: list[str] = []
        stop: float | None = None
        for line in lines:
            fields: dict[str, Any] = orjson.loads(line)
            tail = _place(fields["tail"]) or tail
            left += fields["left"]
            stop = fields["stop_within"] if fields["stop_within"] is not None else stop
        return Written(tail, left, stop)


class ChannelHandler(logging.Handler):
    """Sends log lines to the gateway, which writes them to its log.

    Args:
        channel: the socket to the gateway.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send a line."""
        with contextlib.suppress(OSError):  # the gateway is gone, and its log with it
            self._channel.send(Progress(level=record.levelno, text=record.getMessage()))
