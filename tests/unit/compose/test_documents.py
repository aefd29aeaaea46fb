"""The documents name only what exists."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.stack import REPOSITORY


def documents() -> list[Path]:
    """Return every Markdown file of the repository, as git lists them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listed.stdout.split()]


def prose(document: Path) -> str:
    """Return a document without its blocks of code, in which nothing is a link or heading."""
    text = (REPOSITORY / document).read_text()
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(document: Path) -> set[str]:
    """Return what GitHub lets a link to a part of a document name: its headings, in their form."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=str)
def test_no_link_is_dead(document: Path) -> None:
    """Each relative link leads to a file or folder of the repository, and to a heading of it."""
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        found = Path(os.path.normpath(document.parent / name)) if name else document
        if not (REPOSITORY / found).exists() or (anchor and anchor not in anchors(found)):
            dead.append(target)
    assert not dead


def test_every_command_of_the_readme_exists() -> None:
    """Each `./run NAME` that a document mentions is a command of ./run."""
    sources = [REPOSITORY / "run", *(REPOSITORY / "commands").glob("*.sh")]
    commands = {
        name
        for source in sources
        for name in re.findall(r"^# ([a-z]+)(?: [^—\n]+)? — ", source.read_text(), re.MULTILINE)
    }
    mentioned = {
        name
        for document in documents()
        for name in re.findall(r"\./run ([a-z]+)", (REPOSITORY / document).read_text())
    }

    assert mentioned <= commands


def test_ci_runs_the_readmes_two_commands() -> None:
    """.ci/run calls what the README tells a newcomer to call."""
    first_two = re.findall(r"```sh\n(\./run \w+)\n```", (REPOSITORY / "README.md").read_text())[:2]
    ci = (REPOSITORY / ".ci/run").read_text()

    assert first_two == ["./run up", "./run test"]
    assert all(re.search(rf"^  {re.escape(each)}$", ci, re.MULTILINE) for each in first_two)
