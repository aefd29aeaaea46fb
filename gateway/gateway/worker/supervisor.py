"""Starts the worker process where a deployment needs it, and keeps it running."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

import gateway
from gateway.config.deployment import Protocol
from gateway.proxy.configuration import NO_CALLS_HOME
from gateway.worker.provider import WorkerProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from gateway.config.deployment import Models
    from gateway.config.settings import Settings

LOG = logging.getLogger(__name__)

MAX_SOCKET = 100
"""Characters: Linux takes 107, macOS 103 (sun_path)."""

FIRST_PAUSE, MAX_PAUSE = 0.5, 30.0
"""Seconds before a worker that died is started again; doubled each time."""

WELL = 60.0
"""Seconds of service after which the pause is the first one again."""

END_WAIT = 10.0
"""Seconds that a worker has to finish what it does after SIGTERM."""

NOT_FOR_THE_WORKER = (
    *("LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "BACKEND_VIRTUAL_KEY", "DATABASE_URL"),
    *("GATEWAY_DB_PASSWORD", "DB_PASSWORD", "POSTGRES_PASSWORD", "UI_PASSWORD"),
    "OTEL_EXPORTER_OTLP_HEADERS",
)
"""Secrets of the gateway's, with their _FILE forms."""


class Worker:
    """The worker process.

    Args:
        models: only where one of them has protocol WORKER is a process started.
        settings: of the gateway.
        start_wait: seconds that a request waits for a worker which is starting.

    Attributes:
        provider: asks deployments through it.
        socket: the path that it listens at.
        state: `unneeded`, `starting`, `ready`, `restarting` or `stopped`.
    """

    def __init__(self, models: Models, settings: Settings, *, start_wait: float = 30.0) -> None:
        self._reasons = tuple(
            f"{each.alias}: {each.full_model}"
            for each in models.deployments
            if each.protocol is Protocol.WORKER
        )
        self._parent = settings.gateway_state_dir
        self._folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.socket = ""
        self.state = "starting" if self._reasons else "unneeded"
        self.provider = WorkerProvider(self, start_wait)

    @property
    def is_needed(self) -> bool:
        """Whether any deployment is asked through it."""
        return bool(self._reasons)

    @property
    def pid(self) -> int | None:
        """The process that runs now; None while there is none."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    @property
    def memory(self) -> int | None:
        """Bytes of memory that it uses; None while none runs, and where the system does not say."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        except OSError:
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def reasons(self) -> tuple[str, ...]:
        """Return which deployments need it, `alias: model` each."""
        return self._reasons

    def start(self) -> None:
        """Start it in the background, if it is needed; to be called once, on the event loop."""
        if not self.is_needed:
            return
        self._folder = _private_folder(self._parent)
        self.socket = str(self._folder / "worker.sock")
        self._task = asyncio.get_running_loop().create_task(self._keep_running())

    async def close(self) -> None:
        """End it: it may finish within END_WAIT what it does."""
        await self.provider.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._ready.clear()
        self.state = "stopped" if self.is_needed else "unneeded"
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def wait_ready(self, seconds: float) -> bool:
        """Return whether it serves, now or within `seconds`."""
        if self._ready.is_set():
            return True
        if self._task is None or self._task.done():
            return False
        try:
            await asyncio.wait_for(self._ready.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    async def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                last_words = await self._run()
            except OSError as error:  # no memory, no file handle
                last_words = str(error)
            if time.monotonic() - began > WELL:
                pause = FIRST_PAUSE
            LOG.error("the worker ended%s; starting it again in %g s", last_words, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    async def _run(self) -> str:
        """Run one process to its end; return why it ended, for the log."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)  # noqa: PTH108 -- asyncio's rule against pathlib; it is instant
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.worker.server", self.socket),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(os.environ),
            cwd=self._folder,
            start_new_session=True,  # a terminal's Ctrl-C is the gateway's to handle
        )
        self._process = process
        errors = asyncio.ensure_future(self._last_error(process.stderr))
        try:
            await self._listen(process)
            code = await process.wait()
            was_ready = self._ready.is_set()
            self._ready.clear()
            self.state = "restarting"
            last = await errors
        finally:
            self._ready.clear()
            errors.cancel()
            await _end(process)
        # Once it has served, what it wrote may quote a prompt.
        return f" ({code})" if was_ready else f" ({code}) before it served: {last}"

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Pass on what it says, until its end."""
        began = time.monotonic()
        async for line in _lines(process.stdout):
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if event.get("ready"):
                self.state = "ready"
                self._ready.set()
                LOG.info("the worker is ready after %.1f s", time.monotonic() - began)
            else:
                level = logging.getLevelName(str(event.get("level")))
                LOG.log(level if isinstance(level, int) else logging.INFO, event.get("message"))

    async def _last_error(self, stream: asyncio.StreamReader | None) -> str:
        last = ""
        async for line in _lines(stream):
            if not self._ready.is_set():
                last = line.decode("utf-8", "replace").strip()[:500] or last
        return last


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    """Yield the lines of a stream; of one that is too long nothing."""
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process by SIGTERM, and by SIGKILL when it does not."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), END_WAIT)
    except asyncio.TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _private_folder(parent: Path) -> Path:
    """Return a new folder that nobody else can look into, with a path short enough for a socket."""
    parent.mkdir(parents=True, exist_ok=True)
    is_short = len(str(parent)) + len("/worker-12345678/worker.sock") <= MAX_SOCKET
    return Path(tempfile.mkdtemp(prefix="worker-", dir=parent if is_short else None))


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the worker's environment: a provider's secrets, none of the gateway's."""
    secret = {*NOT_FOR_THE_WORKER, *(f"{name}_FILE" for name in NOT_FOR_THE_WORKER)}
    kept = {name: value for name, value in variables.items() if value and name not in secret}
    package = str(Path(gateway.__file__).parents[1])
    paths = [package, *filter(None, [kept.get("PYTHONPATH")])]
    return {
        **kept,
        **NO_CALLS_HOME,
        "LITELLM_MODE": "PRODUCTION",  # reads no .env by itself
        "LITELLM_LOG": "CRITICAL",  # its words may be a prompt's
        "PYTHONPATH": os.pathsep.join(paths),
    }
