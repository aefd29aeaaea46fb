"""The spend journal's files in a backup: costs that are not in the database yet.

They are read before the database. A cost that is applied in between is then in both, which does no
harm; in the other order it could be in neither.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGED = "restored"
_NOT_KEPT = {"lock", "next", "owner"}
_UNFINISHED = "position.new"
"""How the name begins of a position that is being written; a process that died leaves it."""


def read_files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Yield "FOLDER/FILE" and content of every file; zeros that wait to be written to are cut.

    The position comes before the records: an older one means that records are looked at twice.
    """
    if not root.is_dir():
        return
    for folder in sorted(path for path in root.iterdir() if path.name.isdigit()):
        files = (path for path in folder.iterdir() if _is_kept(path.name))
        for path in sorted(files, key=lambda path: (path.name != "position", path.name)):
            try:
                content = path.read_bytes().rstrip(b"\0")
            except FileNotFoundError:
                continue  # brought into the database since, where the dump will have it
            if content:
                yield f"{folder.name}/{path.name}", content


def _is_kept(name: str) -> bool:
    return name not in _NOT_KEPT and not name.startswith(_UNFINISHED)


class StagedJournal:
    """Journal files on their way back, unseen by a gateway until `install`.

    Args:
        root: the journal's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staged = root / STAGED
        self.files = 0
        shutil.rmtree(self._staged, ignore_errors=True)

    def add(self, name: str, content: bytes) -> None:
        """Put "FOLDER/FILE" aside."""
        path = self._staged / name
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o640)
        self.files += 1

    def install(self, *, replace: bool) -> None:
        """Give each folder a free number; with `replace` first remove what is there."""
        if replace and self._root.is_dir():
            for path in self._root.iterdir():
                if path.name.isdigit():
                    shutil.rmtree(path)
        if self._staged.is_dir():
            for folder in sorted(self._staged.iterdir()):
                folder.rename(self._free())
            self._staged.rmdir()

    def discard(self) -> None:
        """Forget what was put aside."""
        shutil.rmtree(self._staged, ignore_errors=True)

    def _free(self) -> Path:
        number = 1
        while (self._root / f"{number}").exists():
            number += 1
        return self._root / f"{number}"
