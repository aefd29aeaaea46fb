"""`./run journal import` with an engine that only answers: which files arrive, in which order."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.stack import REPOSITORY

DOCKER = """#!/bin/sh
case $* in
  "compose ps"*) echo container-of-gateway ;;
  "exec --interactive container-of-gateway gateway journal import") cat >"$ARRIVED" ;;
esac
"""


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Return what is left of two gateways' folders."""
    for name in ("2/000000000003.journal", "1/000000000010.journal", "1/000000000009.journal"):
        path = tmp_path / "a volume" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "a volume/1/lock").touch()
    return tmp_path / "a volume"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call ./run journal with such an engine."""
    docker = folder / "bin/docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return subprocess.run(
        [str(REPOSITORY / "run"), "journal", *arguments],
        env={
            "PATH": f"{docker.parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "ARRIVED": str(folder / "arrived.tar"),
        },
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_folders_files_arrive_in_the_order_of_their_names(volume: Path, tmp_path: Path) -> None:
    """All journal files of a folder arrive, each gateway's in their order, and nothing else."""
    done = run(tmp_path, "import", str(volume))

    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "arrived.tar") as archive:
        names = [member.name for member in archive]
    assert [name.rpartition("a volume/")[2] for name in names] == [
        "1/000000000009.journal",
        "1/000000000010.journal",
        "2/000000000003.journal",
    ]


def test_a_single_file_arrives(volume: Path, tmp_path: Path) -> None:
    """A file that is named arrives alone."""
    assert run(tmp_path, "import", str(volume / "2/000000000003.journal")).returncode == 0
    with tarfile.open(tmp_path / "arrived.tar") as archive:
        (member,) = archive
        content = archive.extractfile(member)
        assert content is not None
        assert content.read() == b"2/000000000003.journal"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "journal does not know ''"),
        (["import"], "no file is named"),
        (["import", "/no/such/file"], "/no/such/file cannot be read"),
        (["import", "bin"], "bin holds no .journal file"),
    ],
)
def test_what_cannot_be_imported_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Nothing is sent unless there is a file, and the message says what is missing."""
    (tmp_path / "bin").mkdir()
    given = [str(tmp_path / each) if each == "bin" else each for each in arguments]
    done = run(tmp_path, *given)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "arrived.tar").exists()
