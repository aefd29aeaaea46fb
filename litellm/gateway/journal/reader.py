"""Reads a journal where the last reading ended, and forgets what is in the database."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.journal import segments
from gateway.journal.journal import Tail
from gateway.journal.lines import Damage, Line, scan
from gateway.journal.record import Record, decode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BATCH_RECORDS = 500
BATCH_BYTES = 4 << 20
DAMAGED = "damaged.jsonl"


@dataclass(frozen=True)
class Batch:
    """Records that follow each other.

    Attributes:
        records: the records.
        end: where the next batch begins.
    """

    records: list[Record]
    end: Tail


class Reader:
    """Reads one folder's journal.

    Args:
        folder: of one gateway.
        tail: returns where the gateway writes; everything before it is whole. None when nobody
            writes there any more.
        say: writes an event for people to the log, with its level.
        removed: called when a file was removed.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str, str], None],
        tail: Callable[[], Tail] | None = None,
        removed: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder
        self._say = say
        self._tail = tail
        self._removed = removed
        self._position_path = folder / "position"
        self._position = self._stored_position()

    def next_batch(self) -> Batch | None:
        """Returns the records that come next; None when there is none yet."""
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
            if is_active:
                if batch.end != self._position:  # damage was passed over
                    self.done(batch)
                return None
            self._forget()

    def done(self, batch: Batch) -> None:
        """Takes note that a batch is in the database.

        Losing this note is harmless: what is applied twice is found to be there already.
        """
        self._position = batch.end
        content = json.dumps({"number": batch.end.number, "offset": batch.end.offset})
        temporary = self._position_path.with_suffix(".new")
        temporary.write_text(content, encoding="ascii")
        temporary.replace(self._position_path)

    def pending_bytes(self) -> int:
        """Returns about how much is not in the database yet."""
        tail = self._tail() if self._tail is not None else Tail(0, 0)
        present = [n for n in segments.numbers(self._folder) if n >= self._position.number]
        full = sum(
            segments.path_of(self._folder, n).stat().st_size for n in present if n < tail.number
        )
        return max(0, full + tail.offset - self._position.offset)

    def _read(self, limit: int | None) -> Batch:
        """Returns the records from the position on, up to `limit` in the file."""
        path = segments.path_of(self._folder, self._position.number)
        start = self._position.offset
        with path.open("rb") as file:
            file.seek(start)
            data = file.read() if limit is None else file.read(max(0, limit - start))
        records: list[Record] = []
        end = start
        for found in scan(data, start):
            end = found.end
            if isinstance(found, Line):
                self._take(found, records)
            else:
                self._report(found)
            if len(records) >= BATCH_RECORDS or end - start >= BATCH_BYTES:
                break
        return Batch(records, Tail(self._position.number, end))

    def _take(self, line: Line, records: list[Record]) -> None:
        try:
            records.append(decode(line.body))
        except (ValueError, TypeError, KeyError):
            self._report(Damage(line.end - len(line.body), line.body, unfinished=False))

    def _report(self, damage: Damage) -> None:
        """Keeps what cannot be read, and says what it means."""
        name = segments.path_of(self._folder, self._position.number).name
        if damage.unfinished:
            self._say(f"{name} ends in an unfinished record, whose answer never left", "WARNING")
            return
        kept = {
            "file": name,
            "offset": damage.start,
            "bytes": base64.b64encode(damage.raw).decode(),
        }
        with (self._folder / DAMAGED).open("a", encoding="ascii") as file:
            file.write(f"{json.dumps(kept)}\n")
        self._say(
            f"{name} is damaged at byte {damage.start}: {len(damage.raw)} bytes are no record and "
            f"were put aside in {self._folder / DAMAGED}",
            "ERROR",
        )

    def _forget(self) -> None:
        """Removes the file that was read to its end."""
        segments.remove_segment(self._folder, self._position.number)
        self._position = Tail(self._position.number + 1, 0)
        self._removed()

    def _stored_position(self) -> Tail:
        try:
            stored = json.loads(self._position_path.read_text(encoding="ascii"))
            return Tail(int(stored["number"]), int(stored["offset"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Tail(0, 0)
