"""Reads a journal where the last reading ended, and forgets what is in the database.

A note is done with when the record that completes it is. Until then the place where the next
reading begins stays before it; see `open_notes.py`.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway.journal import segments
from gateway.journal.journal import Tail
from gateway.journal.lines import Damage, Line, scan
from gateway.journal.note import GivenUp, Note, read_entry
from gateway.journal.open_notes import OpenNotes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.journal.record import Record

BATCH_RECORDS = 500
BATCH_BYTES = 4 << 20
DAMAGED = "damaged.jsonl"


@dataclass(frozen=True)
class Batch:
    """Records that follow each other.

    Attributes:
        records: the records.
        end: where the next batch begins.
        notes: those that were read on the way, and where each stands.
        given_up: ids of notes that no record will complete.
        made: whether its records were made of notes, not read.
    """

    records: list[Record]
    end: Tail
    notes: list[tuple[Tail, Note]] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    made: bool = False


class Reader:
    """Reads one folder's journal.

    Args:
        folder: of one gateway.
        tail: returns where the gateway writes; everything before it is whole. None when nobody
            writes there any more.
        say: writes an event for people to the log, with its level.
        complete: makes a record of a note that no other completes.
        removed: called when a file was removed.

    Attributes:
        records_read: how many records were read that are done with; notes given up are among them.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str, str], None],
        complete: Callable[[Note], Record],
        tail: Callable[[], Tail] | None = None,
        removed: Callable[[], None] = lambda: None,
    ) -> None:
        self.records_read = 0
        self._folder = folder
        self._say = say
        self._complete = complete
        self._tail = tail
        self._removed = removed
        self._position_path = folder / "position"
        self._position = self._saved = self._stored_position()
        self._open = OpenNotes()

    def next_batch(self, *, last: bool = False) -> Batch | None:
        """Returns the records that come next; None when there is none yet.

        Args:
            last: whether nobody writes any more, so that no record will complete what is open.
        """
        due = self._open.due()
        if not due:
            batch = self._next_lines()
            if batch is not None:
                return batch
            due = self._open.due(everything=last)
        records = self._completed(due)
        return Batch(records, self._position, made=True) if records else None

    def done(self, batch: Batch) -> None:
        """Takes note that a batch is in the database.

        Losing this is harmless: what is applied twice is found to be there already.
        """
        self._position = batch.end
        if not batch.made:
            self.records_read += len(batch.records) + len(batch.given_up)
        for place, note in batch.notes:
            self._open.add(place, note)
        for record in batch.records:
            self._open.close(record.id)
        for identity in batch.given_up:
            self._open.give_up(identity)
        self._save()
        self._remove_read_files()

    def pending_bytes(self) -> int:
        """Returns about how much is not in the database yet."""
        tail = self._tail() if self._tail is not None else Tail(0, 0)
        present = [n for n in segments.numbers(self._folder) if n >= self._position.number]
        full = sum(
            segments.size_of(segments.path_of(self._folder, n)) for n in present if n < tail.number
        )
        return max(0, full + tail.offset - self._position.offset)

    def _next_lines(self) -> Batch | None:
        """Returns what stands next, up to some records; None at the end."""
        while True:
            tail = self._tail() if self._tail is not None else None
            present = [n for n in segments.numbers(self._folder) if n >= self._position.number]
            if not present or (tail is not None and present[0] > tail.number):
                return None
            if present[0] > self._position.number:
                self._position = Tail(present[0], 0)
            is_active = tail is not None and self._position.number == tail.number
            batch = self._read(tail.offset if tail is not None and is_active else None)
            if batch.records:
                return batch
            if batch.end != self._position:  # notes, or damage that was passed over
                self.done(batch)
            elif is_active:
                return None
            else:
                self._position = Tail(self._position.number + 1, 0)
                self._remove_read_files()

    def _read(self, limit: int | None) -> Batch:
        """Returns what stands from the position on, up to `limit` in the file."""
        number, start = self._position.number, self._position.offset
        with segments.path_of(self._folder, number).open("rb") as file:
            file.seek(start)
            data = file.read() if limit is None else file.read(max(0, limit - start))
        batch = Batch([], self._position)
        for found in scan(data, start):
            if isinstance(found, Line):
                self._take(found, batch)
            else:
                self._report(found)
            batch = replace(batch, end=Tail(number, found.end))
            if len(batch.records) >= BATCH_RECORDS or found.end - start >= BATCH_BYTES:
                break
        return batch

    def _take(self, line: Line, batch: Batch) -> None:
        try:
            entry = read_entry(line.body)
        except (ValueError, TypeError, KeyError):
            self._report(Damage(line.end - len(line.body), line.body, unfinished=False))
            return
        if isinstance(entry, Note):
            batch.notes.append((batch.end, entry))
        elif isinstance(entry, GivenUp):
            batch.given_up.append(entry.id)
        else:
            batch.records.append(entry)

    def _completed(self, notes: list[Note]) -> list[Record]:
        """Returns records made of notes alone."""
        records = []
        for note in notes:
            try:
                records.append(self._complete(note))
            except Exception as error:  # noqa: BLE001 -- one must not keep the others from the database
                self._open.close(note.id)
                self._put_aside({"note": note.encoded().decode()})
                self._say(
                    f"the note of {note.request_id} makes no record ({error!r}) and was put aside"
                    f" in {self._folder / DAMAGED}",
                    "ERROR",
                )
        return records

    def _report(self, damage: Damage) -> None:
        """Keeps what cannot be read, and says what it means."""
        name = segments.path_of(self._folder, self._position.number).name
        if damage.unfinished:
            self._say(f"{name} ends in an unfinished record, whose answer never left", "WARNING")
            return
        raw = base64.b64encode(damage.raw).decode()
        self._put_aside({"file": name, "offset": damage.start, "bytes": raw})
        self._say(
            f"{name} is damaged at byte {damage.start}: {len(damage.raw)} bytes are no record and "
            f"were put aside in {self._folder / DAMAGED}",
            "ERROR",
        )

    def _put_aside(self, kept: dict[str, Any]) -> None:
        with (self._folder / DAMAGED).open("a", encoding="ascii") as file:
            file.write(f"{json.dumps(kept)}\n")

    @property
    def _safe(self) -> Tail:
        """Where a reading must begin that is to find everything that still counts."""
        return min(self._position, self._open.first or self._position)

    def _save(self) -> None:
        safe = self._safe
        if safe == self._saved:
            return
        content = json.dumps({"number": safe.number, "offset": safe.offset})
        temporary = self._position_path.with_suffix(".new")
        temporary.write_text(content, encoding="ascii")
        temporary.replace(self._position_path)
        self._saved = safe

    def _remove_read_files(self) -> None:
        safe = self._safe
        read = [number for number in segments.numbers(self._folder) if number < safe.number]
        for number in read:
            segments.remove_segment(self._folder, number)
        if read:
            self._removed()

    def _stored_position(self) -> Tail:
        try:
            stored = json.loads(self._position_path.read_text(encoding="ascii"))
            return Tail(int(stored["number"]), int(stored["offset"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Tail(0, 0)
