"""The gateway's side of the applier.

The gateway starts the process, tells it how far it may read, and starts it again when it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import gateway
from gateway.journal.messages import Progress, Task, Written, encoded, progress

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
MAX_PAUSE = 10.0
LONG_LIFE = 60.0
"""An applier that ran for this many seconds before it died is started again after FIRST_PAUSE."""

CONNECT_SECONDS = 1.0
"""How long a gateway that stops waits for an applier that is just being started."""

COMMAND = (sys.executable, "-m", "gateway.journal.applier")


class ApplierProcess:
    """Keeps an applier running.

    Args:
        task: returns the task for an applier that starts now.
        on_progress: called with each message of the applier.
    """

    def __init__(self, task: Callable[[], Task], on_progress: Callable[[Progress], None]) -> None:
        self._task = task
        self._on_progress = on_progress
        self._writer: asyncio.StreamWriter | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = False
        self._is_heard = asyncio.Event()  # set while a process receives messages

    @property
    def pid(self) -> int | None:
        """The id of the process that runs now; None when none runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the applier if it is not running, and again whenever it dies.

        To be called on the event loop.
        """
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._keep_running())

    def send(self, news: Written) -> None:
        """Send a message; without a process its content is part of the next one's task."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encoded(news))

    async def stop(self, seconds: float) -> None:
        """Have the applier apply what is left, for at most `seconds`, and end it."""
        if self._running is None:
            return
        with contextlib.suppress(
            asyncio.TimeoutError
        ):  # an applier that is just being started gets the message, too
            await asyncio.wait_for(self._is_heard.wait(), CONNECT_SECONDS)
        self._stopping = True
        self.send(Written(stop_within=seconds))
        _, late = await asyncio.wait([self._running], timeout=seconds + 2.0)
        if late:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stopping:
            started = loop.time()
            try:
                await self._run_once()
            except OSError as error:
                LOG.error("the journal's applier does not start: %s", error)  # noqa: TRY400 -- one line
            if self._stopping:
                return
            pause = FIRST_PAUSE if loop.time() - started > LONG_LIFE else pause
            LOG.warning("the journal's applier has ended and is started again in %g s", pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, MAX_PAUSE)

    async def _run_once(self) -> None:
        """Run one process to its end."""
        ours, theirs = socket.socketpair()
        with theirs:
            # In a session of its own, Ctrl-C does not end the applier before the gateway stops it.
            self._process = process = subprocess.Popen(  # noqa: ASYNC220 -- takes a millisecond
                [*COMMAND, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_connection(sock=ours)
        try:
            self._writer.write(encoded(self._task()))
            self._is_heard.set()
            while line := await reader.readline():
                self._take(progress(line))
        except ConnectionError:
            pass  # it died
        finally:
            self._is_heard.clear()
            self._writer.close()
            self._writer = None
            if sys.exc_info()[0] is not None:
                process.kill()
            await asyncio.get_running_loop().run_in_executor(None, process.wait)
            self._process = None

    def _take(self, news: Progress) -> None:
        if news.level:
            LOG.log(news.level, "%s", news.text)
        self._on_progress(news)


def _environment() -> dict[str, str]:
    """Return the environment for the applier, with the path that this package was found on."""
    parent = str(Path(gateway.__file__).resolve().parent.parent)
    paths = [parent, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
