"""The process that starts the gateways of a container, and starts one again that dies.

It has no thread, no event loop and no connection. So `fork` is safe at any time, and the code that
it has imported is in memory once, for all of them.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from gateway.commands import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from gateway.processes.siblings import Beats

LOG = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PAUSE_SECONDS = 1.0
"""Between the death of a process and its next start."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Supervisor:
    """Keeps processes running.

    A process that dies after it has served is started again: the others answer meanwhile. One that
    ends before it has ever served has a cause that a second attempt would meet again, such as a
    journal that cannot be written, so it ends them all, as it would end a gateway that is alone.

    Args:
        jobs: what each process does, in the order of their numbers from 1.
        beats: the reports by which they show that they serve.
    """

    def __init__(self, jobs: Sequence[Callable[[], None]], beats: Beats) -> None:
        self._jobs = jobs
        self._beats = beats
        self._running: dict[int, int] = {}  # the number of each process, by its process id
        self._has_served: set[int] = set()
        self._is_stopping = False
        self._code = 0

    def run(self) -> int:
        """Run until told to stop, or until a process cannot start; return the exit code."""
        for each in SIGNALS:
            signal.signal(each, self._stop)
        for number in range(1, len(self._jobs) + 1):
            self._start(number)
        while self._running:
            pid, status = os.wait()
            ended = self._running.pop(pid, None)
            if ended is not None:
                self._take(ended, os.waitstatus_to_exitcode(status))
        return self._code

    def _start(self, number: int) -> None:
        if self._is_stopping:
            return
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be(number, parent)
        self._running[pid] = number
        if self._is_stopping:  # the signal came before the process was in the table
            os.kill(pid, signal.SIGTERM)

    def _be(self, number: int, parent: int) -> NoReturn:
        """Be the process with this number, to its end."""
        code = 1
        try:
            for each in SIGNALS:
                signal.signal(each, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() == parent:  # it did not die before the line above
                run(self._jobs[number - 1])
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            LOG.exception("%s fails", self._beats.name(number))
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # not what the parent would do at its own end

    def _take(self, number: int, code: int) -> None:
        """Handle the end of a process."""
        name = self._beats.name(number)
        if self._beats.end(number):
            self._has_served.add(number)
        if self._is_stopping:
            self._code = self._code or (0 if code in (0, -signal.SIGTERM, -signal.SIGINT) else 1)
        elif number in self._has_served:
            LOG.error("%s has ended (%s) and is started again", name, _said(code))
            time.sleep(PAUSE_SECONDS)
            self._start(number)
        else:
            LOG.error("%s has ended before it served (%s): the gateway stops", name, _said(code))
            self._code = max(code, 0) or 1
            self._stop(signal.SIGTERM, None)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True
        for pid in list(self._running):
            os.kill(pid, number)


def _said(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
