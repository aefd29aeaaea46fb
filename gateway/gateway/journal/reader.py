"""Read a folder's journal from where the last reading ended, and remove what is applied."""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from gateway.journal import segments
from gateway.journal.lines import Damage, Line, scan
from gateway.journal.old_records import OldLines
from gateway.journal.place import Place, store_place, stored_place
from gateway.journal.record import Record, decoded

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)

BATCH_RECORDS = 1000
CHUNK_BYTES = 1 << 20
DAMAGED = "damaged.jsonl"


@dataclass(slots=True)
class Batch:
    """Consecutive records.

    Attributes:
        journal: the id of their journal; None for a journal of version 0.1.
        end: where the next batch begins.
        records: the records; [] when there was only damage, or the end of a file.
    """

    journal: str | None
    end: Place
    records: list[Record] = field(default_factory=list)


class JournalReader:
    """Reads one folder.

    Args:
        folder: the folder of one gateway.
        tail: how far its gateway has written; every line before that is complete. None when no
            gateway writes there any more.

    Attributes:
        place: up to where everything is in the database.
        tail: as above; to be updated when the gateway has written more.
    """

    def __init__(self, folder: Path, tail: Place | None = None) -> None:
        self.tail = tail
        self.place = self._saved = stored_place(folder)
        self._folder = folder
        self._journal: tuple[int, str | None] = (-1, None)
        self._old = OldLines(folder, self._put_aside)

    def next_batch(self) -> Batch | None:
        """Return the next records; None when there are none yet."""
        while True:
            present = [n for n in segments.numbers(self._folder) if n >= self.place.number]
            if not present or (self.tail is not None and present[0] > self.tail.number):
                return None
            if present[0] > self.place.number:
                self.place = Place(present[0], 0)
            number = self.place.number
            is_active = self.tail is not None and number == self.tail.number
            batch = self._read(self.tail.offset if self.tail is not None and is_active else None)
            if batch.records:
                return batch
            if batch.end != self.place:  # a header, or damage that was skipped
                self.done(batch)
            elif is_active:
                return None
            else:
                self.place = Place(number + 1, 0)
                self._remove_read_files()

    def done(self, batch: Batch) -> None:
        """Record that a batch is in the database."""
        self.place = batch.end
        if self.place != self._saved:
            store_place(self._folder, self.place)
            self._saved = self.place
        self._remove_read_files()

    def _read(self, limit: int | None) -> Batch:
        """Return the records from `place` on, up to the offset `limit` in its file."""
        number, start = self.place.number, self.place.offset
        batch = Batch(self._journal_of(number), self.place)
        for found in scan(self._chunk(number, start, limit), start):
            if isinstance(found, Damage):
                self._report(found, number)
            else:
                record = self._record(found, number, batch.journal)
                if record is not None:
                    record.at = Place(number, found.end).at
                    batch.records.append(record)
            batch.end = Place(number, found.end)
            if len(batch.records) >= BATCH_RECORDS:
                break
        return batch

    def _chunk(self, number: int, start: int, limit: int | None) -> bytes:
        """Return whole lines from an offset on, about as many as a batch needs."""
        with segments.path_of(self._folder, number).open("rb") as file:
            file.seek(start)
            most = -1 if limit is None else max(0, limit - start)
            data = file.read(CHUNK_BYTES if most < 0 else min(most, CHUNK_BYTES))
            end = data.rfind(b"\n") + 1
            if len(data) < CHUNK_BYTES or (data[-1] == 0 and not end):
                return data
            if end and data[-1] != 0:  # the last line continues after the chunk
                return data[:end]
            if end:
                return data
            return data + (file.read() if most < 0 else file.read(most - len(data)))

    def _journal_of(self, number: int) -> str | None:
        """Return the journal's id from a file's header; None for a file of version 0.1."""
        if self._journal[0] != number:
            with segments.path_of(self._folder, number).open("rb") as file:
                first = next(iter(scan(file.readline(200))), None)
            journal = None
            if isinstance(first, Line):
                fields = orjson.loads(first.body)
                journal = fields.get("journal") if isinstance(fields, dict) else None
            self._journal = (number, journal if isinstance(journal, str) else None)
        return self._journal[1]

    def _record(self, line: Line, number: int, journal: str | None) -> Record | None:
        try:
            fields = orjson.loads(line.body)
            if journal is None:
                return self._old.record(fields, line.body, number)
            return None if fields.get("journal") == journal else decoded(fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            start = line.end - len(line.body)
            self._report(Damage(start, line.body, unfinished=False), number)
            return None

    def _report(self, damage: Damage, number: int) -> None:
        """Keep bytes that cannot be read, and log what that means."""
        name = segments.path_of(self._folder, number).name
        if damage.unfinished:
            LOG.warning("%s ends in an unfinished record; its answer was never sent", name)
            return
        raw = base64.b64encode(damage.raw).decode()
        self._put_aside({"file": name, "offset": damage.start, "bytes": raw})
        LOG.error(
            "%s is damaged at byte %d: %d bytes are no record and were put aside in %s",
            name,
            damage.start,
            len(damage.raw),
            self._folder / DAMAGED,
        )

    def _put_aside(self, kept: dict[str, Any]) -> None:
        with (self._folder / DAMAGED).open("a", encoding="ascii") as file:
            file.write(f"{json.dumps(kept)}\n")

    def _remove_read_files(self) -> None:
        for number in segments.numbers(self._folder):
            if number < self.place.number:
                segments.remove_segment(self._folder, number)
