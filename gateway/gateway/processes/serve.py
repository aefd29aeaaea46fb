"""Serve with several processes that share one port."""

from __future__ import annotations

import gc
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.problems import ConfigurationError, Problem
from gateway.own_sockets import shared_sockets
from gateway.port_owner import is_taken, owner
from gateway.processes.siblings import Beats, Sibling
from gateway.processes.supervisor import Supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from gateway.config.settings import Settings

    ServeOne = Callable[[Sibling, Sequence[socket.socket]], None]


def serve_by_several(settings: Settings, serve_one: ServeOne) -> None:
    """Serve until told to stop.

    Args:
        settings: the settings of the gateway.
        serve_one: serves as one process, on the sockets given.

    Raises:
        ConfigurationError: this system cannot share a port, or the port is taken.
    """
    count = settings.gateway_processes
    check_port(settings)
    with tempfile.TemporaryDirectory(prefix="gateway-processes-") as folder:
        beats = Beats(Path(folder), count)

        def job(number: int) -> Callable[[], None]:
            # Each process binds a socket of its own. The kernel gives it its part of the
            # connections once it listens, and gives them to the others as soon as it is dead.
            return lambda: serve_one(
                Sibling(beats, number), shared_sockets(settings.host, settings.port)
            )

        jobs = [job(number) for number in range(1, count + 1)]
        if settings.metrics_port is not None:
            jobs.append(lambda: _serve_metrics(settings, beats))
        gc.freeze()  # the processes share the memory of what no collection touches
        code = Supervisor(jobs, beats).run()
    if code:
        sys.exit(code)


def check_port(settings: Settings) -> None:
    """Refuse a port that somebody else has, which a shared socket would not notice.

    Raises:
        ConfigurationError: the port is taken, or connections cannot be spread here.
    """
    if not sys.platform.startswith("linux"):
        found = f"{settings.gateway_processes} processes cannot share a port on {sys.platform}"
        advice = "leave it unset here; only Linux spreads connections over processes"
        raise ConfigurationError([Problem("GATEWAY_PROCESSES", found, advice)])
    if is_taken(settings.host, settings.port):
        who = owner(settings.port) or "a process of another user"
        advice = "stop that, or take another port"
        raise ConfigurationError([Problem("PORT", f"{settings.port} is taken by {who}", advice)])


def _serve_metrics(settings: Settings, beats: Beats) -> None:
    """Serve the sum of all processes' metrics until told to stop."""
    from gateway.metrics.summed import own_port, serve_sum  # noqa: PLC0415 -- only when wanted

    if settings.metrics_port is None:
        raise AssertionError
    ports = [own_port(settings.metrics_port, number) for number in range(1, beats.count + 1)]
    serve_sum(settings.host, settings.metrics_port, ports)
    beats.write(beats.count + 1)
    signal.pause()
