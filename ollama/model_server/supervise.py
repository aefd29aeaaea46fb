"""Runs a command as process 1 should: signals go on to it, orphans are reaped, its end is ours."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import IO

STOP_SECONDS = 20
"""How long the command may take to end before it is killed; compose grants 30 s."""

_log = logging.getLogger(__name__)


def supervise(
    command: Sequence[str],
    environment: Mapping[str, str],
    relay: Callable[[IO[str]], None],
    beside: Callable[[], None],
) -> int:
    """Run a command until it ends.

    Args:
        command: what to run.
        environment: its variables, all of them.
        relay: gets its output, in a thread.
        beside: runs in a thread as well, once the command has been started; should it fail, the
            command is ended.

    Returns:
        0 when it ended because this process was asked to stop, else a code that is not 0, so that
        the container is started again.
    """
    stopping = threading.Event()
    child = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )

    def send(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            os.kill(child.pid, number)

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        signal.alarm(STOP_SECONDS)
        send(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGALRM, lambda _number, _frame: send(signal.SIGKILL))

    def beside_or_end() -> None:
        try:
            beside()
        except Exception:  # noqa: BLE001 -- the command alone is worth nothing
            _log.exception("unexpected error; ending %s", command[0])
            send(signal.SIGTERM)

    assert child.stdout is not None  # noqa: S101 -- it was asked for above
    output = threading.Thread(target=relay, args=(child.stdout,), daemon=True)
    output.start()
    threading.Thread(target=beside_or_end, daemon=True).start()

    status = _reap_until(child.pid)
    signal.alarm(0)
    output.join(timeout=1)
    sys.stdout.flush()
    if stopping.is_set():
        _log.info("stopped")
        return 0
    code = os.waitstatus_to_exitcode(status)
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    _log.error("%s ended unexpectedly %s", command[0], how)
    return 128 - code if code < 0 else code or 1


def _reap_until(pid: int) -> int:
    """Wait for every child, adopted ones too; return the wait status of that one."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status
