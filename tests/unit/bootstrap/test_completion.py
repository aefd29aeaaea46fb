"""Completion of ./run, tried in real shells at a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator

import pytest

from support.stack import REPOSITORY

SECONDS = 20
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ""),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit && compinit -D -u;"),
}
# The shell says so itself; the typed line holds the two halves apart.
READY = "ready-to-type"


class Terminal:
    """A shell at a terminal, typed at."""

    def __init__(self, command: list[str]) -> None:
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(REPOSITORY)
            os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", "PS1": "$ "})  # noqa: S606 -- no shell around the shell
        self.shown = ""

    def type(self, keys: str) -> None:
        """Types keys."""
        os.write(self._terminal, keys.encode())

    def wait_for(self, pattern: str) -> str:
        """Return what was shown since the last wait, as soon as the pattern is in it."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if re.search(pattern, self.shown):
                shown, self.shown = self.shown, ""
                return shown
            if select.select([self._terminal], [], [], 0.2)[0]:
                self.shown += os.read(self._terminal, 4096).decode(errors="replace")
        raise AssertionError(f"never saw {pattern!r}; last shown: {self.shown!r}")

    def forget(self) -> None:
        """Take back what was typed and not entered."""
        self.type("\x15echo forgotten-'for good'\n")
        self.wait_for("forgotten-for good")

    def close(self) -> None:
        """End the shell."""
        os.kill(self._pid, 9)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


@pytest.fixture(scope="module", params=SHELLS)
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """Yield a shell at a terminal that has read what `./run completion` prints."""
    command, setup = SHELLS[request.param]
    made = Terminal(command)
    try:
        made.type(f"{setup} source <(./run completion {request.param}); echo ready-'to-type'\n")
        made.wait_for(READY)
        yield made
    finally:
        made.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("./run stat", "us "),
        ("./run compl", "etion "),
        ("./run key rot", "ate "),
        ("./run key create anna --bud", "get "),
        ("./run models ev", "aluate "),
        ("./run completion z", "sh "),
        ("./run destroy --y", "es "),
    ],
)
def test_a_word_begun_is_completed(terminal: Terminal, typed: str, completed: str) -> None:
    """Commands, their subcommands and their options are completed by a tab."""
    terminal.type(f"{typed}\t")
    terminal.wait_for(re.escape(typed) + re.escape(completed))
    terminal.forget()


def test_every_command_is_offered() -> None:
    """What help lists is what completion knows, without a list of its own."""
    listed = set(re.findall(r"^  ([a-z]+) ", _run("help"), re.MULTILINE))

    for shell in SHELLS:
        printed = _run("completion", shell)
        known = set(re.findall(r"^ +([a-z]+)\) ", printed, re.MULTILINE))
        assert known == listed


def test_another_shell_is_refused_by_name() -> None:
    """For a shell that is not known there is a message, not an empty script."""
    done = subprocess.run(
        ["./run", "completion", "fish"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "no completion for 'fish'" in done.stderr
    assert not done.stdout


def _run(*arguments: str) -> str:
    return subprocess.run(
        ["./run", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
