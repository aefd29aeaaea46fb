"""Run LiteLLM's proxy: next to the gateway at low priority, or only while something needs it.

What is started is LiteLLM's unmodified application, on loopback (`launcher.py`). The supervisor
listens for the gateway in front of it and joins the two connections byte by byte, so that it costs
a few MB, knows what is going on, and is LiteLLM's one trusted proxy (`trusted_proxy_ranges`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from gateway.proxy.backend import is_alive
from gateway.proxy.lines import JsonLines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

LOG = logging.getLogger(__name__)

POLL = 0.25
"""Seconds between two health checks while LiteLLM starts."""

NICENESS = 10
MIN_WAIT, MAX_WAIT = 1.0, 60.0
"""Seconds before it is started again; doubled each time it dies without having been ready."""


class Mode(str, Enum):
    """When LiteLLM runs: LITELLM_PROXY."""

    ALWAYS = "always"
    ON_DEMAND = "on-demand"


class State(str, Enum):
    """What LiteLLM does."""

    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Options:
    """How LiteLLM is run.

    Attributes:
        prepare: writes LiteLLM's configuration; awaited before each start.
        command: LiteLLM's, with its arguments.
        environment: all of its variables.
        port: of loopback, where it will listen.
        mode: when it runs.
        idle_seconds: without a byte, until it is stopped; on demand only.
        start_seconds: for its start, before it is ended and started again.
        stop_seconds: for its end, before it is killed.
        json_logs: whether each line that it writes becomes an event of JSON.
    """

    prepare: Callable[[], Awaitable[None]]
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    port: int
    mode: Mode = Mode.ALWAYS
    idle_seconds: float = 900.0
    start_seconds: float = 300.0
    stop_seconds: float = 30.0
    json_logs: bool = False


class Supervisor:
    """Starts LiteLLM, looks after it and stops it.

    Attributes:
        state: what LiteLLM does.
        why: for people, why it is in that state; "" when there is nothing to say.
        changed_at: when the state changed, in seconds since the epoch.
    """

    def __init__(self, options: Options) -> None:
        self.state = State.IDLE
        self.why = ""
        self.changed_at = time.time()
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._lines: JsonLines | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()
        self._used_at = time.monotonic()

    def start(self) -> None:
        """Begin; LiteLLM itself only if it is to run always."""
        if self._options.mode is Mode.ALWAYS:
            self._wanted.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop LiteLLM, and do not start it again."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._end_process()

    def touch(self) -> None:
        """Say that LiteLLM is in use."""
        self._used_at = time.monotonic()

    async def ensure(self, seconds: float) -> bool:
        """Start LiteLLM if it does not run; return whether it is ready within these seconds."""
        self.touch()
        self._wanted.set()
        if self._ready.is_set():
            return True
        try:
            await asyncio.wait_for(self._ready.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        wait = MIN_WAIT
        while True:
            await self._wanted.wait()
            was_ready = await self._run_once()
            if not self._wanted.is_set():  # stopped because nobody used it
                continue
            wait = MIN_WAIT if was_ready else min(wait * 2, MAX_WAIT)
            LOG.warning("LiteLLM %s; starting it again in %g s", self.why, wait)
            await asyncio.sleep(wait)

    async def _run_once(self) -> bool:
        """Start LiteLLM and stay until it ended; return whether it was ready."""
        self._set(State.STARTING)
        try:
            await self._options.prepare()
            await self._spawn()
        except OSError as error:
            self._set(State.FAILED, f"cannot be started: {error.strerror or error}")
            return False
        died = asyncio.create_task(self._wait())
        try:
            ready = await self._until_ready(died)
            if ready:
                await self._until_idle(died)
        finally:
            died.cancel()
            self._ready.clear()
            await self._end_process()
        return ready

    async def _until_ready(self, died: asyncio.Task[int]) -> bool:
        began = time.monotonic()
        while time.monotonic() - began < self._options.start_seconds:
            if died.done():
                self._set(State.FAILED, f"ended while it started, with status {died.result()}")
                return False
            if await is_alive(self._options.port):
                self._set(State.READY)
                self._ready.set()
                self.touch()
                LOG.info("LiteLLM is ready after %.1f s", time.monotonic() - began)
                return True
            await asyncio.sleep(POLL)
        self._set(State.FAILED, f"was not ready within {self._options.start_seconds:g} s")
        return False

    async def _until_idle(self, died: asyncio.Task[int]) -> None:
        """Return when LiteLLM died, or was not used for long."""
        while True:
            left: float | None = None
            if self._options.mode is Mode.ON_DEMAND:
                left = self._used_at + self._options.idle_seconds - time.monotonic()
                if left <= 0:
                    self._wanted.clear()
                    self._set(State.IDLE, "nobody needs it")
                    LOG.info(
                        "LiteLLM was not used for %g s: stopping it", self._options.idle_seconds
                    )
                    return
            await asyncio.wait({died}, timeout=left)
            if died.done():
                self._set(State.FAILED, f"ended with status {died.result()}")
                return

    async def _spawn(self) -> None:
        self._lines = JsonLines() if self._options.json_logs else None
        output = None if self._lines is None else self._lines.descriptor
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._options.command,
                env=dict(self._options.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # its Prisma engine ends with it
            )
        finally:
            if self._lines is not None:
                await self._lines.start()
        if self._options.mode is Mode.ON_DEMAND:  # somebody waits for it
            return
        with contextlib.suppress(OSError):  # the gateway's requests come first
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)

    async def _wait(self) -> int:
        return await self._process.wait() if self._process is not None else 0

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()  # it alone: while it ends it writes to the database, by its engine
        try:
            await asyncio.wait_for(process.wait(), self._options.stop_seconds)
        except asyncio.TimeoutError:
            LOG.warning("LiteLLM did not end within %g s: killing it", self._options.stop_seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started, too
        await process.wait()
        if self._lines is not None:
            await self._lines.ended()

    def _set(self, state: State, why: str = "") -> None:
        self.state, self.why, self.changed_at = state, why, time.time()
