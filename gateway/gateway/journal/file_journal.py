"""The journal: lines are appended by the event loop, and made durable in groups.

One flush serves every line that was appended before it, so a slow disk costs each request one
flush, not a queue of them. While the disk is quick, the event loop flushes once for all requests
that wait: a handover to a thread and back takes several times longer than the flush itself. When
the disk is slow, a thread flushes, so that other requests do not wait.

Each file begins with a line that names the journal. A gateway begins a new journal at each start.
So a place (file and offset) in a journal with a given id always stands for the same records, even
when its folder is copied or restored from a backup.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING

from gateway.journal import segments
from gateway.journal.lines import encode
from gateway.journal.place import Place, header, is_header, stored_place
from gateway.journal.segments import JournalFullError, Segment
from gateway.journal.waiters import Waiter, already_done, resolve

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)

SEGMENT_BYTES = 8 << 20
SEGMENTS_AT_LEAST = 4
RETRY_SECONDS = 2.0
"""The seconds after which a full disk is tried again.

It is also the longest time that a line which no request waits for may stay in memory only.
"""

MAX_HEADER = 4096

QUICK_SECONDS = 0.001
"""A disk whose median flush takes less is quick."""

FLUSHES_REMEMBERED = 32


class Journal:
    """One gateway's journal.

    Args:
        folder: this gateway's own folder; see folder.py.
        max_bytes: the bytes that all its files may take.
        sync: whether a record counts as written only once it is on the disk. Otherwise it survives
            the death of every process, but not a crash of the machine.

    Attributes:
        id: the journal's id.
        first: the number of its first file.
        max_bytes: the bytes that all its files may take.
        records: how many records were appended.
    """

    def __init__(self, folder: Path, max_bytes: int, *, sync: bool = True) -> None:
        self.folder = folder
        self.id = uuid.uuid4().hex
        self.max_bytes = max_bytes
        self.records = 0
        self._header = encode(header(self.id))
        self._segment_bytes = min(SEGMENT_BYTES, max_bytes // SEGMENTS_AT_LEAST)
        self._sync = sync
        self._wake = threading.Condition()
        self._making = threading.Lock()  # so that two threads never make a file of one number
        self._waiters: list[Waiter] = []
        self._filled: list[Segment] = []
        self._stopping = False
        self._failure: str | None = None
        self._took: deque[float] = deque([0.0], FLUSHES_REMEMBERED)
        self._quick = True
        self._flushing = False
        segments.trim(folder)
        numbers = [*segments.numbers(folder), stored_place(folder).number]
        self.first = max(numbers) + 1
        # This file may exceed the bound: a gateway that did not start could never apply the records
        # that fill the journal. Without room for a spare file it accepts no requests.
        self._active = segments.make_segment(
            folder, self.first, self._segment_bytes, begin=self._header
        )
        self._spare: Segment | None = None
        self._offset = len(self._header)
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._prepare_spare()
        self._thread.start()

    @property
    def stopped_because(self) -> str | None:
        """Why new requests are refused; None as long as there is room."""
        return self._failure

    @property
    def tail(self) -> Place:
        """The place where the next line begins."""
        with self._wake:
            return Place(self._active.number, self._offset)

    def has_left_records(self) -> bool:
        """Return whether files of the previous gateway hold records that are not applied yet."""
        read = stored_place(self.folder)
        return any(
            _holds_records(
                segments.path_of(self.folder, number), read.offset * (number == read.number)
            )
            for number in segments.numbers(self.folder)
            if read.number <= number < self.first
        )

    def append(self, body: bytes, *, wake: bool = False) -> tuple[Place, asyncio.Future[None]]:
        """Write a line; to be called on the event loop.

        Args:
            body: the line's JSON.
            wake: whether the thread is to make the line durable now. Otherwise `flush` makes it
                durable, or the thread does: at once if the disk is slow, else after RETRY_SECONDS.

        Returns:
            The place where the line ends, and a future that is done when the line is durable.

        Raises:
            JournalFullError: there is no room left, not even the spare file.
            OSError: the disk failed in another way.
        """
        line = encode(body)
        with self._wake:
            if self._stopping:  # the descriptor may belong to another file by now
                raise OSError(errno.EBADF, "the spend journal is closed")
            if self._offset + len(line) > self._active.size:
                self._rotate(len(line))
            _write(self._active.descriptor, line, self._offset)
            self._offset += len(line)
            done = self._waiting() if self._sync else already_done()
            if wake or not self._quick:
                self._wake.notify()
            self.records += 1
            return Place(self._active.number, self._offset), done

    def flush(self) -> None:
        """Make appended lines durable, once for all calls in this turn of the event loop."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush_now)

    def flush_now(self) -> None:
        """Make appended lines durable, or have the thread do so when the disk is slow.

        To be called on the event loop.
        """
        self._flushing = False
        with self._wake:
            if not self._quick:
                if self._waiters:  # the disk was quick when they came, so the thread is asleep
                    self._wake.notify()
                return
            # The thread flushes full files, because it closes them.
            mine = [waiter for waiter in self._waiters if waiter.segment is self._active]
            if not mine:
                return
            self._waiters = [w for w in self._waiters if w.segment is not self._active]
        self._make_durable(mine)

    def close(self) -> None:
        """Make everything durable and end the thread; a second call does nothing."""
        with self._wake:
            if self._stopping:
                return
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        for segment in (*self._filled, self._active):
            segment.close()
        if self._spare is not None:
            self._spare.close()
            segments.remove_segment(self.folder, self._spare.number)

    def room_was_made(self) -> None:
        """Notify the thread that a file was removed, so that a full journal tries again at once."""
        with self._wake:
            self._wake.notify()

    def _waiting(self) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        self._waiters.append(Waiter(self._active, done))
        return done

    def _rotate(self, least: int) -> None:
        """Continue in the spare file, or in a new one."""
        least += len(self._header)
        with self._making:
            following = self._spare or self._make(self._active.number + 1, least)
            self._spare = None
        if following.size < least:
            following.close()
            segments.remove_segment(self.folder, following.number)
            following = self._make(following.number, least)
        self._filled.append(self._active)
        self._active = following
        self._offset = len(self._header)
        self._wake.notify()

    def _make(self, number: int, least: int = 0) -> Segment:
        size = max(self._segment_bytes, least)
        return segments.make_segment(
            self.folder, number, size, limit=self.max_bytes, begin=self._header
        )

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
            # After a failed flush the data may be gone from memory, too, so nothing can be trusted.
            self._stop(f"its disk fails: {error.strerror}")
            resolve(waiters, error)
        else:
            resolve(waiters, None)

    def _sync_data(self, descriptor: int) -> None:
        started = time.perf_counter()
        os.fdatasync(descriptor)
        seconds = time.perf_counter() - started
        with self._wake:
            self._took.append(seconds)
            self._quick = sorted(self._took)[len(self._took) // 2] < QUICK_SECONDS

    def _prepare_spare(self) -> None:
        """Make the next file ahead of time; log when there is no room, and when there is again."""
        try:
            with self._making:
                self._spare = self._spare or self._make(self._active.number + 1)
        except (JournalFullError, OSError) as error:
            self._stop(str(error))
            return
        if self._failure is not None:
            self._failure = None
            LOG.info("the spend journal has room again: requests are accepted")

    def _stop(self, reason: str) -> None:
        if self._failure != reason:
            self._failure = reason
            LOG.error("the spend journal is full, new requests are refused: %s", reason)


def _holds_records(path: Path, offset: int) -> bool:
    """Return whether a file holds more than its header from an offset on."""
    with path.open("rb") as file:
        file.seek(offset)
        start = file.read(MAX_HEADER).rstrip(b"\0")
    return start.partition(b"\n")[2] != b"" if is_header(start) else start != b""


def _write(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
