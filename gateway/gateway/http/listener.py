"""A second listener of the same process, for an application that outsiders cannot reach."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from gateway.own_sockets import own_sockets

if TYPE_CHECKING:
    from collections.abc import Generator

    from gateway.http.asgi import App

LOG = logging.getLogger(__name__)


class Listener:
    """Serves a second application in the gateway's process.

    Args:
        app: the application.
        host: the host to listen on. If several gateways share the name, each listens only on the
            addresses that are its own.
        port: the port to listen on.
        is_shared: whether other processes of this gateway listen there, too.
    """

    def __init__(self, app: App, host: str, port: int, *, is_shared: bool = False) -> None:
        self._server = _ServerWithoutSignals(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                lifespan="off",
                # uvicorn's loggers are shared in a process: settings here would change serve.py's.
                log_config=None,
                log_level=None,
                server_header=False,
            )
        )
        self._host, self._port, self._is_shared = host, port, is_shared
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; if none of the addresses is this machine's, log that and do not listen.

        Raises:
            OSError: the port is taken.
        """
        sockets = await own_sockets(self._host, self._port, is_shared=self._is_shared)
        if not sockets:
            LOG.warning(
                "%s is no address of this machine: LiteLLM's proxy asks another gateway", self._host
            )
            return
        self._task = asyncio.ensure_future(self._server.serve(sockets=sockets))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError("the internal endpoint cannot listen")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Let open requests end, and stop listening."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _ServerWithoutSignals(uvicorn.Server):
    """A server that leaves the process's signals to the gateway's own server."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture no signals."""
        yield
