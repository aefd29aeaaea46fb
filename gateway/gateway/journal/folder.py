"""The journal's folders: each running gateway has one of its own, held by a lock.

Several gateways may share one volume. A gateway that starts takes the first folder that no process
holds, and with it the records that the previous gateway left there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_WRITERS = 64
OWNER = "owner"
"""The file that names the journal of the gateway that has the folder, or had it last."""


class JournalFolderError(Exception):
    """The journal's folder cannot be used."""


@dataclass(frozen=True)
class Claim:
    """A folder that only this process writes to; `release` gives it back.

    Attributes:
        path: the folder.
        lock: the descriptor that holds the lock.
    """

    path: Path
    lock: int

    def release(self) -> None:
        """Give the folder back; it is also given back when the process ends."""
        os.close(self.lock)


def claim(root: Path) -> Claim:
    """Return the first folder of `root` that no process holds.

    Raises:
        JournalFolderError: `root` cannot be written to, or every folder is held.
    """
    for number in range(1, MAX_WRITERS + 1):
        try:
            found = _try_to_claim(root / f"{number}")
        except OSError as error:
            raise JournalFolderError(
                f"the spend journal cannot be kept in {root}: {error.strerror}\n"
                "    let JOURNAL_DIR name a folder that the gateway may write to"
            ) from error
        if found is not None:
            return found
    raise JournalFolderError(
        f"{MAX_WRITERS} gateways keep their spend journal in {root} already\n"
        "    let JOURNAL_DIR name another folder"
    )


def replace_owner(path: Path, journal: str) -> str:
    """Record the folder's new journal; return the id of its previous one, "" if there was none.

    A failure to write is ignored. The record only spares the other gateways a wait, until they
    would notice the silence of a gateway that is gone.
    """
    before = owner_of(path)
    with contextlib.suppress(OSError):
        (path / OWNER).write_text(journal, encoding="ascii")
    return before


def owner_of(path: Path) -> str:
    """Return the id of the journal that has a folder, or had it last; "" if there was none."""
    try:
        return (path / OWNER).read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def claim_left_behind(root: Path) -> list[Claim]:
    """Return the folders of gateways that are gone and have not come back."""
    paths = sorted(path for path in root.iterdir() if path.name.isdigit())
    claims = (_try_to_claim(path) for path in paths)
    return [found for found in claims if found is not None]


def _try_to_claim(path: Path) -> Claim | None:
    path.mkdir(mode=0o750, parents=True, exist_ok=True)
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return Claim(path, lock)
