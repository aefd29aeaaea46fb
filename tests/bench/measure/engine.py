"""The container engine's own counters, by its API: `docker stats` would take two seconds a look."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS = 60
ATTEMPTS, PAUSE_SECONDS = 20, 0.3
NANOSECONDS = 1e9
MEGABYTE = 1e6


@dataclass(frozen=True)
class Counters:
    """One container's counters.

    Attributes:
        cpu_seconds: processor time since its start, of all its processes.
        memory_mb: what it holds in memory, without files that the kernel could drop.
    """

    cpu_seconds: float
    memory_mb: float


def read(containers: Mapping[str, str]) -> dict[str, Counters]:
    """Return the counters of each service, given its container."""
    with ThreadPoolExecutor(len(containers) or 1) as pool:
        return dict(zip(containers, pool.map(_read_one, containers.values()), strict=True))


def pause(containers: Iterable[str]) -> None:
    """Stop the clock of containers: they keep their memory and take no processor time."""
    for container in containers:
        _insist(f"/containers/{container}/pause")


def resume(containers: Iterable[str]) -> None:
    """Let paused containers go on."""
    for container in containers:
        _insist(f"/containers/{container}/unpause")


def _insist(path: str) -> None:
    """Ask until it is done: a container that is starting processes sometimes cannot be frozen."""
    for left in reversed(range(ATTEMPTS)):
        try:
            _ask("POST", path)
        except RuntimeError as error:
            if "already paused" in str(error) or "is not paused" in str(error):
                return
            if left == 0:
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _read_one(container: str) -> Counters:
    stats = _ask("GET", f"/containers/{container}/stats?stream=false&one-shot=true")
    memory = stats["memory_stats"]
    # As `docker stats` counts: version 1 of control groups says total_inactive_file, version 2
    # inactive_file. https://docs.docker.com/reference/cli/docker/container/stats/
    details = memory.get("stats", {})
    droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
    return Counters(
        stats["cpu_stats"]["cpu_usage"]["total_usage"] / NANOSECONDS,
        (memory.get("usage", 0) - droppable) / MEGABYTE,
    )


class _Connection(http.client.HTTPConnection):
    """HTTP to the engine's socket."""

    def connect(self) -> None:
        """Open the socket."""
        path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(path)


def _ask(method: str, path: str) -> Any:
    connection = _Connection("engine")
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"the container engine says {answer.status} to {path}: {text.decode()}")
    return json.loads(text) if text else None
