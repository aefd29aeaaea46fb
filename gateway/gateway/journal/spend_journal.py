"""The journal as the rest of the gateway uses it: one object for the life of the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.access.caller import Position
from gateway.journal import segments
from gateway.journal.applier_process import ApplierProcess
from gateway.journal.file_journal import Journal
from gateway.journal.folder import claim, claim_left_behind, owner_of, replace_owner
from gateway.journal.messages import Task, Written
from gateway.journal.place import Place, stored_place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.journal.folder import Claim
    from gateway.journal.messages import Progress
    from gateway.journal.record import Record

LOG = logging.getLogger(__name__)

CATCH_UP_SECONDS = 8.0
"""How long a start waits until records from previous gateways are in the database."""

STOP_SECONDS = 8.0
"""How long a gateway that stops tries to apply its records; the next start applies the rest."""

LINGER_SECONDS = 0.1
"""Records that come within this time share a transaction."""

BUSY_LINGER_SECONDS = 1.0
BUSY_RECORDS_PER_SECOND = 200.0
"""Above this rate, one transaction a second takes a third less processor time."""

SCAN_SECONDS = 60.0
"""The seconds between two searches for folders of gateways that are gone."""


def linger(records: int, seconds: float) -> float:
    """Return for how many seconds to gather records, after `records` came in `seconds`."""
    is_busy = records > BUSY_RECORDS_PER_SECOND * seconds
    return BUSY_LINGER_SECONDS if is_busy else LINGER_SECONDS


@dataclass(frozen=True)
class JournalState:
    """The state of the journal.

    Attributes:
        folder: where this gateway's files are.
        bytes: the bytes that they take, including room made ahead.
        max_bytes: the bytes that they may take.
        waiting_bytes: the bytes that are not in the database yet.
        waiting_records: the records that are not in the database yet, without those from previous
            gateways.
        oldest_waiting_seconds: the age of the oldest waiting record; 0 when there is none.
        stopped_because: why new requests are refused; None as long as there is room.
    """

    folder: Path
    bytes: int
    max_bytes: int
    waiting_bytes: int
    waiting_records: int
    oldest_waiting_seconds: float
    stopped_because: str | None


class SpendJournal:
    """The journal of this gateway.

    Args:
        root: the folder in which every gateway has its own.
        max_mb: the megabytes that this gateway's folder may take.
        url: the URL of the database.
        sync: whether each record is flushed to the disk.

    Attributes:
        on_applied: called with the position up to which this journal is in the database.
        predecessor: the id of the journal that had this folder before; "" if there was none, or if
            its costs are not in the database yet after the start.
        on_taken_over: called with the id of a journal that was left behind, once its costs are in
            the database.

    Raises:
        JournalFolderError: there is no folder to use.
    """

    def __init__(self, root: Path, max_mb: int, url: str, *, sync: bool) -> None:
        self.on_applied: Callable[[Position], None] = lambda _: None
        self.on_taken_over: Callable[[str], None] = lambda _: None
        self._root = root
        self._url = url
        self._claim = claim(root)
        self._journal = Journal(self._claim.path, max_mb << 20, sync=sync)
        self.predecessor = replace_owner(self._claim.path, self._journal.id)
        self._late = ""  # the predecessor, while its costs are missing from the database
        self._place = stored_place(self._claim.path)
        self._left: dict[str, Claim] = {}
        self._applier = ApplierProcess(self._task, self._take)
        self._applied_records = 0
        self._marks: deque[tuple[float, Place]] = deque()
        self._notifying: asyncio.TimerHandle | None = None
        self._linger = LINGER_SECONDS
        self._told = (0, time.monotonic())
        self._looking: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()

    @property
    def journal_id(self) -> str:
        """The id under which `Position` and gateway_data.journal_position name this journal."""
        return self._journal.id

    async def start(self) -> None:
        """Apply the records of previous gateways, and wait a bounded time for that.

        If there are none, as after every orderly stop, the applier starts only with the first
        record, because its imports are a quarter of a start's processor time.
        """
        self._take_over()
        self._mark()
        self._looking = asyncio.get_running_loop().create_task(self._scan_for_left_folders())
        if not self._left and not self._journal.has_left_records():
            return
        self.begin_to_apply()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._caught_up.wait(), CATCH_UP_SECONDS)
        if not self._caught_up.is_set():
            LOG.warning(
                "costs from before this start are not in the database yet; they are being applied"
            )
            self._late, self.predecessor = self.predecessor, ""

    def begin_to_apply(self) -> None:
        """Start the applier if it is not running."""
        self._applier.start()

    def append(self, record: Record) -> tuple[Position, asyncio.Future[None]]:
        """Write a record; `flush` makes it durable, or else a thread does a little later.

        Returns:
            The record's position, and a future that is done when the record is durable.

        Raises:
            JournalFullError: there is no room left, not even the spare file.
            OSError: the disk failed in another way.
        """
        place, done = self._journal.append(record.encoded())
        if self._notifying is None:
            loop = asyncio.get_running_loop()
            self._notifying = loop.call_later(self._linger, self._notify_applier)
        return Position(self._journal.id, place.at), done

    def flush(self) -> None:
        """Make appended records durable, once for all calls in this turn of the event loop."""
        self._journal.flush()

    def reasons(self) -> list[str]:
        """Return why the gateway is not healthy and refuses new requests; [] if it does not."""
        reason = self._journal.stopped_because
        return [] if reason is None else [f"the spend journal is full: {reason}"]

    def state(self) -> JournalState:
        """Return the state of the journal now; may be called in any thread."""
        waiting = self._waiting_bytes()
        oldest = self._marks[0][0] if waiting and self._marks else None
        return JournalState(
            folder=self._claim.path,
            bytes=segments.used_bytes(self._claim.path),
            max_bytes=self._journal.max_bytes,
            waiting_bytes=waiting,
            waiting_records=max(0, self._journal.records - self._applied_records),
            oldest_waiting_seconds=0.0 if oldest is None else time.monotonic() - oldest,
            stopped_because=self._journal.stopped_because,
        )

    async def close(self) -> None:
        """Apply the remaining records, as far as the database answers, and stop."""
        if self._looking is not None:
            self._looking.cancel()
        if self._notifying is not None:
            self._notifying.cancel()
            self._notify_applier()
        await self._applier.stop(STOP_SECONDS)
        await asyncio.get_running_loop().run_in_executor(None, self._journal.close)
        for left in (*self._left.values(), self._claim):
            left.release()

    def _task(self) -> Task:
        """Return the task for an applier that starts now."""
        return Task(self._url, str(self._claim.path), self._journal.tail, list(self._left))

    def _notify_applier(self) -> None:
        self._notifying = None
        self._mark()
        before, self._told = self._told, (self._journal.records, time.monotonic())
        self._linger = linger(self._told[0] - before[0], self._told[1] - before[1])
        self.begin_to_apply()
        self._applier.send(Written(tail=self._journal.tail))

    def _mark(self) -> None:
        """Remember the journal's end and the time, to know how old the oldest waiting record is."""
        self._marks.append((time.monotonic(), self._journal.tail))
        while len(self._marks) > 1 and self._marks[0][1] <= self._place:
            self._marks.popleft()

    def _take(self, news: Progress) -> None:
        """Handle a message from the applier."""
        if news.done_with:
            left = self._left.pop(news.done_with, None)
            if left is not None:
                self.on_taken_over(owner_of(left.path))
                left.release()
        if news.place is not None:
            self._place = max(self._place, news.place)
            while self._marks and self._marks[0][1] <= self._place:
                self._marks.popleft()
            if news.place.number >= self._journal.first:
                self._applied_records += news.records
                self.on_applied(Position(self._journal.id, news.place.at))
            self._journal.room_was_made()
        if news.is_idle:
            self._caught_up.set()
            if self._late:
                self.on_taken_over(self._late)
                self._late = ""

    def _take_over(self) -> None:
        found = {str(left.path): left for left in claim_left_behind(self._root)}
        for name, left in list(found.items()):
            if not segments.numbers(left.path):
                found.pop(name)
                left.release()
        self._left.update(found)

    async def _scan_for_left_folders(self) -> None:
        while True:
            await asyncio.sleep(SCAN_SECONDS)
            known = set(self._left)
            try:
                self._take_over()
            except OSError as error:
                LOG.warning("folders of gateways that are gone cannot be read: %s", error.strerror)
                continue
            new = [name for name in self._left if name not in known]
            if new:
                self.begin_to_apply()
                self._applier.send(Written(left=new))

    def _waiting_bytes(self) -> int:
        """Return roughly how many bytes are not in the database yet."""
        place, tail = self._place, self._journal.tail
        folder = self._claim.path
        full = sum(
            segments.size_of(segments.path_of(folder, number))
            for number in segments.numbers(folder)
            if place.number <= number < tail.number
        )
        return max(
            0, full + tail.offset - (place.offset if full or place.number == tail.number else 0)
        )
