"""The documents name only what exists."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support.documents import GUIDES, command_blocks, documents, output_block, text_of
from support.same_answers.known import DIFFERENCES
from support.stack import REPOSITORY


def prose(document: Path) -> str:
    """Return a document without its blocks of code, in which nothing is a link or heading."""
    return re.sub(r"^ *```.*?^ *```$", "", text_of(document), flags=re.DOTALL | re.MULTILINE)


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


def test_every_difference_from_litellm_is_documented() -> None:
    """The headings are the differences that tests/conformance/test_same_answers.py shows."""
    page = text_of(Path("docs/differences-from-litellm.md"))
    told = re.findall(r"^### (.+)$", page, re.MULTILINE)
    assert sorted(told) == sorted(each.name for each in DIFFERENCES)


def mentioned() -> set[str]:
    """Return the NAME of each `./run NAME` in a document."""
    return {
        name
        for document in documents()
        for name in re.findall(r"\./run ([a-z]+)", text_of(document))
    }


def test_every_command_of_a_document_exists() -> None:
    """Each `./run NAME` that a document mentions is a command of ./run."""
    sources = [REPOSITORY / "run", *(REPOSITORY / "commands").glob("*.sh")]
    commands = {
        name
        for source in sources
        for name in re.findall(r"^# ([a-z]+)(?: [^—\n]+)? — ", source.read_text(), re.MULTILINE)
    }
    assert mentioned() <= commands


def test_ci_runs_the_readmes_two_commands() -> None:
    """.ci/run calls what the README tells a newcomer to call."""
    first_two = re.findall(r"```sh\n(\./run \w+)\n```", text_of("README.md"))[:2]
    ci = (REPOSITORY / ".ci/run").read_text()

    assert first_two == ["./run up", "./run test"]
    assert all(re.search(rf"^  {re.escape(each)}$", ci, re.MULTILINE) for each in first_two)


NOT_RUN = {
    "docs": "test_reference.py compares what it would write",
    "lock": "it needs a package index, and takes as long as all tests",
    "transcript": "test_transcript.py tries its parts, and compares its steps with the documents",
}
"""Commands that no test calls, each with the reason."""


def test_every_command_of_a_document_is_run_by_a_test() -> None:
    """A command that the documents promise is called by some test, or by CI itself."""
    written = (REPOSITORY / "tests").rglob("*.py")
    tests = "".join(each.read_text() for each in written if "bench" not in each.parts)
    shell = "".join(((REPOSITORY / ".ci/run").read_text(), *command_blocks().values()))
    called = {
        *re.findall(r'"\./run", "([a-z]+)', tests),
        *re.findall(r'\brun\("([a-z]+)', tests),
        *re.findall(r"\./run ([a-z]+)", shell),
    }

    assert mentioned() - called == NOT_RUN.keys()


def test_every_guide_is_reached_from_the_readme() -> None:
    """Each page of docs/ is linked from the README, so that none is written for nobody."""
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)", text_of("README.md")))

    assert linked == set(GUIDES) - {"README.md", "docs/litellm-versions.md"}  # for maintainers


def test_the_help_shown_is_what_help_prints() -> None:
    """The reference has the list of commands as `./run help` prints it."""
    printed = subprocess.run(
        ["./run", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout

    assert output_block("docs/reference.md", "usage:") == printed


def test_the_parts_shown_are_those_that_test_runs() -> None:
    """The README's sample of `./run test` has a line for each part, in their order."""
    script = (REPOSITORY / "tests/run").read_text()
    parts = re.search(r"^ALL=\((.*)\)$", script, re.MULTILINE)
    words = re.search(r"printf '(== %s: .*)\\n'", script)
    assert parts
    assert words

    shown = output_block("README.md", "== ").splitlines()
    line = re.escape(words[1]).replace("%02d", r"\d\d").replace("%d", r"\d+")
    names = [part.replace("_", " ") for part in parts[1].split()]
    assert len(shown) == len(names)
    assert all(
        re.fullmatch(line.replace("%s", re.escape(name)), said)
        for name, said in zip(names, shown, strict=True)
    )


def test_every_path_of_the_contributors_guide_exists() -> None:
    """What CONTRIBUTING.md tells to touch is there, and a task touches three files at most."""
    guide = text_of("CONTRIBUTING.md")
    tasks = re.findall(r"^\| (?:a|an) .*$", guide, re.MULTILINE)
    paths = set(re.findall(r"`([\w.-]*/[a-z_./-]+)`", guide))

    assert paths
    assert not [path for path in paths if not (REPOSITORY / path).exists()]
    assert len(tasks) == 5
    for task in tasks:
        touched = re.findall(r"`([\w.-]*/?[\w./-]+\.\w+)`", task.split("|")[2])
        assert 1 <= len(touched) <= 3, task
        assert all((REPOSITORY / path).exists() for path in touched), task
