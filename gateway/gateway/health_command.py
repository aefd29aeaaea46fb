"""`gateway health`: asks /health of the gateway in this container. Standard library only.

It runs every ten seconds, so nothing here may cost more than starting Python does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

TYPE_CHECKING = False  # as typing's, without its import
if TYPE_CHECKING:
    from typing import Any

TIMEOUT = 4.0
"""Seconds; below the five that the compose file gives a check."""

PAUSE = 0.1
"""Seconds between two tries while nothing listens yet."""


def main() -> int:
    """Print the state in one line; return the exit code, 0 when healthy.

    While nothing listens it tries again, for TIMEOUT: a gateway that starts is found healthy at
    once, by one process and not by one each second.
    """
    body = _ask_until_it_listens("/health")
    if body is None:
        return 1
    reasons = body.get("reasons") or []
    print("; ".join([body.get("status", "unhealthy"), *reasons, *_degraded(body)]))
    return 0 if body.get("status") == "healthy" else 1


def litellm() -> int:
    """Print what LiteLLM's proxy does; return the exit code, 1 when it cannot be started.

    A health check that waited for LiteLLM would make everybody wait: its supervisor is well while
    it starts, and while nobody needs it.
    """
    body = _ask_until_it_listens("/_supervisor/health")
    if body is None:
        return 1
    state, why = body.get("state", "failed"), body.get("why")
    print(f"{state}: {why}" if why else state)
    return 1 if state == "failed" else 0


def _degraded(body: dict[str, Any]) -> list[str]:
    return [f"degraded: {text}" for text in body.get("degraded") or []]


def _ask_until_it_listens(path: str) -> dict[str, Any] | None:
    """Return the answer of this container's process; None, and say so, when there is none."""
    port = int(os.environ.get("PORT") or 4000)
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return _ask(port, path, max(deadline - time.monotonic(), PAUSE))
        except (OSError, ValueError) as error:
            starting = isinstance(error, ConnectionRefusedError)
            if not (starting and time.monotonic() + PAUSE < deadline):
                print(f"unhealthy: nothing answers on port {port}: {error}")
                return None
            time.sleep(PAUSE)


def _ask(port: int, path: str, seconds: float) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", port), seconds) as connection:
        # HTTP/1.0: the answer ends with the connection. http.client would be half of this command.
        connection.sendall(b"GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" % path.encode())
        with connection.makefile("rb") as answer:
            found: dict[str, Any] = json.loads(answer.read().partition(b"\r\n\r\n")[2])
    return found


if __name__ == "__main__":
    sys.exit(main())
