"""A download that was killed while it noted its progress goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_server.parts import mend

NAME = "sha256-ab-partial"
TOTAL = 250


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    """Return a folder with an unfinished file of three parts, as Ollama leaves it."""
    (tmp_path / NAME).write_bytes(bytes(TOTAL))
    for number, size in enumerate((100, 100, 50)):
        part = {"N": number, "Offset": 100 * number, "Size": size, "Completed": 10 + number}
        (tmp_path / f"{NAME}-{number}").write_text(json.dumps(part))
    return tmp_path


def parts(blobs: Path) -> list[dict[str, int]]:
    """Return the notes of all parts."""
    return [json.loads(path.read_text()) for path in sorted(blobs.glob(f"{NAME}-*"))]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("left", ["", '{"N":1,"Off'])
def test_an_unreadable_part_begins_anew_and_the_others_go_on(
    blobs: Path, number: int, left: str
) -> None:
    """Its place follows from its neighbours, or from the length of the whole file."""
    whole = parts(blobs)
    (blobs / f"{NAME}-{number}").write_text(left)

    mend(blobs)

    whole[number]["Completed"] = 0
    assert parts(blobs) == whole


@pytest.mark.parametrize("broken", [(0, 1), (1, 2)])
def test_with_unreadable_neighbours_the_whole_file_begins_anew(
    blobs: Path, broken: tuple[int, int]
) -> None:
    """Where one ends and the next begins is not known, and a guess would be a broken model."""
    for number in broken:
        (blobs / f"{NAME}-{number}").write_text("")

    mend(blobs)

    assert parts(blobs) == []


def test_a_missing_part_is_not_made_up(blobs: Path) -> None:
    """Two parts would take its place as theirs."""
    (blobs / f"{NAME}-1").unlink()
    (blobs / f"{NAME}-2").write_text("")

    mend(blobs)

    assert parts(blobs) == []


def test_what_is_readable_is_left_alone(blobs: Path) -> None:
    """Nothing is written, nor is anything made where there are no parts."""
    before = {path: path.stat().st_mtime_ns for path in blobs.iterdir()}

    mend(blobs)
    mend(blobs / "missing")

    assert {path: path.stat().st_mtime_ns for path in blobs.iterdir()} == before
