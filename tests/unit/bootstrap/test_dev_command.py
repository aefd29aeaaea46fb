"""`./run dev` with an engine that only answers: what it mounts, restarts and puts back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stack import REPOSITORY
from support.wait import until

# Writes down each call that changes something with the compose files that it is for.
DOCKER = r"""
case $* in
  *" up "* | *" restart "*) echo "${COMPOSE_FILE:-docker-compose.yml}: $*" >>"$CALLS" ;;
  compose\ ps*--quiet*) [ -z "$RUNS" ] || echo container-of-gateway ;;
  compose\ ps*) echo "$STATE" ;;
  logs*) echo "SyntaxError: line 3" ;;
esac
"""
UP = "compose --progress quiet up --detach --no-build --no-deps --timeout 5 gateway"
RESTART = "compose --progress quiet restart --no-deps --timeout 5 gateway"
WITH_CODE = f"docker-compose.yml:docker-compose.dev.yml: {UP}"
WITHOUT = f"docker-compose.yml: {UP}"
SECONDS = 30


class Dev:
    """./run dev, running in a copy of what it needs.

    Args:
        folder: for the copy.
        state: what the gateway's container says after each restart.
        runs: whether the stack is up.
    """

    def __init__(self, folder: Path, state: str = "healthy", *, runs: bool = True) -> None:
        for name in ("bootstrap", "commands"):
            shutil.copytree(REPOSITORY / name, folder / name)
        shutil.copy(REPOSITORY / "run", folder)
        docker = folder / "bin" / "docker"
        docker.parent.mkdir()
        docker.write_text(f"#!/bin/sh{DOCKER}")
        docker.chmod(0o755)
        self.code = folder / "gateway/gateway/cli.py"
        self.code.parent.mkdir(parents=True)
        self.code.write_text("a = 1\n")
        self._calls = folder / "calls"
        self._said = folder / "said"
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                ["./run", "dev"],
                cwd=folder,
                env={
                    "PATH": f"{folder}/bin:{os.environ['PATH']}",
                    "HOME": str(folder),
                    "CALLS": str(self._calls),
                    "STATE": state,
                    "RUNS": "yes" if runs else "",
                },
                stdin=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )

    @property
    def calls(self) -> list[str]:
        """Return the calls of the engine that change something."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def hears(self, words: str) -> None:
        """Wait until it says something."""
        until(lambda: words in self._said.read_text(), seconds=SECONDS, what=words)

    def ends(self) -> int:
        """Press ctrl-c, where that is still needed, and return the exit code."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(timeout=SECONDS)


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    """Yield it running, and end it."""
    running = Dev(tmp_path)
    yield running
    running.ends()


def test_a_save_restarts_the_gateway_on_the_checkouts_code(dev: Dev) -> None:
    """Its code is mounted over the image's, a change restarts it, ctrl-c puts the image's back."""
    dev.hears("save a file to restart it")
    dev.code.write_text("a = 2\n")
    dev.hears("restarted")

    assert dev.ends() == 0
    assert dev.calls == [WITH_CODE, f"docker-compose.yml: {RESTART}", WITHOUT]


def test_code_that_does_not_start_is_shown_with_its_log(tmp_path: Path) -> None:
    """The end of the log and the container's state, and it goes on watching."""
    dev = Dev(tmp_path, "restarting")
    dev.hears("save a file to restart it")
    dev.code.write_text("def (\n")
    dev.hears("SyntaxError: line 3")
    dev.hears("the gateway is restarting: fix what the lines above say and save again")

    assert dev.ends() == 0
    assert dev.calls[-1] == WITHOUT


def test_without_a_stack_it_says_what_to_start(tmp_path: Path) -> None:
    """Nothing is started or changed."""
    dev = Dev(tmp_path, runs=False)
    dev.hears("start the stack with './run up'")

    assert dev.ends() == 1
    assert dev.calls == []


def test_the_code_is_mounted_where_the_image_has_it() -> None:
    """The override names the folder that the image's Python imports the gateway from."""
    mount = (REPOSITORY / "docker-compose.dev.yml").read_text()
    dockerfile = (REPOSITORY / "gateway/Dockerfile").read_text()

    assert "target: /opt/venv/lib/python3.13/site-packages/gateway" in mount
    assert "/opt/venv/lib/python3.13/site-packages/" in dockerfile
