"""Reads a backup from its first byte to its last, and says what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.backup import archive, manifest, secrets_kept
from gateway.backup.problem import BackupError, DamagedBackupError
from gateway.backup.sealing import MAGIC, SealedReader, read_exactly

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.backup.manifest import Manifest
    from gateway.backup.sealing import Readable


class Receiver(Protocol):
    """Who takes a backup's content, in its order; effective only after the last call came back."""

    def secrets(self, values: dict[str, str]) -> None:
        """Take the secrets by name."""

    def journal(self, name: str, content: bytes) -> None:
        """Take one file of the journal, "FOLDER/FILE"."""

    def manifest(self, found: Manifest) -> None:
        """Take the manifest; may refuse it."""

    def part(self, content: bytes) -> None:
        """Take the next part of the database's dump."""


class NullReceiver:
    """Takes everything and keeps nothing."""

    def secrets(self, values: dict[str, str]) -> None:
        """Forget the secrets."""

    def journal(self, name: str, content: bytes) -> None:
        """Forget a file."""

    def manifest(self, found: Manifest) -> None:
        """Forget the manifest."""

    def part(self, content: bytes) -> None:
        """Forget a part."""


def read(
    source: Readable, passphrase: str | None, shipped: Collection[str], receiver: Receiver
) -> Manifest:
    """Hand a backup's content to `receiver`; comes back only when every byte was right.

    Args:
        source: the backup.
        passphrase: that it was sealed with; None for one in the clear.
        shipped: the migrations that this version knows.
        receiver: takes the content.

    Returns:
        The backup's manifest.

    Raises:
        DamagedBackupError: it is cut off or was changed.
        BackupError: the passphrase is wrong, or a newer version made the backup.
    """
    found: Manifest | None = None
    for name, content in archive.read_members(opened(source, passphrase)):
        if name == archive.SECRETS:
            receiver.secrets(secrets_kept.parse(content))
        elif name == archive.MANIFEST:
            found = manifest.parse(content)
            manifest.refuse_newer(found, shipped)
            receiver.manifest(found)
        elif name.startswith(archive.JOURNAL):
            receiver.journal(name.removeprefix(archive.JOURNAL), content)
        elif found is None:
            raise DamagedBackupError("its manifest.json is missing")
        else:
            receiver.part(content)
    if found is None:
        raise DamagedBackupError("its manifest.json is missing")
    return found


def opened(source: Readable, passphrase: str | None) -> Readable:
    """Return the archive within `source`, decrypted if it is sealed.

    Raises:
        BackupError: a passphrase is missing, wrong, or given for a backup that is not sealed.
    """
    first = read_exactly(source, len(MAGIC))
    if first == MAGIC:
        if passphrase is None:
            raise BackupError(
                "the backup is encrypted, and no passphrase is set\n"
                "    nothing was changed; set BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE"
            )
        return SealedReader(source, passphrase)
    if passphrase is not None:
        raise BackupError(
            "the backup is not encrypted, although a passphrase is set\n"
            "    nothing was changed; if it is the right file, unset BACKUP_PASSPHRASE and "
            "BACKUP_PASSPHRASE_FILE"
        )
    return _Rejoined(first, source)


class _Rejoined:
    """A source whose first bytes were read already."""

    def __init__(self, first: bytes, rest: Readable) -> None:
        self._first = first
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""
        if self._first:
            found, self._first = self._first[:size], self._first[size:]
            return found
        return self._rest.read(size)
