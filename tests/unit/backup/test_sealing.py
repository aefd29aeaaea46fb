"""Encryption of a backup: what was sealed comes back whole or not at all."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backup import verify
from gateway.backup.problem import BackupError, DamagedBackupError
from gateway.backup.sealing import FRAME_BYTES, MAGIC, SealedReader, SealedWriter

PASSPHRASE = "Grüße, 12 Äpfel"
LENGTHS = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES]


def sealed(content: bytes, passphrase: str = PASSPHRASE) -> bytes:
    """Return the content sealed, with the least work that Argon2id allows."""
    target = io.BytesIO()
    writer = SealedWriter(target, passphrase, passes=1, memory=8192)
    writer.write(content)
    writer.close()
    return target.getvalue()


def unsealed(data: bytes, passphrase: str | None = PASSPHRASE) -> bytes:
    """Return the content, read in odd pieces."""
    reader = verify.opened(io.BytesIO(data), passphrase)
    return b"".join(iter(lambda: reader.read(10_007), b""))


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_sealed_comes_back(length: int) -> None:
    """Any length round a frame's comes back byte for byte, and is not readable meanwhile."""
    content = bytes(at % 251 for at in range(length))
    data = sealed(content)

    assert unsealed(data) == content
    assert length < 16 or content[:16] not in data


@given(data=st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    """One bit, anywhere after the words that tell a sealed backup, and it is not whole."""
    good = sealed(b"rows " * (FRAME_BYTES // 2))
    at = data.draw(st.integers(len(MAGIC), len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(BackupError, match="nothing was changed"):
        unsealed(bytes(bad))


@given(share=st.floats(0, 1, exclude_max=True))
def test_any_cut_is_refused(share: float) -> None:
    """A file that ends early, also between two frames, is not taken for a shorter one."""
    good = sealed(b"rows " * (FRAME_BYTES // 2))
    end = len(MAGIC) + int(share * (len(good) - len(MAGIC)))

    with pytest.raises(BackupError, match="nothing was changed"):
        unsealed(good[:end])


def test_a_cut_between_two_frames_is_refused() -> None:
    """Whole frames without the last one are a file that was cut off."""
    good = sealed(bytes(2 * FRAME_BYTES))

    with pytest.raises(DamagedBackupError, match="cut off"):
        unsealed(good[: -(FRAME_BYTES + 17)])


def test_bytes_after_the_last_frame_are_refused() -> None:
    """A whole file with something behind it was changed."""
    good = sealed(bytes(FRAME_BYTES + 5))

    with pytest.raises(DamagedBackupError):
        unsealed(good + b"\0")


def test_a_full_last_frame_with_something_behind_it_is_refused() -> None:
    """Also where the file ends at a frame's border."""
    with pytest.raises(DamagedBackupError, match="added at its end"):
        unsealed(sealed(bytes(FRAME_BYTES)) + b"\0")


@pytest.mark.parametrize("wrong", ["", "Grüße, 12 Äpfel ", "other"])
def test_a_wrong_passphrase_is_said_to_be_wrong(wrong: str) -> None:
    """The reader learns that it is the passphrase, and what to set."""
    with pytest.raises(BackupError, match="passphrase is not the one") as caught:
        unsealed(sealed(b"rows"), wrong)
    assert "BACKUP_PASSPHRASE" in str(caught.value)


def test_no_passphrase_for_a_sealed_backup_is_said() -> None:
    """A sealed backup says that it wants a passphrase."""
    with pytest.raises(BackupError, match="is encrypted, and no passphrase is set"):
        unsealed(sealed(b"rows"), None)


def test_a_plain_backup_is_refused_while_a_passphrase_is_set() -> None:
    """Nobody can slip in a backup of his own making: it could not be sealed with the passphrase."""
    with pytest.raises(BackupError, match="is not encrypted, although a passphrase is set"):
        unsealed(b"a tar of somebody else's" * 100)


@pytest.mark.parametrize("limits", [(17, 8192), (1, 2 << 30)])
def test_a_file_cannot_ask_for_all_memory(limits: tuple[int, int]) -> None:
    """The limits in a file's first bytes are bounded before they are used."""
    good = bytearray(sealed(b"rows"))
    passes, memory = limits
    good[len(MAGIC) : len(MAGIC) + 12] = passes.to_bytes(4, "big") + memory.to_bytes(8, "big")

    with pytest.raises(DamagedBackupError, match="first bytes were changed"):
        unsealed(bytes(good))


def test_memory_stays_flat() -> None:
    """However much is written, no more than a frame waits, and the target gets the rest at once."""

    class Counting(io.BytesIO):
        written = 0

        def write(self, data: Any, /) -> int:
            self.written += len(data)
            return len(data)

    target = Counting()
    writer = SealedWriter(target, PASSPHRASE, passes=1, memory=8192)
    total = 0
    for _ in range(100):
        total += writer.write(bytes(FRAME_BYTES + 1))
        assert total - target.written <= FRAME_BYTES


def test_pieces_from_a_pipe_are_joined() -> None:
    """A source that gives a few bytes at a time is read in full."""

    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    content = bytes(range(256)) * 1000
    source = Dripping(sealed(content)[len(MAGIC) :])
    reader = SealedReader(source, PASSPHRASE)

    assert b"".join(iter(lambda: reader.read(1 << 20), b"")) == content
