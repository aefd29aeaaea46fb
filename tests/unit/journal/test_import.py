"""Journal files on their way to an import, and what is said of journals that wait."""

from __future__ import annotations

import io
import tarfile
from datetime import datetime, timezone

import pytest

from gateway.journal.import_files import JournalImportError, journal_files
from gateway.journal.waiting import WaitingJournal

FIRST, SECOND = "/vol/1/000000000001.journal", "/vol/1/000000000002.journal"


def tar(files: dict[str, bytes]) -> io.BytesIO:
    """Return an archive with a folder and these files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        folder = tarfile.TarInfo("vol")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    written.seek(0)
    return written


def test_files_come_in_the_archives_order() -> None:
    """Path and content of each file come in the order of the archive, without its folders."""
    found = list(journal_files(tar({FIRST: b"a", SECOND: b"b"})))
    assert found == [(FIRST, b"a"), (SECOND, b"b")]


def test_a_file_under_another_name_is_refused() -> None:
    """A renamed file cannot be put in order, so it is refused and the message says why."""
    with pytest.raises(JournalImportError, match=r"renamed\.journal is not named like"):
        list(journal_files(tar({"renamed.journal": b""})))


@pytest.mark.parametrize("data", [b"no archive", tar({FIRST: b"a" * 4000}).getvalue()[:2000]])
def test_an_archive_that_breaks_off_is_an_error(data: bytes) -> None:
    """What arrived incomplete is an error and not the end of the files."""
    with pytest.raises(JournalImportError, match="arrived incomplete"):
        list(journal_files(io.BytesIO(data)))


def test_programs_are_told_all_that_is_known() -> None:
    """A document has the whole id, the time with its zone, and null for what nobody knows."""
    since = datetime(2026, 11, 28, 10, 12, tzinfo=timezone.utc)
    assert WaitingJournal("a" * 32, "", since, 3).document() == {
        "gateway": "a" * 32,
        "host": "",
        "since": "2026-11-28T10:12:00Z",
        "bytes": 3,
        "usd": None,
    }


def test_people_are_told_how_much_waits_and_since_when() -> None:
    """A line has the start of the id, the host if it is known, the amount and the time."""
    since = datetime(2026, 11, 28, 10, 12, tzinfo=timezone.utc)
    here = WaitingJournal("a" * 32, "node7", since, 3 << 20)
    assert str(here) == (
        "3.0 MB of gateway aaaaaaaa on node7 wait, the oldest since 2026-11-28 10:12 UTC"
    )
    lost = WaitingJournal("a" * 32, "", since)
    assert str(lost) == (
        "gateway aaaaaaaa has been silent since 2026-11-28 10:12 UTC, and its journal is not here; "
        "if it will never return: ./run journal import --help"
    )
