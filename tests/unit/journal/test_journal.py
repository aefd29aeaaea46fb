"""The journal's files: durable before it says so, rotated, bounded, and read once."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from gateway.journal import segments
from gateway.journal.folder import JournalFolderError, claim, claim_left_behind
from gateway.journal.journal import Journal
from gateway.journal.reader import DAMAGED
from gateway.journal.record import Record
from gateway.journal.segments import JournalFullError
from support.wait import until
from unit.journal.journals import MEGABYTE, Said, note, read, reader_of, record, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def said() -> Said:
    """Gives a log."""
    return Said()


def test_after_a_death_everything_is_read_once(tmp_path: Path, said: Said) -> None:
    """Records come back in order, and not again after they were taken note of."""
    written(tmp_path, said, [record(number) for number in range(1200)])
    reader = reader_of(tmp_path, said)
    assert read(reader) == [f"{number}" for number in range(1200)]
    assert read(reader_of(tmp_path, said)) == []
    assert segments.numbers(tmp_path) == []


def test_what_was_not_taken_note_of_is_read_again(tmp_path: Path, said: Said) -> None:
    """A reader that dies between reading and noting leaves the batch to the next."""
    written(tmp_path, said, [record(1), record(2)])
    assert reader_of(tmp_path, said).next_batch() is not None
    assert read(reader_of(tmp_path, said)) == ["1", "2"]


def test_a_file_that_is_still_written_to_is_not_read_twice(tmp_path: Path, said: Said) -> None:
    """What was taken note of in the middle of a file is left out after a death."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    async def write(number: int) -> None:
        await journal.append(record(number).encoded())

    asyncio.run(write(1))
    assert read(reader_of(tmp_path, said, lambda: journal.tail)) == ["1"]
    asyncio.run(write(2))
    assert read(reader_of(tmp_path, said)) == ["2"]


def test_looking_in_vain_writes_nothing(tmp_path: Path, said: Said) -> None:
    """The applier looks every few seconds; without news, how far it is is not noted again."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)
    reader = reader_of(tmp_path, said, lambda: journal.tail)

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
    assert read(reader_of(tmp_path, said)) == ["1"]


def test_files_are_rotated_and_removed(tmp_path: Path, said: Said) -> None:
    """More than one file holds goes into the next ones; a file that was read is gone."""
    written(tmp_path, said, [record(n, size=400_000) for n in range(8)], limit=4 * MEGABYTE)
    assert len(segments.numbers(tmp_path)) > 2
    assert read(reader_of(tmp_path, said)) == [f"{number}" for number in range(8)]


def test_a_record_larger_than_a_file_gets_one_of_its_own(tmp_path: Path, said: Said) -> None:
    """Size of a record is no reason to refuse it."""
    written(tmp_path, said, [record(1), record(2, size=MEGABYTE + 10), record(3)], 8 * MEGABYTE)
    assert read(reader_of(tmp_path, said)) == ["1", "2", "3"]


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

    read(reader_of(tmp_path, said, lambda: journal.tail, journal.room_was_made))
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


def test_a_quick_disk_is_flushed_at_once_by_who_waits(tmp_path: Path, said: Said) -> None:
    """Everything appended before a flush is durable after it, without a turn of the event loop."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    async def write() -> list[bool]:
        durable = [journal.append(record(n).encoded(), wake=False) for n in range(3)]
        journal.flush()
        return [future.done() for future in durable]

    assert asyncio.run(write()) == [True, True, True]


def test_a_slow_disk_is_the_threads(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once flushes take long, the event loop does none, and a line is durable all the same."""
    monkeypatch.setattr("gateway.journal.journal.QUICK_SECONDS", 0.0)
    threads: list[str] = []
    real = os.fdatasync

    def noted(descriptor: int) -> None:
        threads.append(threading.current_thread().name)
        real(descriptor)

    journal = Journal(tmp_path, 64 * MEGABYTE, said)
    monkeypatch.setattr("gateway.journal.journal.os.fdatasync", noted)

    async def write() -> None:
        await journal.append(record(1).encoded())  # shows that the disk is slow
        durable = journal.append(record(2).encoded(), wake=False)
        journal.flush()
        await durable

    asyncio.run(write())
    assert threads == ["journal-sync", "journal-sync"]


def test_a_note_wakes_nobody(tmp_path: Path, said: Said) -> None:
    """Who applies records is not told of a note, of which nothing comes before its record."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    async def write() -> None:
        journal.append_note(note(1).encoded())
        assert not journal.appended.is_set()
        journal.append(record(1).encoded())
        assert journal.appended.is_set()

    asyncio.run(write())
    journal.close()


def test_a_disk_that_turns_slow_keeps_nobody_waiting(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that was to be flushed by who waits for it is the thread's at once, then."""
    monkeypatch.setattr("gateway.journal.journal.RETRY_SECONDS", 3600.0)
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    async def write() -> None:
        durable = journal.append(record(1).encoded(), wake=False)
        journal._quick = False
        journal.flush()
        await asyncio.wait_for(durable, 30)

    asyncio.run(write())


def test_what_nobody_waits_for_is_durable_after_a_while(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that no answer waits for is flushed without one."""
    monkeypatch.setattr("gateway.journal.journal.RETRY_SECONDS", 0.01)
    journal = Journal(tmp_path, 64 * MEGABYTE, said)

    async def write() -> None:
        await asyncio.wait_for(journal.append(record(1).encoded(), wake=False), 30)

    asyncio.run(write())


def test_a_closed_journal_takes_nothing(tmp_path: Path, said: Said) -> None:
    """An accounting that outlives the journal is told so, and writes into no other file."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said)
    journal.close()

    with pytest.raises(OSError, match="the spend journal is closed"):
        journal.append(record(1).encoded())


def test_an_unfinished_record_is_left_out(tmp_path: Path, said: Said) -> None:
    """A write that was cut off hides nothing, and is said."""
    written(tmp_path, said, [record(1)])
    with segments.path_of(tmp_path, 1).open("r+b") as file:
        end = file.read().index(b"\n") + 1
        file.seek(end)
        file.write(b"deadbeef {half")
    assert read(reader_of(tmp_path, said)) == ["1"]
    assert said.levels() == ["WARNING"]


def test_a_damaged_record_is_put_aside(tmp_path: Path, said: Said) -> None:
    """What fails its checksum is kept for a person, and those after it are read."""
    written(tmp_path, said, [record(1), record(2)])
    with segments.path_of(tmp_path, 1).open("r+b") as file:
        file.seek(12)
        file.write(b"X")
    assert read(reader_of(tmp_path, said)) == ["2"]
    assert said.levels() == ["ERROR"]
    assert (tmp_path / DAMAGED).read_text().count("\n") == 1


def test_without_sync_a_record_is_written_at_once(tmp_path: Path, said: Said) -> None:
    """JOURNAL_SYNC=false: what was appended is in the file, and nobody waits for the disk."""
    journal = Journal(tmp_path, 64 * MEGABYTE, said, sync=False)

    async def write() -> bool:
        return journal.append(record(1).encoded()).done()

    assert asyncio.run(write())
    assert read(reader_of(tmp_path, said, lambda: journal.tail)) == ["1"]
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
