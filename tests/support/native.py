"""A checkout of its own for a fresh user, and the native start in it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests

from support.stack import REPOSITORY, free_port
from support.wait import until

USER = f"newcomer-{secrets.token_hex(2)}"
READY_SECONDS = 180
INSTALLED_SECONDS = 600


@dataclass
class Checkout:
    """The repository's files, owned by a user who has nothing else.

    Attributes:
        folder: its root.
        home: the user's home, elsewhere.
        environment: what every command has besides PATH and HOME.
    """

    folder: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def script(self) -> str:
        """The command."""
        return str(self.folder / "litellm" / "start_litellm.sh")

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the command from / as the user, with output in home/log."""
        with (self.home / "log").open("w") as log:
            return subprocess.Popen(
                [self.script, *arguments],
                cwd="/",
                env=self._environment(environment),
                user=USER,
                group=USER,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end and return what it said.

        Raises:
            AssertionError: it took longer than the first one, which installs, ever should.
        """
        process = self.popen(*arguments, **environment)
        try:
            code = process.wait(INSTALLED_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not end:\n{self.log()}") from None
        return subprocess.CompletedProcess(process.args, code, self.log(), "")

    def log(self) -> str:
        """Return what the last command wrote."""
        return (self.home / "log").read_text()

    def _environment(self, changes: dict[str, str]) -> dict[str, str]:
        machine = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PIP_", "SSL_", "NODE_EXTRA", "NPM_CONFIG"))
        }
        given = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home)}
        if python := os.environ.get("NATIVE_PYTHON"):  # to try another of 3.10 to 3.14
            given["PYTHON"] = python
        return machine | given | self.environment | changes


@dataclass
class NativeGateway:
    """A running native start."""

    process: subprocess.Popen[str]
    port: int
    checkout: Checkout
    ready_after: float = 0.0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def start(checkout: Checkout, *arguments: str, **environment: str) -> NativeGateway:
    """Start the gateway on a free port and wait until it is healthy.

    Raises:
        AssertionError: it ended, or took too long; holds its log.
    """
    port = free_port()
    began = time.monotonic()
    process = checkout.popen("--port", str(port), *arguments, **environment)
    gateway = NativeGateway(process, port, checkout)

    def alive() -> None:
        assert process.poll() is None, f"it ended:\n{checkout.log()}"

    try:
        until(
            lambda: requests.get(f"{gateway.url}/health", timeout=5).status_code == 200,
            seconds=READY_SECONDS,
            what="the native gateway to be healthy",
            alive=alive,
        )
    except BaseException:
        gateway.stop(signal.SIGTERM)
        raise
    gateway.ready_after = time.monotonic() - began
    return gateway


def make_checkout(folder: Path) -> Iterator[Checkout]:
    """Yield a copy of what git knows, for a new user; removes the user at the end."""
    subprocess.run(["useradd", "--no-create-home", USER], check=True)
    checkout = Checkout(folder / "checkout", folder / "home")
    checkout.home.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            target = checkout.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, target)
    subprocess.run(["chown", "--recursive", f"{USER}:{USER}", str(folder)], check=True)
    try:
        yield checkout
    finally:
        subprocess.run(["userdel", USER], check=False)
        shutil.rmtree(folder, ignore_errors=True)
