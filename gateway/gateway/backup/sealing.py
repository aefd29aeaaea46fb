"""Encryption of a stream with a passphrase: libsodium's secretstream under a key from Argon2id.

A backup is sealed while it is written, in frames, so memory stays flat. Each frame is authenticated
together with its place, and the last one is marked: a file that was cut, reordered or changed
anywhere is refused. https://doc.libsodium.org/secret-key_cryptography/secretstream

Layout: MAGIC, then `_HEADER` (Argon2id's limits and salt, the stream's header), then frames.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

import nacl.bindings as sodium
import nacl.utils
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id

from gateway.backup.problem import BackupError, DamagedBackupError

if TYPE_CHECKING:
    from typing import BinaryIO

MAGIC = b"litellm-proxy-service sealed backup 1\n"
FRAME_BYTES = 1 << 16
MAX_MEMORY = 1 << 30
"""Bytes that a file may ask Argon2id to take; ours ask for a quarter of it."""

MAX_PASSES = 16

_KEY_BYTES = sodium.crypto_secretstream_xchacha20poly1305_KEYBYTES
_OVERHEAD = sodium.crypto_secretstream_xchacha20poly1305_ABYTES
_FINAL = sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
_MESSAGE = sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_STREAM_HEADER_BYTES = sodium.crypto_secretstream_xchacha20poly1305_HEADERBYTES
_HEADER = struct.Struct(f">IQ{argon2id.SALTBYTES}s{_STREAM_HEADER_BYTES}s")


class Readable(Protocol):
    """What a backup is read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...


class SealedWriter:
    """Encrypts what is written to it; only `close` makes the file whole.

    Args:
        target: where the sealed bytes go.
        passphrase: any text.
        passes: Argon2id's time, in passes over its memory.
        memory: Argon2id's memory in bytes.
    """

    def __init__(
        self,
        target: BinaryIO,
        passphrase: str,
        *,
        passes: int = argon2id.OPSLIMIT_MODERATE,
        memory: int = argon2id.MEMLIMIT_MODERATE,
    ) -> None:
        self._target = target
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        salt = nacl.utils.random(argon2id.SALTBYTES)
        key = _key(passphrase, salt, passes, memory)
        stream = sodium.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        self._head = MAGIC + _HEADER.pack(passes, memory, salt, stream)
        self._waiting = bytearray()
        target.write(self._head)

    def write(self, data: bytes) -> int:
        """Encrypt `data`; what does not fill a frame waits for more. Return its length."""
        self._waiting += data
        while len(self._waiting) > FRAME_BYTES:
            self._push(bytes(self._waiting[:FRAME_BYTES]), _MESSAGE)
            del self._waiting[:FRAME_BYTES]
        return len(data)

    def close(self) -> None:
        """Write the last frame; the target stays open."""
        self._push(bytes(self._waiting), _FINAL)
        self._waiting.clear()

    def _push(self, frame: bytes, tag: int) -> None:
        sealed = sodium.crypto_secretstream_xchacha20poly1305_push(
            self._state, frame, self._head, tag
        )
        self._target.write(sealed)


class SealedReader:
    """Decrypts a sealed stream of which MAGIC was read.

    Raises:
        BackupError: the passphrase is not the one of the file.
        DamagedBackupError: the file was cut or changed.
    """

    def __init__(self, source: Readable, passphrase: str) -> None:
        self._source = source
        header = read_exactly(source, _HEADER.size)
        if len(header) < _HEADER.size:
            raise DamagedBackupError("it ends within its first bytes")
        passes, memory, salt, stream = _HEADER.unpack(header)
        if memory > MAX_MEMORY or passes > MAX_PASSES:
            raise DamagedBackupError("its first bytes were changed")
        try:
            key = _key(passphrase, salt, passes, memory)
        except CryptoError:
            raise DamagedBackupError("its first bytes were changed") from None
        self._head = MAGIC + header
        self._state = sodium.crypto_secretstream_xchacha20poly1305_state()
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(self._state, stream, key)
        self._waiting = b""
        self._frames = 0
        self._ended = False

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, none after the last; each was authenticated."""
        while not self._waiting and not self._ended:
            self._pull()
        found, self._waiting = self._waiting[:size], self._waiting[size:]
        return found

    def _pull(self) -> None:
        sealed = read_exactly(self._source, FRAME_BYTES + _OVERHEAD)
        if not sealed:
            raise DamagedBackupError("it is cut off")
        try:
            frame, tag = sodium.crypto_secretstream_xchacha20poly1305_pull(
                self._state, sealed, self._head
            )
        except (CryptoError, ValueError, RuntimeError):
            if self._frames:
                at = len(self._head) + self._frames * (FRAME_BYTES + _OVERHEAD)
                raise DamagedBackupError(f"it was cut or changed after byte {at}") from None
            raise BackupError(
                "the passphrase is not the one of this backup, or its first bytes were changed\n"
                "    nothing was changed; set BACKUP_PASSPHRASE or BACKUP_PASSPHRASE_FILE"
            ) from None
        self._frames += 1
        self._waiting = frame
        if tag == _FINAL:
            self._ended = True
            if self._source.read(1):
                raise DamagedBackupError("something was added at its end")


def read_exactly(source: Readable, size: int) -> bytes:
    """Return `size` bytes, fewer only at the end; a pipe hands them out in pieces."""
    pieces: list[bytes] = []
    while size > 0 and (piece := source.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _key(passphrase: str, salt: bytes, passes: int, memory: int) -> bytes:
    return argon2id.kdf(_KEY_BYTES, passphrase.encode(), salt, opslimit=passes, memlimit=memory)
