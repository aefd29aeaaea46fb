"""What the container engine knows of containers, asked over its API.

A docker command takes 50 ms of a core, an answer over the socket 2 ms; who waits asks often.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from typing import Any
from urllib.parse import quote, urlencode

SECONDS = 60


class _Connection(http.client.HTTPConnection):
    """HTTP to the engine's socket."""

    def __init__(self) -> None:
        super().__init__("engine", timeout=SECONDS)

    def connect(self) -> None:
        """Connect to where docker's own commands do."""
        address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(address.removeprefix("unix://"))


def ask(path: str, **parameters: str) -> Any:  # JSON
    """Return what the engine answers to a GET.

    Raises:
        AssertionError: it does not answer with 200; holds what it says.
    """
    connection = _Connection()
    try:
        connection.request("GET", f"{path}?{urlencode(parameters)}")
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    assert answer.status == http.client.OK, text.decode()
    return json.loads(text)


def containers(project: str) -> dict[str, str]:
    """Return the id of each service's container of a compose project, running or not."""
    label = "com.docker.compose"
    labels = [f"{label}.project={project}", f"{label}.oneoff=False"]
    found = ask("/containers/json", all="true", filters=json.dumps({"label": labels}))
    return {each["Labels"][f"{label}.service"]: each["Id"] for each in found}


def inspect(container: str) -> dict[str, Any]:
    """Return all that the engine knows of a container, by its name or id."""
    inspected: dict[str, Any] = ask(f"/containers/{quote(container)}/json")
    return inspected
