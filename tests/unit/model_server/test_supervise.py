"""Running Ollama as process 1 should; in a process of its own, for it takes over the signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_server import supervise
from support.wait import until

# Runs sh with a script; `beside` is Python.
PROGRAM = """
import logging, os, sys, time
from pathlib import Path
from model_server.supervise import supervise
import model_server.supervise as module
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
module.STOP_SECONDS = 1
def relay(stream):
    for line in stream:
        print("relayed", line, end="", flush=True)
def beside():
    exec(sys.argv[2])
sys.exit(supervise(["sh", "-c", sys.argv[1]], os.environ, relay, beside))
"""
SECONDS = 20


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a supervised script; it is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def make(script: str, beside: str = "pass") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, script, beside],
            cwd=tmp_path,
            env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield make
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_goes_on_and_the_end_is_clean(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, number: signal.Signals
) -> None:
    """SIGTERM and SIGINT reach the command; ending because of them is exit code 0."""
    name = number.name.removeprefix("SIG")
    process = start(f"trap 'echo asked; exit 3' {name}; touch up; while :; do sleep 0.05; done")
    until((tmp_path / "up").exists, seconds=SECONDS, what="the command")

    process.send_signal(number)
    printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 0
    assert "relayed asked" in printed


def test_a_command_that_does_not_stop_is_killed(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """After the time that it is given, a command that ignores the signal is killed."""
    process = start("trap '' TERM; touch up; while :; do sleep 0.05; done")
    until((tmp_path / "up").exists, seconds=SECONDS, what="the command")

    process.terminate()

    assert process.wait(timeout=SECONDS) == 0


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [("exit 0", 1, "exit code 0"), ("exit 7", 7, "exit code 7"), ("kill -9 $$", 137, "signal 9")],
)
def test_an_end_that_nobody_asked_for_is_a_failure(
    start: Callable[..., subprocess.Popen[str]], script: str, code: int, says: str
) -> None:
    """However the command dies, the exit code is not 0, so that it is started again."""
    process = start(script)
    printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == code
    assert says in printed


def test_orphans_are_reaped(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """Another child that ends meanwhile is taken care of and does not end the supervision."""
    process = start(
        "touch up; while :; do sleep 0.05; done",
        "pid = os.posix_spawn('/bin/true', ['true'], {})\n"
        "while Path(f'/proc/{pid}').exists(): time.sleep(0.05)\n"
        "Path('reaped').touch()",
    )

    until((tmp_path / "reaped").exists, seconds=SECONDS, what="the orphan to be reaped")

    assert process.poll() is None


def test_an_orphan_is_not_taken_for_the_command() -> None:
    """The end that counts is the command's own, which here comes after another child was reaped."""
    orphan = os.posix_spawn("/bin/true", ["true"], {})
    waits = f"for _ in $(seq 200); do kill -0 {orphan} || exit 3; sleep 0.05; done; exit 4"
    command = os.posix_spawn("/bin/sh", ["sh", "-c", waits], {"PATH": "/usr/bin:/bin"})

    assert os.waitstatus_to_exitcode(supervise._reap_until(command)) == 3


def test_the_command_ends_with_what_runs_beside_it(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    """If the other part fails, the command is ended and the exit code is not 0."""
    process = start("exec sleep 60", "raise RuntimeError('broken')")
    printed, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 128 + signal.SIGTERM
    assert "RuntimeError: broken" in printed
