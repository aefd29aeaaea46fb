"""A rule of the linter that a line ignores is ignored for a reason."""

from __future__ import annotations

import re

from support.stack import REPOSITORY

FOLDERS = ("gateway", "backend-stub", "ollama", "scripted-upstream", "tests", "docs")
REASONED = re.compile(r"noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)* -- \S")


def test_every_ignored_rule_has_its_reason() -> None:
    """A `noqa` without a reason behind ` -- ` is found, with its file and line."""
    files = [path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")]
    assert files
    unreasoned = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in files
        if not {".venv", "node_modules", "__pycache__"} & set(path.parts)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search("# (ruff: )?noqa", line) and not REASONED.search(line)
    ]
    assert not unreasoned
