"""`gateway litellm`: what LiteLLM's container runs."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from gateway.proxy.backend import HOST
from gateway.proxy.front import Front
from gateway.proxy.supervisor import Mode, Options, Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """Where the supervisor listens, and how patient it is.

    Attributes:
        host: for the gateway.
        port: for the gateway.
        mode: LITELLM_PROXY.
        idle_seconds: LITELLM_IDLE_SECONDS.
        hold_seconds: how long a request waits for LiteLLM's start.
    """

    host: str
    port: int
    mode: Mode = Mode.ALWAYS
    idle_seconds: float = 900.0
    hold_seconds: float = 60.0


def run(
    listening: Listening,
    config: Mapping[str, Any],
    environment: Mapping[str, str],
    state_dir: Path,
) -> None:
    """Run LiteLLM until told to stop.

    Args:
        listening: where.
        config: LiteLLM's, from `configuration.render`.
        environment: LiteLLM's, from `configuration.environment`.
        state_dir: where its configuration file is written.
    """
    path = state_dir / "litellm" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
    path.chmod(0o600)  # a user's file may hold secrets
    port = _free_port()
    options = Options(
        command=command_line(port),
        environment={**environment, "CONFIG_FILE_PATH": str(path)},
        port=port,
        mode=listening.mode,
        idle_seconds=listening.idle_seconds,
    )
    asyncio.run(serve(listening, options))


def command_line(port: int) -> list[str]:
    """Return the command that serves LiteLLM; its configuration is in CONFIG_FILE_PATH."""
    return [sys.executable, "-m", "gateway.proxy.launcher", str(port)]


async def serve(listening: Listening, options: Options) -> None:
    """Listen for the gateway and look after LiteLLM, until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    supervisor = Supervisor(options)
    front = Front(supervisor, options.port, listening.hold_seconds)
    server = await front.serve(listening.host, listening.port)
    supervisor.start()
    LOG.info("LiteLLM runs %s; listening on port %d", options.mode.value, listening.port)
    try:
        await stopped.wait()
    finally:
        server.close()
        await supervisor.stop()


def _free_port() -> int:
    """Return a port of loopback that nobody has; this process takes no other meanwhile."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
