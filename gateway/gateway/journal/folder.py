"""Who writes where: each running gateway has a folder of its own, held by a lock.

Replicas may share one volume. A gateway that starts takes the first folder that nobody holds, and
with it what the gateway before has left there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MOST_WRITERS = 64
OWNER = "owner"
"""The file that names the journal of the gateway whose folder it is, or was last."""


class JournalFolderError(Exception):
    """The journal's folder cannot be used."""


@dataclass(frozen=True)
class Claim:
    """A folder that this process alone writes to; `release` gives it back.

    Attributes:
        path: the folder.
        lock: the descriptor that holds the lock.
    """

    path: Path
    lock: int

    def release(self) -> None:
        """Give the folder back; the end of the process does so too."""
        os.close(self.lock)


def claim(root: Path) -> Claim:
    """Return the first folder of `root` that nobody holds.

    Raises:
        JournalFolderError: `root` cannot be written to, or every folder is held.
    """
    for number in range(1, MOST_WRITERS + 1):
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
        f"{MOST_WRITERS} gateways keep their spend journal in {root} already\n"
        "    let JOURNAL_DIR name another folder"
    )


def succeed(path: Path, journal: str) -> str:
    """Note whose a folder is now; return the id of the journal whose it was, "" for nobody's.

    It only spares the other gateways to wait for the silence of one that is gone, so what cannot
    be written is left.
    """
    before = owner_of(path)
    with contextlib.suppress(OSError):
        (path / OWNER).write_text(journal, encoding="ascii")
    return before


def owner_of(path: Path) -> str:
    """Return the id of the journal whose a folder is, or was; "" for nobody's."""
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
