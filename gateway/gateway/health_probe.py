"""`gateway health`: asks /health of the gateway in this container. Standard library only.

It runs every ten seconds, so nothing here may cost more than starting Python does.
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.client import HTTPConnection, HTTPException
from typing import Any

TIMEOUT = 4.0
"""Seconds; below the five that the compose file gives a check."""

PAUSE = 0.1
"""Seconds between two tries while nothing listens yet."""


def main() -> int:
    """Prints the state in one line; returns the exit code, 0 when healthy.

    While nothing listens it tries again, for TIMEOUT: a gateway that starts is found healthy at
    once, by one process and not by one each second.
    """
    port = int(os.environ.get("PORT") or 4000)
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            body = _ask(port, max(deadline - time.monotonic(), PAUSE))
            break
        except (OSError, HTTPException, ValueError) as error:
            starting = isinstance(error, ConnectionRefusedError)
            if not (starting and time.monotonic() + PAUSE < deadline):
                print(f"unhealthy: nothing answers on port {port}: {error}")  # noqa: T201
                return 1
            time.sleep(PAUSE)
    reasons = body.get("reasons") or []
    print("; ".join([body.get("status", "unhealthy"), *reasons]))  # noqa: T201
    return 0 if body.get("status") == "healthy" else 1


def _ask(port: int, seconds: float) -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", "/health")
        body: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return body


if __name__ == "__main__":
    sys.exit(main())
