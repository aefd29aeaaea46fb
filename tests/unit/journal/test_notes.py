"""A note and its record are one row, whichever comes to be read, and never two."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from gateway.journal import segments
from gateway.journal.journal import Journal
from gateway.journal.note import GivenUp, Note, completing, read_entry
from gateway.journal.reader import DAMAGED, Reader
from gateway.journal.record import RECONCILED, Record
from unit.journal.journals import (
    MEGABYTE,
    Said,
    append,
    note,
    read,
    read_records,
    reader_of,
    record,
    written,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def said() -> Said:
    """Gives a log."""
    return Said()


def is_reconciled(entry: Record) -> bool:
    """Returns whether a record was made of a note."""
    return RECONCILED in entry.row


def test_a_kill_before_the_record_leaves_the_note_to_count(tmp_path: Path, said: Said) -> None:
    """The next start makes a record of a note alone, marked so, and does it once."""
    written(tmp_path, said, [note(1)])

    found = read_records(reader_of(tmp_path, said), last=True)

    assert [entry.id for entry in found] == ["1"]
    assert is_reconciled(found[0])
    assert read(reader_of(tmp_path, said), last=True) == []
    assert segments.numbers(tmp_path) == []


def test_a_record_makes_its_note_nothing(tmp_path: Path, said: Said) -> None:
    """With the record in the journal, the note is no row, now or after a start."""
    written(tmp_path, said, [note(1), note(2), record(2), record(1)])

    found = read_records(reader_of(tmp_path, said), last=True)

    assert [entry.id for entry in found] == ["2", "1"]
    assert not any(map(is_reconciled, found))
    assert read(reader_of(tmp_path, said), last=True) == []


def test_while_the_gateway_lives_a_note_waits_for_its_record(tmp_path: Path, said: Said) -> None:
    """The applier passes an open note over, and brings in what stands behind it."""
    journal = written(tmp_path, said, [note(1), record(2)])
    reader = reader_of(tmp_path, said, lambda: journal.tail)

    assert read(reader) == ["2"]
    append(journal, [record(1)])

    found = read_records(reader)
    assert [entry.id for entry in found] == ["1"]
    assert not is_reconciled(found[0])
    journal.close()


def test_reading_begins_again_before_an_open_note(tmp_path: Path, said: Said) -> None:
    """What was read past an open note is not taken for done: the next start finds the note."""
    journal = written(tmp_path, said, [record(1), note(2), record(3)])
    assert read(reader_of(tmp_path, said, lambda: journal.tail)) == ["1", "3"]

    found = read_records(reader_of(tmp_path, said), last=True)

    assert [entry.id for entry in found] == ["3", "2"]
    assert is_reconciled(found[1])


def test_a_record_and_its_note_are_one_to_the_database() -> None:
    """Both carry one id, and the id of one row, by which the second is known."""
    mine = Note("row-1", {}, {}, "2026-01-02", "2026-01-02", 0.5)
    late = completing(mine, Record(row={"request_id": "another", "spend": 0.5}))

    assert late.id == mine.id
    assert late.row == {"request_id": "row-1", "spend": 0.5}


def test_a_files_end_between_note_and_record(tmp_path: Path, said: Said) -> None:
    """The note's file stays until its record, files later, is in the database."""
    journal = Journal(tmp_path, 16 * MEGABYTE, said)
    reader = reader_of(tmp_path, said, lambda: journal.tail)
    append(journal, [note(0), *(record(number, size=3 * MEGABYTE) for number in range(1, 4))])

    assert read(reader) == ["1", "2", "3"]
    assert segments.numbers(tmp_path)[0] == 1
    assert read(reader_of(tmp_path, said, lambda: journal.tail), last=True) == ["1", "2", "3", "0"]

    append(journal, [note(0), record(0)])
    assert read(reader) == ["0"]
    assert segments.numbers(tmp_path)[0] > 1
    journal.close()


def test_an_accounting_that_failed_lets_the_note_count_at_once(tmp_path: Path, said: Said) -> None:
    """Given up while the gateway lives, a note becomes a record without a start."""
    journal = written(tmp_path, said, [note(1), note(2), GivenUp("1")])

    found = read_records(reader_of(tmp_path, said, lambda: journal.tail))

    assert [entry.id for entry in found] == ["1"]
    assert is_reconciled(found[0])
    journal.close()


def test_a_note_that_nobody_completes_or_gives_up_counts_in_the_end(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An accounting that LiteLLM dropped without a word is no reason to wait for ever."""
    journal = written(tmp_path, said, [note(1)])
    reader = reader_of(tmp_path, said, lambda: journal.tail)
    assert read(reader) == []

    monkeypatch.setattr("gateway.journal.open_notes.LONGEST_OPEN", -1.0)

    assert read(reader) == ["1"]
    assert read(reader) == []
    journal.close()


def test_an_unapplied_batch_leaves_its_notes_open(tmp_path: Path, said: Said) -> None:
    """A record that did not reach the database does not complete its note."""
    written(tmp_path, said, [note(1), record(1)])
    reader = reader_of(tmp_path, said)
    assert reader.next_batch() is not None

    assert read(reader, last=True) == ["1"]


def test_a_note_that_makes_no_record_is_put_aside(tmp_path: Path, said: Said) -> None:
    """One that LiteLLM cannot use is kept for a person, and does not hold up the others."""

    def refused(of: Note) -> Record:
        if of.id == "1":
            raise ValueError("no row of it")
        return record(2)

    written(tmp_path, said, [note(1), note(2)])

    assert read(Reader(tmp_path, said, refused), last=True) == ["2"]
    kept = json.loads((tmp_path / DAMAGED).read_text())
    assert read_entry(kept["note"].encode()) == note(1)
    assert said.levels() == ["ERROR"]
