"""Mends what a kill left of a download, so that it can go on.

Ollama downloads a file in parts and notes each part's place and progress in a file of JSON beside
it, NAME-partial-N. It truncates that file before it writes it again; killed in between, it leaves
an empty one, and every later attempt ends with "EOF" (`readPart` and `writePart`,
https://github.com/ollama/ollama/blob/v0.17.4/server/download.go).
"""

import json
import logging
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

_log = logging.getLogger(__name__)


class Part(BaseModel):
    """What Ollama notes of a part; all in bytes but its number."""

    number: int = Field(alias="N")
    offset: int = Field(alias="Offset")
    size: int = Field(alias="Size")
    completed: int = Field(alias="Completed")


def mend(blobs: Path) -> None:
    """Make every note of a part readable that is not.

    A part whose place follows from its neighbours begins again; otherwise the whole file does.

    Args:
        blobs: the folder of Ollama's files; may be missing.
    """
    notes = sorted(blobs.glob("*-partial-*"), key=lambda path: (_file(path), _number(path)))
    for file, group in groupby(notes, key=_file):
        paths = list(group)
        parts = [_read(path) for path in paths]
        if None in parts:
            _mend(blobs / file, paths, parts)


def _file(note: Path) -> str:
    """Return the name of the unfinished file that a note is about."""
    return note.name.rpartition("-")[0]


def _number(note: Path) -> int:
    return int(note.name.rpartition("-")[2])


def _read(note: Path) -> Part | None:
    try:
        return Part.model_validate_json(note.read_bytes())
    except ValidationError:
        return None


def _mend(file: Path, notes: list[Path], parts: list[Part | None]) -> None:
    # Ollama gives the unfinished file its final length at once.
    total = file.stat().st_size if file.exists() else 0
    offset = 0
    for index, (note, part) in enumerate(zip(notes, parts, strict=True)):
        following = parts[index + 1] if index + 1 < len(parts) else None
        end = following.offset if following else total
        is_between_known = index + 1 == len(parts) or following is not None
        if part is not None:
            offset = part.offset + part.size
            continue
        if not (is_between_known and _number(note) == index and end > offset):
            _log.warning("%s begins again: a kill left its parts unreadable", file.name)
            for path in notes:
                path.unlink()
            return
        fresh = Part(N=index, Offset=offset, Size=end - offset, Completed=0)
        note.write_text(json.dumps(fresh.model_dump(by_alias=True)), encoding="ascii")
        _log.warning("part %d of %s begins again: a kill left it unreadable", index, file.name)
        offset = end
