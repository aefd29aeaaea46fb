"""The journal's files: durable before it says so, rotated, bounded, and read once."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

import pytest

from gateway.journal import segments
from gateway.journal.folder import JournalFolderError, claim, claim_left_behind
from gateway.journal.journal import Journal
from gateway.journal.reader import DAMAGED, Reader
from gateway.journal.record import Record
from gateway.journal.segments import JournalFullError
from support.wait import until

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1 << 20


class Said:
    """What was said, by level."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, message: str, level: str) -> None:
        """Takes note."""
        self.lines.append((level, message))

    def levels(self) -> list[str]:
        """Returns the levels only."""
        return [level for level, _ in self.lines]


@pytest.fixture
def said() -> Said:
    """Gives a log."""
    return Said()


def record(number: int, size: int = 0) -> Record:
    """Returns a record with a number, and so many bytes of text."""
    return Record(row={"request_id": f"{number}", "response": "x" * size}, id=f"{number}")


def written(folder: Path, said: Said, records: list[Record], limit: int = 64 * MEGABYTE) -> None:
    """Writes records as a gateway that then dies."""
    journal = Journal(folder, limit, said)

    async def write() -> None:
        for entry in records:
            await journal.append(entry.encoded())

    asyncio.run(write())


def read(reader: Reader) -> list[str]:
    """Reads to the end, and takes note of it."""
    found: list[str] = []
    while (batch := reader.next_batch()) is not None:
        found.extend(entry.id for entry in batch.records)
        reader.done(batch)
    return found


def test_after_a_death_everything_is_read_once(tmp_path: Path, said: Said) -> None:
    """Records come back in order, and not again after they were taken note of."""
    written(tmp_path, said, [record(number) for number in range(1200)])
    reader = Reader(tmp_path, said)
    assert read(reader) == [f"{number}" for number in range(1200)]
    assert read(Reader(tmp_path, said)) == []
    assert segments.numbers(tmp_path) == []


def test_what_was_not_taken_note_of_is_read_again(tmp_path: Path, said: Said) -> None:
    """A reader that dies between reading and noting leaves the batch to the next."""
    written(tmp_path, said, [record(1), record(2)])
    assert Reader(tmp_path, said).next_batch() is not None
    assert read(Reader(tmp_path, said)) == ["1", "2"]


def test_a_file_that_is_still_written_to_is_not_read_twice(tmp_path: Path, said: Said) -> None:
    """What was taken note of in the middle of a file is left out after a death."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    async def write(number: int) -> None:
        await journal.append(record(number).encoded())

    asyncio.run(write(1))
    assert read(Reader(tmp_path, said, lambda: journal.tail)) == ["1"]
    asyncio.run(write(2))
    assert read(Reader(tmp_path, said)) == ["2"]


def test_looking_in_vain_writes_nothing(tmp_path: Path, said: Said) -> None:
    """The applier looks every few seconds; without news, how far it is is not noted again."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)
    reader = Reader(tmp_path, said, lambda: journal.tail)

    async def write() -> None:
        await journal.append(record(1).encoded())

    asyncio.run(write())
    assert read(reader) == ["1"]
    (tmp_path / "position").unlink()

    assert reader.next_batch() is None
    journal.close()

    assert not (tmp_path / "position").exists()


def test_a_lost_position_means_reading_again(tmp_path: Path, said: Said) -> None:
    """Without the note of where reading ended it begins at the front: nothing is skipped."""
    written(tmp_path, said, [record(1)])
    (tmp_path / "position").write_text("{")
    assert read(Reader(tmp_path, said)) == ["1"]


def test_files_are_rotated_and_removed(tmp_path: Path, said: Said) -> None:
    """More than one file holds goes into the next ones; a file that was read is gone."""
    written(tmp_path, said, [record(n, size=400_000) for n in range(8)], limit=4 * MEGABYTE)
    assert len(segments.numbers(tmp_path)) > 2
    assert read(Reader(tmp_path, said)) == [f"{number}" for number in range(8)]


def test_a_record_larger_than_a_file_gets_one_of_its_own(tmp_path: Path, said: Said) -> None:
    """Size of a record is no reason to refuse it."""
    written(tmp_path, said, [record(1), record(2, size=MEGABYTE + 10), record(3)], 8 * MEGABYTE)
    assert read(Reader(tmp_path, said)) == ["1", "2", "3"]


def test_at_its_bound_it_stops_loudly_and_keeps_a_reserve(tmp_path: Path, said: Said) -> None:
    """It says that it is full while there still is room for the answers under way."""
    journal = Journal(tmp_path, 4 * MEGABYTE, said)

    async def fill() -> int:
        after_stop = 0
        for number in range(1000):
            try:
                await journal.append(record(number, size=100_000).encoded())
            except JournalFullError:
                return after_stop
            until(
                lambda: journal.stopped_because or journal._spare is not None,
                seconds=5,
                what="the next file",
            )
            after_stop += journal.stopped_because is not None
        raise AssertionError("it never stopped")

    assert asyncio.run(fill()) >= 9
    assert segments.used_bytes(tmp_path) <= 4 * MEGABYTE
    assert "ERROR" in said.levels()
    assert "JOURNAL_MAX_MB" in str(journal.stopped_because)

    read(Reader(tmp_path, said, lambda: journal.tail, journal.room_was_made))
    until(lambda: journal.stopped_because is None, seconds=10, what="room again")
    journal.close()


def test_a_full_disk_is_said_and_survived(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No space on the device stops the journal as its own bound does, and leaves no half file."""
    real = os.pwrite

    def full(descriptor: int, data: bytes, at: int) -> int:
        if segments.numbers(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data, at)

    monkeypatch.setattr("gateway.journal.segments.os.pwrite", full)
    journal = Journal(tmp_path, 64 * MEGABYTE, said)
    assert journal.stopped_because == "its disk is full"
    assert not (tmp_path / "next").exists()


def test_a_disk_that_fails_takes_no_answer(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a flush fails, whoever waits for it learns so, and no new request is taken."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("gateway.journal.journal.os.fdatasync", broken)

    async def write() -> None:
        await journal.append(record(1).encoded())

    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(write())
    assert journal.stopped_because == "its disk fails: Input/output error"


def test_an_unfinished_record_is_left_out(tmp_path: Path, said: Said) -> None:
    """A write that was cut off hides nothing, and is said."""
    written(tmp_path, said, [record(1)])
    with segments.path_of(tmp_path, 1).open("r+b") as file:
        end = file.read().index(b"\n") + 1
        file.seek(end)
        file.write(b"deadbeef {half")
    assert read(Reader(tmp_path, said)) == ["1"]
    assert said.levels() == ["WARNING"]


def test_a_damaged_record_is_put_aside(tmp_path: Path, said: Said) -> None:
    """What fails its checksum is kept for a person, and those after it are read."""
    written(tmp_path, said, [record(1), record(2)])
    with segments.path_of(tmp_path, 1).open("r+b") as file:
        file.seek(12)
        file.write(b"X")
    assert read(Reader(tmp_path, said)) == ["2"]
    assert said.levels() == ["ERROR"]
    assert (tmp_path / DAMAGED).read_text().count("\n") == 1


def test_without_sync_a_record_is_written_at_once(tmp_path: Path, said: Said) -> None:
    """JOURNAL_SYNC=false: what was appended is in the file, and nobody waits for the disk."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said, sync=False)

    async def write() -> bool:
        return journal.append(record(1).encoded()).done()

    assert asyncio.run(write())
    assert read(Reader(tmp_path, said, lambda: journal.tail)) == ["1"]
    journal.close()


def test_what_postgres_cannot_take_is_taken_out() -> None:
    """Zero bytes and half characters, which providers do send, never reach the database."""
    line = Record(row={"response": "a\0b\ud83dc"}).encoded()
    assert b"\\u0000" not in line
    assert b"\\ud83d" not in line
    assert b"a" in line


def test_each_gateway_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Two at once get two; one that comes back takes the first, with what is in it."""
    first, second = claim(tmp_path), claim(tmp_path)
    assert first.path != second.path
    assert claim_left_behind(tmp_path) == []
    first.release()
    assert [left.path for left in claim_left_behind(tmp_path)] == [first.path]


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the variable to set."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    with pytest.raises(JournalFolderError, match="JOURNAL_DIR"):
        claim(tmp_path / "journal")
