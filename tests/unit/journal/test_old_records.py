"""What version 0.1 has left is brought in: its files here were written by its own code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gateway.journal.lines import encode
from gateway.journal.reader import DAMAGED, JournalReader
from gateway.journal.record import MARK
from gateway.journal.row_values import copied
from gateway.journal.totals import totals_of
from unit.journal.requests_made import read, read_records, record, written

OLD = Path(__file__).parent / "version-0.1" / "1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of an old gateway's folder.

    Records 1 and 5; note 2 and its record; note 3, of a gateway that was killed; note 4, given up.
    """
    return Path(shutil.copytree(OLD, tmp_path / "1"))


def test_each_old_record_and_each_note_without_one_is_read_once(folder: Path) -> None:
    """Each record of version 0.1, and each note without one, is read once and in order."""
    assert [each[0] for each in read(JournalReader(folder))] == ["1", "2", "3", "4", "5"]
    assert read(JournalReader(folder)) == []


def test_an_old_record_is_applied_as_it_is(folder: Path) -> None:
    """A record of version 0.1 keeps its row and adds to the totals as LiteLLM has them."""
    first = read_records(JournalReader(folder))[0]
    assert first.row["metadata"]["model_map_information"]["model_map_key"] == "gpt-4o-mini"
    assert '"record":"1111' in copied(first, "x")
    totals = totals_of([first])
    assert totals.charged["team_member"] == {"team_id::team-1::user_id::user-1": 0.25}
    assert list(totals.daily) == ["user", "team", "tag"]
    assert totals.tools == {("2026-11-27", "look_up"): [0.25, 15, 1]}


def test_a_note_is_a_row_of_its_own_marked_as_reconciled(folder: Path) -> None:
    """A note of version 0.1 becomes a row with the note's facts, marked as reconciled."""
    note = next(each for each in read_records(JournalReader(folder)) if each.id[0] == "3")
    row = note.row
    assert (row["request_id"], row["litellm_call_id"]) == ("chatcmpl-3", "call-3")
    assert (row["spend"], row["prompt_tokens"], row["completion_tokens"]) == (0.5, 10, 5)
    assert (row["model"], row["model_group"]) == ("openai/gpt-4o-mini", "extraction-model")
    assert (row["user"], row["team_id"], row["request_tags"]) == ("user-1", "team-1", ["t1"])
    assert row["request_duration_ms"] == 870
    assert row["metadata"][MARK] == {"usage_counted": True, "reconciled": True}
    totals = totals_of([note])
    assert totals.charged["key"] == {row["api_key"]: 0.5}
    assert totals.charged["tag"] == {"t1": 0.5}
    assert list(totals.models) == [
        (row["startTime"][:10], "extraction-model", "openai/gpt-4o-mini", "openai", "uncategorized")
    ]


def test_a_note_is_completed_by_a_record_in_a_later_file(folder: Path) -> None:
    """A note of version 0.1 is completed by its record, even one in a later file."""
    content = (folder / "000000000001.journal").read_bytes()
    at = content.index(b"\n", content.index(b"\n") + 1) + 1  # after record 1 and note 2
    (folder / "000000000001.journal").write_bytes(content[:at] + bytes(100))
    (folder / "000000000002.journal").write_bytes(content[at:])
    assert [each[0] for each in read(JournalReader(folder))] == ["1", "2", "3", "4", "5"]


def test_old_and_new_files_share_a_folder(folder: Path) -> None:
    """After an upgrade the new journal goes on in the old one's folder, with an id of its own."""
    journal = written(folder, [record(6)])
    assert journal.first == 2
    reader = JournalReader(folder)
    batch = reader.next_batch()
    assert batch is not None
    assert batch.journal is None
    assert [each[0] for each in read(reader)] == ["1", "2", "3", "4", "5", "6"]


def test_a_note_that_makes_no_record_is_put_aside(folder: Path) -> None:
    """A note that cannot become a record is put aside, and all others are read."""
    line = encode(json.dumps({"note": {"id": "n", "request_id": "r"}}).encode())
    path = folder / "000000000001.journal"
    path.write_bytes(line + path.read_bytes())
    assert len(read(JournalReader(folder))) == 5
    assert '"request_id' in (folder / DAMAGED).read_text()
