"""The supervisor starts processes, starts again what dies, and stops them all; with real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.wait import until

SECONDS = 20

PROGRAM = """
import os, signal, sys
from pathlib import Path
from gateway.processes.siblings import Beats
from gateway.processes.supervisor import Supervisor

folder = Path(sys.argv[1])
beats = Beats(folder / "beats", 2)
beats.folder.mkdir()

def job(number, what):
    def drain(*_):
        (folder / f"drained-{number}").touch()
        os._exit(0)
    def work():
        if what == "fails":
            sys.exit(7)
        if what == "cannot":
            from gateway.config.problems import ConfigurationError, Problem
            raise ConfigurationError([Problem("WHAT", "is wrong", "set it right")])
        signal.signal(signal.SIGTERM, drain)
        beats.write(number)
        with (folder / f"pids-{number}").open("a") as pids:
            pids.write(f"{os.getpid()}\\n")
        while True:
            signal.pause()
    return work

jobs = [job(number, what) for number, what in enumerate(sys.argv[2:], 1)]
sys.exit(Supervisor(jobs, beats).run())
"""


class Running:
    """A supervisor that runs.

    Attributes:
        process: the supervisor.
    """

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self._folder = folder
        self.process = process

    def pids(self, number: int, count: int = 1) -> list[int]:
        """Return the ids of the processes with a number, once there were `count` of them."""
        path = self._folder / f"pids-{number}"

        def found() -> list[int] | None:
            lines = path.read_text().splitlines() if path.exists() else []
            return [int(line) for line in lines] if len(lines) >= count else None

        return until(found, seconds=SECONDS, what=f"process {number} to start {count} times")

    def end(self) -> tuple[int, str]:
        """Return the exit code and the log, once the supervisor has ended."""
        _, log = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, log


@contextmanager
def supervised(folder: Path, *jobs: str) -> Iterator[Running]:
    """Run a supervisor with one process for each job: serves, fails or cannot."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), *jobs],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield Running(folder, process)
    finally:
        process.kill()
        for path in folder.glob("pids-*"):  # orphans, if the test fails; they would hold the pipe
            for pid in path.read_text().split():
                if not is_gone(int(pid)):
                    os.kill(int(pid), signal.SIGKILL)
        process.communicate()


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; an orphan that nobody has waited for counts as ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    """A process that has served and dies is replaced, and the other one stays."""
    with supervised(tmp_path, "serves", "serves") as running:
        (first,), (other,) = running.pids(1), running.pids(2)
        os.kill(first, signal.SIGKILL)
        again = running.pids(1, count=2)[1]
        assert again != first
        assert running.pids(2) == [other]
        assert not is_gone(other)
        running.process.terminate()
        code, log = running.end()
    assert code == 0
    assert "process 1 of 2 has ended (signal 9) and is started again" in log


@pytest.mark.parametrize(("job", "exit_code"), [("fails", 7), ("cannot", 2)])
def test_a_process_that_never_served_ends_them_all(
    tmp_path: Path, job: str, exit_code: int
) -> None:
    """A process that ends before it ever served ends all, with its exit code and its reason."""
    with supervised(tmp_path, "serves", job) as running:
        code, log = running.end()
    assert code == exit_code
    assert f"process 2 of 2 has ended before it served (exit code {exit_code})" in log
    assert ("WHAT: is wrong" in log) == (job == "cannot")


def test_a_stop_reaches_every_process(tmp_path: Path) -> None:
    """SIGTERM to the supervisor is passed on, and it ends once all processes have drained."""
    with supervised(tmp_path, "serves", "serves") as running:
        running.pids(1), running.pids(2)
        running.process.terminate()
        code, _ = running.end()
    assert code == 0
    assert sorted(path.name for path in tmp_path.glob("drained-*")) == ["drained-1", "drained-2"]


def test_no_process_outlives_the_supervisor(tmp_path: Path) -> None:
    """A supervisor that is killed takes its processes with it, and each of them drains."""
    with supervised(tmp_path, "serves", "serves") as running:
        pids = [*running.pids(1), *running.pids(2)]
        running.process.kill()
        until(lambda: all(map(is_gone, pids)), seconds=SECONDS, what="the processes to end")
    assert len(list(tmp_path.glob("drained-*"))) == 2


def test_a_stop_during_the_pause_starts_nothing(tmp_path: Path) -> None:
    """A stop that comes between a death and the next start ends the supervisor."""
    with supervised(tmp_path, "serves") as running:
        (first,) = running.pids(1)
        os.kill(first, signal.SIGKILL)
        until(lambda: is_gone(first), seconds=SECONDS, what="the process to end")
        running.process.terminate()
        assert running.end()[0] == 0
    assert running.pids(1) == [first]
