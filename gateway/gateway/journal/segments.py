"""The journal's files: numbered, of one size, and filled with zeros before they are written to.

Filling a file ahead of time has two reasons. Its length does not change later, so a write needs one
flush of the device instead of two. And a full disk is noticed while the next file is made, never in
the middle of a record. So one file is always made ahead. When that fails, the answers under way
still have a whole file.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

SUFFIX = ".journal"
_ZEROS = bytes(1 << 20)


class JournalFullError(Exception):
    """There is no room for another file: the bound is reached, or the disk is full."""


@dataclass(frozen=True)
class Segment:
    """One file that is written to.

    Attributes:
        number: its place in the order of files.
        descriptor: the descriptor of the open file.
        size: the bytes that it can hold.
    """

    number: int
    descriptor: int
    size: int

    def close(self) -> None:
        """Make the file durable and close it."""
        os.fdatasync(self.descriptor)
        os.close(self.descriptor)


def path_of(folder: Path, number: int) -> Path:
    """Return the path of a file."""
    return folder / f"{number:012d}{SUFFIX}"


def numbers(folder: Path) -> list[int]:
    """Return the numbers of the existing files, in order."""
    return sorted(int(path.name.removesuffix(SUFFIX)) for path in folder.glob(f"*{SUFFIX}"))


def used_bytes(folder: Path) -> int:
    """Return the bytes that all files take together."""
    return sum(size_of(path) for path in folder.glob(f"*{SUFFIX}"))


def make_segment(
    folder: Path, number: int, size: int, *, limit: int | None = None, begin: bytes = b""
) -> Segment:
    """Return a new file whose blocks are allocated and durable.

    Args:
        folder: the folder for it.
        number: its number.
        size: its size in bytes.
        limit: the bytes that all files may take together; None for as many as the disk has.
        begin: the bytes that it begins with.

    Raises:
        JournalFullError: the limit is reached, or the disk is full; the error says which.
        OSError: the disk failed in another way.
    """
    if limit is not None and used_bytes(folder) + size > limit:
        raise JournalFullError(f"it has reached JOURNAL_MAX_MB, {limit >> 20} MB")
    making = folder / "next"
    descriptor = os.open(making, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        _fill(descriptor, size)
        os.pwrite(descriptor, begin, 0)
        os.fsync(descriptor)
        making.rename(path_of(folder, number))
        sync_folder(folder)
    except BaseException as error:
        os.close(descriptor)
        making.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise JournalFullError("its disk is full") from error
        raise
    return Segment(number, descriptor, size)


def trim(folder: Path) -> None:
    """Cut the zeros off files that are not written to any more; a killed gateway leaves two.

    Otherwise a gateway that dies repeatedly while the database is away would fill its journal with
    unused room.
    """
    for number in numbers(folder):
        with contextlib.suppress(FileNotFoundError), path_of(folder, number).open("r+b") as file:
            file.truncate(_written_bytes(file))


def _written_bytes(file: BinaryIO) -> int:
    """Return the length of a file without the zeros that it ends with."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - len(_ZEROS))
        file.seek(start)
        written = file.read(end - start).rstrip(b"\0")
        if written:
            return start + len(written)
        end = start
    return 0


def remove_segment(folder: Path, number: int) -> None:
    """Remove a file whose every record is in the database."""
    path_of(folder, number).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a folder's new and removed names durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(descriptor: int, size: int) -> None:
    at = 0
    while at < size:
        at += os.pwrite(descriptor, _ZEROS[: size - at], at)


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 when the applier has just removed it."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
