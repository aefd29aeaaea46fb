"""The journal: lines are appended by the event loop, and made durable in groups.

One flush serves every line that was appended before it, so a slow disk costs each request one
flush, not a queue of them. As long as the disk is quick, whoever waits flushes at once, on the
event loop: to hand over to a thread and back takes several times longer than the flush itself.
When it is slow, the thread does it, and nobody else's request waits.
"""

from __future__ import annotations

import asyncio
import errno
import os
import statistics
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.journal import segments
from gateway.journal.lines import encode
from gateway.journal.segments import JournalFullError, Segment
from gateway.journal.waiters import Waiter, already_done, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEGMENT_BYTES = 8 << 20
SEGMENTS_AT_LEAST = 4
RETRY_SECONDS = 2.0
"""How long a full disk is left alone before room is looked for again, and so long at most is a line
not durable that nobody waits for."""

QUICK_SECONDS = 0.001
"""A disk whose median flush takes less is quick."""

FLUSHES_REMEMBERED = 32


@dataclass(frozen=True, order=True)
class Tail:
    """Where the next line will stand.

    Attributes:
        number: of the file.
        offset: in it.
    """

    number: int
    offset: int


class Journal:
    """One gateway's journal.

    Args:
        folder: this gateway's own; see folder.py.
        max_bytes: what all its files may take.
        sync: whether a record counts as written only when the disk has it. Without, it survives
            the death of every process, but not of the machine.
        say: writes an event for people to the log, with its level.

    Attributes:
        max_bytes: what all its files may take.
        records: how many were appended; notes given up are among them, other notes are not.
    """

    def __init__(
        self, folder: Path, max_bytes: int, say: Callable[[str, str], None], *, sync: bool = True
    ) -> None:
        self.folder = folder
        self.appended = threading.Event()
        self.max_bytes = max_bytes
        self.records = 0
        self._say = say
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // SEGMENTS_AT_LEAST)
        self._sync = sync
        self._wake = threading.Condition()
        self._making = threading.Lock()  # two files of one number would be one too many
        self._waiters: list[Waiter] = []
        self._filled: list[Segment] = []
        self._stopping = False
        self._failure: str | None = None
        self._took: deque[float] = deque([0.0], FLUSHES_REMEMBERED)
        self._quick = True
        first = max(segments.numbers(folder), default=0) + 1
        self._active = self._make(first)
        self._spare: Segment | None = None
        self._offset = 0
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._prepare_spare()
        self._thread.start()

    @property
    def stopped_because(self) -> str | None:
        """Why no new request may be taken; None as long as there is room."""
        return self._failure

    @property
    def tail(self) -> Tail:
        """Where the next line will stand."""
        with self._wake:
            return Tail(self._active.number, self._offset)

    def append(self, body: bytes, *, wake: bool = True) -> asyncio.Future[None]:
        """Writes a line and has it applied; to be called on the event loop.

        Args:
            body: of the line.
            wake: whether the thread is to make it durable now. Otherwise `flush` does, or the
                thread when the disk is slow, or in a while.

        Returns:
            Is done when the line is durable.

        Raises:
            JournalFullError: there is no room left, not even the reserve.
            OSError: the disk fails otherwise.
        """
        done = self._write(body, wake=wake)
        self.records += 1
        self.appended.set()
        return done

    def append_note(self, body: bytes) -> asyncio.Future[None]:
        """As `append`, for a line that nothing comes of before another follows.

        Nobody is woken for it; `flush` makes it durable.
        """
        return self._write(body, wake=False)

    def flush(self) -> None:
        """Makes durable what was appended, or has the thread do so when the disk is slow.

        To be called on the event loop.
        """
        with self._wake:
            if not self._quick:
                if self._waiters:  # it was quick a moment ago, and nobody woke the thread
                    self._wake.notify()
                return
            # Files that are full are the thread's, which closes them.
            mine = [waiter for waiter in self._waiters if waiter.segment is self._active]
            if not mine:
                return
            self._waiters = [w for w in self._waiters if w.segment is not self._active]
        self._make_durable(mine)

    def close(self) -> None:
        """Makes everything durable and ends the thread."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        for segment in (*self._filled, self._active):
            segment.close()
        if self._spare is not None:
            self._spare.close()
            segments.remove_segment(self.folder, self._spare.number)

    def room_was_made(self) -> None:
        """Tells that a file was removed: a full journal looks for room at once."""
        with self._wake:
            self._wake.notify()

    def _write(self, body: bytes, *, wake: bool) -> asyncio.Future[None]:
        line = encode(body)
        with self._wake:
            if self._stopping:  # the descriptor may be somebody else's by now
                raise OSError(errno.EBADF, "the spend journal is closed")
            if self._offset + len(line) > self._active.size:
                self._rotate(len(line))
            _write(self._active.descriptor, line, self._offset)
            self._offset += len(line)
            done = self._waiting() if self._sync else already_done()
            if wake or not self._quick:
                self._wake.notify()
        return done

    def _waiting(self) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        self._waiters.append(Waiter(self._active, done))
        return done

    def _rotate(self, least: int) -> None:
        """Goes on in the file that was made ahead, or in one made now."""
        with self._making:
            following = self._spare or self._make(self._active.number + 1, least)
            self._spare = None
        if following.size < least:
            following.close()
            segments.remove_segment(self.folder, following.number)
            following = self._make(following.number, least)
        self._filled.append(self._active)
        self._active = following
        self._offset = 0
        self._wake.notify()

    def _make(self, number: int, least: int = 0) -> Segment:
        size = max(self._segment_bytes, least)
        return segments.make_segment(self.folder, number, size, limit=self.max_bytes)

    def _run(self) -> None:
        while True:
            with self._wake:
                if not (self._waiters or self._filled or self._stopping):
                    self._wake.wait(RETRY_SECONDS)
                waiters, self._waiters = self._waiters, []
                filled, self._filled = self._filled, []
                stopping = self._stopping
            self._make_durable(waiters)
            for segment in filled:
                segment.close()
            if stopping:
                return
            if self._spare is None:
                self._prepare_spare()

    def _make_durable(self, waiters: list[Waiter]) -> None:
        try:
            for descriptor in {waiter.segment.descriptor for waiter in waiters}:
                self._sync_data(descriptor)
        except OSError as error:
            # What could not be written may be gone from memory too: nothing here can be trusted.
            self._stop(f"its disk fails: {error.strerror}")
            tell(waiters, error)
        else:
            tell(waiters, None)

    def _sync_data(self, descriptor: int) -> None:
        started = time.perf_counter()
        os.fdatasync(descriptor)
        seconds = time.perf_counter() - started
        with self._wake:
            self._took.append(seconds)
            self._quick = statistics.median(self._took) < QUICK_SECONDS

    def _prepare_spare(self) -> None:
        """Makes the next file ahead; says so when there is no room, and when there is again."""
        try:
            with self._making:
                self._spare = self._spare or self._make(self._active.number + 1)
        except (JournalFullError, OSError) as error:
            self._stop(str(error))
            return
        if self._failure is not None:
            self._failure = None
            self._say("the spend journal has room again: requests are taken", "INFO")

    def _stop(self, reason: str) -> None:
        if self._failure != reason:
            self._failure = reason
            self._say(f"the spend journal is full, new requests are refused: {reason}", "ERROR")


def _write(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
