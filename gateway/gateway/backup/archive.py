"""The file format: a tar that ends in the sha256 sum of everything in it.

Members, in this order: secrets.json, journal/N/FILE, manifest.json, database/NNNNNN (the parts of
one pg_dump in custom format) and SHA256SUMS. `tar -xf` and `sha256sum -c SHA256SUMS` work on it,
and `cat database/* | pg_restore` too. The dump is in parts because a tar wants each member's size
before its content, and a dump's size is known only at its end.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import time
from typing import TYPE_CHECKING

from gateway.backup.problem import DamagedBackupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from gateway.backup.sealing import Readable, SealedWriter

SECRETS = "secrets.json"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
JOURNAL = "journal/"
DATABASE = "database/"
PART_BYTES = 8 << 20
MAX_BYTES = 128 << 20
"""Of one member: they are held in memory one at a time."""

_NAMES = re.compile(r"secrets\.json|manifest\.json|journal/\d+/[\w.-]+|database/\d{6}|SHA256SUMS")


class ArchiveWriter:
    """Writes members one after the other; only `close` makes the archive whole."""

    def __init__(self, target: BinaryIO | SealedWriter) -> None:
        self._tar = tarfile.open(  # type: ignore[call-overload] # it wants write() only # noqa: SIM115 -- open until close
            fileobj=target, mode="w|", format=tarfile.USTAR_FORMAT
        )
        self._sums: list[str] = []
        self._parts = 0

    def add(self, name: str, content: bytes) -> None:
        """Write one member."""
        self._sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        self._write(name, content)

    def add_part(self, content: bytes) -> None:
        """Write the next part of the database's dump."""
        self.add(f"{DATABASE}{self._parts:06d}", content)
        self._parts += 1

    def close(self) -> None:
        """Write the sums and the end; the target stays open."""
        self._write(SUMS, "".join(self._sums).encode())
        self._tar.close()

    def _write(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        info.mode = 0o600
        info.mtime = int(time.time())
        self._tar.addfile(info, io.BytesIO(content))


def read_members(source: Readable) -> Iterator[tuple[str, bytes]]:
    """Yield each member's name and content but the sums; ends only when all of them were right.

    What is yielded has not been checked yet: it must take effect only after the last one.

    Raises:
        DamagedBackupError: the archive is cut off, changed, or none.
    """
    sums: list[str] = []
    for name, content in _raw_members(source):
        if name == SUMS:
            _check(sums, content)
            _read_to_the_end(source)
            return
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
        yield name, content
    raise DamagedBackupError("it is cut off" if sums else "it is not a backup of this stack")


def _raw_members(source: Readable) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:  # type: ignore[call-overload] # it wants read() only
            for member in tar:
                if not member.isreg() or not _NAMES.fullmatch(member.name):
                    raise DamagedBackupError("it contains a file that no backup of this stack has")
                if member.size > MAX_BYTES:
                    raise DamagedBackupError("it was changed")
                file = tar.extractfile(member)
                yield member.name, file.read() if file is not None else b""
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DamagedBackupError(f"it is cut off, or no backup ({error})") from error


def _read_to_the_end(source: Readable) -> None:
    """Read the rest: a sealed stream is whole only with its last frame, and a tar ends in zeros."""
    while block := source.read(PART_BYTES):
        if block.strip(b"\0"):
            raise DamagedBackupError("something was added at its end")


def _check(sums: list[str], written: bytes) -> None:
    right = written.decode("ascii", "replace").splitlines(keepends=True)
    pairs = zip(sums, right, strict=False)
    wrong = [found.split()[1] for found, wanted in pairs if found != wanted]
    if wrong:
        raise DamagedBackupError(f"the checksum of {wrong[0]} is wrong")
    if len(sums) != len(right):
        raise DamagedBackupError("members are missing")
