"""The Markdown documents of the repository, and the blocks of commands and output in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support.stack import REPOSITORY

GUIDES = ("README.md", *sorted(f"docs/{path.name}" for path in REPOSITORY.glob("docs/*.md")))
"""The documents that tell a user what to type: each of their ```sh blocks is run by a test."""


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


def text_of(document: str | Path) -> str:
    """Return a document's text, by its path in the repository."""
    return (REPOSITORY / document).read_text(encoding="utf-8")


def blocks(document: str | Path, language: str) -> list[str]:
    """Return a document's fenced blocks of a language; output has none, "" here."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(document), re.DOTALL | re.MULTILINE)
    return [block for name, block in fences if name == language]


def command_blocks() -> dict[str, str]:
    """Return each ```sh block of the guides, by document and first line; repeated ones once."""
    found: dict[str, str] = {}
    for guide in GUIDES:
        for block in blocks(guide, "sh"):
            if block not in found.values():
                found[f"{guide}: {block.splitlines()[0][:40]}"] = block
    return found


def output_block(document: str, start: str) -> str:
    """Return the block of output in a document that begins with these characters."""
    return next(block for block in blocks(document, "") if block.startswith(start))


def table_rows(text: str, head: str) -> list[str]:
    """Return the first cell of each row of the table whose first column has that head."""
    table = text[text.index(f"\n| {head} |") :].strip().split("\n\n")[0]
    return [line.split(" | ")[0].removeprefix("| ").strip() for line in table.splitlines()[2:]]
