"""The journal's files: durable before it says so, rotated, bounded, and read once."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import threading
from pathlib import Path

import pytest

from gateway.journal import segments
from gateway.journal.file_journal import Journal
from gateway.journal.folder import JournalFolderError, claim, claim_left_behind
from gateway.journal.place import Place
from gateway.journal.reader import DAMAGED, JournalReader
from gateway.journal.segments import JournalFullError
from support.wait import until
from unit.journal.requests_made import (
    MEGABYTE,
    append,
    read,
    read_records,
    record,
    written,
)


def test_after_a_death_everything_is_read_once(tmp_path: Path) -> None:
    """Records are read in order and once, and files that were read are removed."""
    written(tmp_path, [record(number) for number in range(1200)])
    assert read(JournalReader(tmp_path)) == [f"{number}" for number in range(1200)]
    assert read(JournalReader(tmp_path)) == []
    assert segments.numbers(tmp_path) == []


def test_a_folder_that_was_emptied_is_written_and_read_on(tmp_path: Path) -> None:
    """A folder whose records were all read takes new ones, which are read as well."""
    written(tmp_path, [record(1)])
    assert read(JournalReader(tmp_path)) == ["1"]
    written(tmp_path, [record(2)])
    assert read(JournalReader(tmp_path)) == ["2"]


def test_what_was_not_taken_note_of_is_read_again(tmp_path: Path) -> None:
    """A batch that was read but not marked as done is read again by the next reader."""
    written(tmp_path, [record(1), record(2)])
    assert JournalReader(tmp_path).next_batch() is not None
    assert read(JournalReader(tmp_path)) == ["1", "2"]


def test_a_file_that_is_still_written_to_is_read_as_it_grows(tmp_path: Path) -> None:
    """A file that is still written to is read up to its tail, and no record twice."""
    journal = Journal(tmp_path, 4 * MEGABYTE)
    reader = JournalReader(tmp_path, journal.tail)
    append(journal, [record(1)])
    assert read(reader) == []
    reader.tail = journal.tail
    assert read(reader) == ["1"]
    append(journal, [record(2)])
    reader.tail = journal.tail
    assert read(reader) == ["2"]
    assert reader.place == journal.tail
    journal.close()


async def test_positions_grow_across_files_and_are_those_that_append_gave(tmp_path: Path) -> None:
    """A record is read at the position its writer was given; positions grow across files."""
    journal = Journal(tmp_path, 8 * MEGABYTE)
    given: list[Place] = []

    for number in range(12):
        place, done = journal.append(record(number, size=300_000).encoded(), wake=True)
        given.append(place)
        await done
    found = read_records(JournalReader(tmp_path))
    assert len({place.number for place in given}) > 1
    assert [each.at for each in found] == [place.at for place in given]
    assert sorted(each.at for each in found) == [each.at for each in found]


def test_each_start_is_a_journal_of_its_own(tmp_path: Path) -> None:
    """Each start writes a journal with an id of its own, and a batch holds only one journal's."""
    ids = [written(tmp_path, [record(number)]).id for number in (1, 2)]
    reader = JournalReader(tmp_path)
    found = []
    while (batch := reader.next_batch()) is not None:
        found.append((batch.journal, [each.id for each in batch.records]))
        reader.done(batch)
    assert found == [(ids[0], ["1"]), (ids[1], ["2"])]


def test_a_copied_folder_is_the_same_journal(tmp_path: Path) -> None:
    """A copied journal keeps its id and positions, so that no record is applied twice."""
    original = tmp_path / "1"
    original.mkdir()
    journal = written(original, [record(1)])
    shutil.copytree(original, tmp_path / "2")
    batch, copied = (JournalReader(tmp_path / name).next_batch() for name in ("1", "2"))
    assert batch is not None
    assert copied is not None
    assert (copied.journal, copied.end) == (batch.journal, batch.end) == (journal.id, journal.tail)


def test_a_lost_position_means_reading_again(tmp_path: Path) -> None:
    """A journal whose reading position is lost is read again from its beginning."""
    written(tmp_path, [record(1)])
    (tmp_path / "position").write_text("{")
    assert read(JournalReader(tmp_path)) == ["1"]


def test_a_record_larger_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    """A record larger than a journal file gets a file of its own."""
    written(tmp_path, [record(1), record(2, size=3 * MEGABYTE), record(3)], 16 * MEGABYTE)
    assert read(JournalReader(tmp_path)) == ["1", "2", "3"]


def test_at_its_bound_it_stops_loudly_and_keeps_a_reserve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A journal at its size limit stops with an error and keeps room for answers under way."""
    journal = Journal(tmp_path, 4 * MEGABYTE)

    async def fill() -> int:
        after_stop = 0
        for number in range(1000):
            try:
                _, done = journal.append(record(number, size=100_000).encoded(), wake=True)
            except JournalFullError:
                return after_stop
            await done
            until(
                lambda: journal.stopped_because or journal._spare is not None,
                seconds=5,
                what="the next file",
            )
            after_stop += journal.stopped_because is not None
        raise AssertionError("it never stopped")

    assert asyncio.run(fill()) >= 9
    assert segments.used_bytes(tmp_path) <= 4 * MEGABYTE
    assert logging.ERROR in [line.levelno for line in caplog.records]
    assert "JOURNAL_MAX_MB" in str(journal.stopped_because)

    read(JournalReader(tmp_path, journal.tail))
    journal.room_was_made()
    until(lambda: journal.stopped_because is None, seconds=10, what="room again")
    journal.close()


def test_deaths_in_a_row_do_not_fill_the_journal(tmp_path: Path) -> None:
    """Room that dead gateways had reserved is given back, and all their records are read."""
    for number in range(20):
        append(Journal(tmp_path, 4 * MEGABYTE), [record(number)])  # and never closed
    assert segments.used_bytes(tmp_path) < 3 * MEGABYTE
    assert read(JournalReader(tmp_path)) == [f"{number}" for number in range(20)]


def test_a_full_journal_can_be_opened_again(tmp_path: Path) -> None:
    """A full journal is still stopped when it is opened again, until its records are read."""
    journal = Journal(tmp_path, 4 * MEGABYTE)
    with pytest.raises(JournalFullError):
        append(journal, [record(number, size=10_000) for number in range(1000)])
    journal.close()
    again = Journal(tmp_path, 4 * MEGABYTE)
    assert again.stopped_because is not None
    read(JournalReader(tmp_path, again.tail))
    again.room_was_made()
    until(lambda: again.stopped_because is None, seconds=10, what="room again")
    again.close()


def test_a_full_disk_is_said_and_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk stops the journal with that reason and leaves no unfinished file."""
    real = os.pwrite

    def full(descriptor: int, data: bytes, at: int) -> int:
        if segments.numbers(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data, at)

    monkeypatch.setattr("gateway.journal.segments.os.pwrite", full)
    journal = Journal(tmp_path, 4 * MEGABYTE)
    assert journal.stopped_because == "its disk is full"
    assert not (tmp_path / "next").exists()


def test_a_disk_that_fails_takes_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that fails raises for whoever waits for it and stops the journal."""
    journal = Journal(tmp_path, 4 * MEGABYTE)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("gateway.journal.file_journal.os.fdatasync", broken)
    with pytest.raises(OSError, match="Input/output"):
        append(journal, [record(1)])
    assert journal.stopped_because == "its disk fails: Input/output error"


async def test_one_flush_serves_all_who_ask_for_it_in_one_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three answers that end together share one flush, on the event loop."""
    threads: list[str] = []
    real = os.fdatasync

    def noted(descriptor: int) -> None:
        threads.append(threading.current_thread().name)
        real(descriptor)

    journal = Journal(tmp_path, 4 * MEGABYTE)
    monkeypatch.setattr("gateway.journal.file_journal.os.fdatasync", noted)

    async def answer(number: int) -> None:
        _, durable = journal.append(record(number).encoded())
        journal.flush()
        await durable

    await asyncio.gather(*map(answer, range(3)))
    assert threads == [threading.main_thread().name]


async def test_a_slow_disk_is_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the disk has proved slow, flushes run in a thread and not on the event loop."""
    monkeypatch.setattr("gateway.journal.file_journal.QUICK_SECONDS", 0.0)
    threads: list[str] = []
    real = os.fdatasync

    def noted(descriptor: int) -> None:
        threads.append(threading.current_thread().name)
        real(descriptor)

    journal = Journal(tmp_path, 4 * MEGABYTE)
    await journal.append(record(1).encoded(), wake=True)[1]  # shows that the disk is slow
    monkeypatch.setattr("gateway.journal.file_journal.os.fdatasync", noted)

    _, durable = journal.append(record(2).encoded())
    journal.flush()
    await durable
    assert threads == ["journal-sync"]


async def test_what_nobody_waits_for_is_durable_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that nobody asks to flush becomes durable after a while."""
    monkeypatch.setattr("gateway.journal.file_journal.RETRY_SECONDS", 0.01)
    journal = Journal(tmp_path, 4 * MEGABYTE)

    _, durable = journal.append(record(1).encoded())
    await asyncio.wait_for(durable, 30)


def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    """A closed journal refuses further records."""
    journal = Journal(tmp_path, 4 * MEGABYTE)
    journal.close()
    journal.close()
    with pytest.raises(OSError, match="the spend journal is closed"):
        journal.append(record(1).encoded())


def test_an_unfinished_record_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A record whose write was cut off is left out with a warning."""
    end = written(tmp_path, [record(1)]).tail.offset
    with segments.path_of(tmp_path, 1).open("r+b") as file:
        file.seek(end)
        file.write(b"deadbeef {half")
    assert read(JournalReader(tmp_path)) == ["1"]
    assert [line.levelno for line in caplog.records] == [logging.WARNING]


def test_a_damaged_record_is_put_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A record that fails its checksum is put aside with an error, and later ones are read."""
    journal = Journal(tmp_path, 4 * MEGABYTE)
    start = journal.tail.offset
    append(journal, [record(1), record(2)])
    with segments.path_of(tmp_path, 1).open("r+b") as file:
        file.seek(start + 12)
        file.write(b"X")
    assert read(JournalReader(tmp_path)) == ["2"]
    assert [line.levelno for line in caplog.records] == [logging.ERROR]
    assert (tmp_path / DAMAGED).read_text().count("\n") == 1


def test_without_sync_a_record_is_written_at_once(tmp_path: Path) -> None:
    """With JOURNAL_SYNC=false, an appended record is in its file at once."""
    journal = Journal(tmp_path, 4 * MEGABYTE, sync=False)

    async def write() -> bool:
        return journal.append(record(1).encoded())[1].done()

    assert asyncio.run(write())
    assert read(JournalReader(tmp_path, journal.tail)) == ["1"]
    journal.close()


def test_each_gateway_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Two gateways get two folders, and only one that was released can be taken over."""
    first, second = claim(tmp_path), claim(tmp_path)
    assert first.path != second.path
    assert claim_left_behind(tmp_path) == []
    first.release()
    left = claim_left_behind(tmp_path)
    assert [each.path for each in left] == [first.path]
    for each in (*left, second):
        each.release()


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error about a folder that cannot be made names the variable JOURNAL_DIR."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    with pytest.raises(JournalFolderError, match="JOURNAL_DIR"):
        claim(tmp_path / "journal")
