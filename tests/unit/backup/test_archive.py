"""The backup's file format: read back whole, or refused."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backup.archive import ArchiveWriter, read_members
from gateway.backup.problem import DamagedBackupError

MEMBERS = [
    ("secrets.json", b'{"litellm_salt_key": "s"}'),
    ("journal/1/position", b'{"number": 1, "offset": 0}'),
    ("journal/1/000000000001.journal", b"00000000 {}\n"),
    ("manifest.json", b"{}"),
    ("database/000000", bytes(range(256)) * 40),
    ("database/000001", b"the end of the dump"),
]


def written(members: list[tuple[str, bytes]] = MEMBERS) -> bytes:
    """Return an archive of these members."""
    target = io.BytesIO()
    writer = ArchiveWriter(target)
    for name, content in members:
        if name.startswith("database/"):
            writer.add_part(content)
        else:
            writer.add(name, content)
    writer.close()
    return target.getvalue()


def read(data: bytes) -> list[tuple[str, bytes]]:
    """Return the members of an archive."""
    return list(read_members(io.BytesIO(data)))


GOOD = written()


def test_members_come_back_in_order() -> None:
    """What was written is read, and the sums are no member of it."""
    assert read(GOOD) == MEMBERS


@given(at=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_a_changed_byte_is_refused_or_changes_nothing(at: int, bit: int) -> None:
    """Whatever bit flips: the archive is refused, or its content is what was written."""
    bad = bytearray(GOOD)
    bad[at] ^= 1 << bit
    try:
        found = read(bytes(bad))
    except DamagedBackupError:
        return
    assert found == MEMBERS


@given(end=st.integers(0, len(GOOD) - 1))
def test_a_cut_archive_is_refused_or_lacks_nothing(end: int) -> None:
    """Wherever the file ends: it is refused, unless only zeros behind the last member are gone."""
    try:
        found = read(GOOD[:end])
    except DamagedBackupError:
        return
    assert found == MEMBERS
    assert not GOOD[end:].strip(b"\0")


@pytest.mark.parametrize("missing", range(len(MEMBERS)))
def test_a_member_taken_out_is_missed(missing: int) -> None:
    """Each member that is left out of the file, but not of the sums, is noticed."""
    name = MEMBERS[missing][0].encode()
    start = GOOD.index(name + b"\0")
    size = 512 + -(-len(MEMBERS[missing][1]) // 512) * 512

    with pytest.raises(DamagedBackupError, match=r"checksum|missing"):
        read(GOOD[:start] + GOOD[start + size :])


@pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "journal/1/../../x", "readme"])
def test_a_foreign_member_is_refused(name: str) -> None:
    """A name that no backup has never gets as far as a path."""
    with pytest.raises(DamagedBackupError, match="a file that no backup"):
        read(written([(name, b"x"), *MEMBERS]))


@pytest.mark.parametrize("content", [b"", b"no backup at all", bytes(20480)])
def test_another_file_is_refused(content: bytes) -> None:
    """An empty file, a text and zeros are no backups."""
    with pytest.raises(DamagedBackupError):
        read(content)


def test_something_behind_the_end_is_refused() -> None:
    """An archive is followed by nothing."""
    with pytest.raises(DamagedBackupError, match="added at its end"):
        read(GOOD + bytes(10240) + b"x")


def test_ordinary_tools_read_it(tmp_path: Path) -> None:
    """Tar unpacks it, and sha256sum finds every sum right: nobody depends on our program."""
    subprocess.run(["tar", "-x", "-C", str(tmp_path)], input=GOOD, check=True)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.count(": OK") == len(MEMBERS)
