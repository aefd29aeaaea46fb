"""`gateway health`: asks /health of the gateway in this container. Standard library only.

It runs every ten seconds, so nothing here may cost more than starting Python does.
"""

from __future__ import annotations

import json
import os
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT = 4.0
"""Seconds; below the five that the compose file gives a check."""


def main() -> int:
    """Prints the state in one line; returns the exit code, 0 when healthy."""
    port = int(os.environ.get("PORT") or 4000)
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/health")
        body = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError) as error:
        print(f"unhealthy: nothing answers on port {port}: {error}")  # noqa: T201
        return 1
    finally:
        connection.close()
    reasons = body.get("reasons") or []
    print("; ".join([body.get("status", "unhealthy"), *reasons]))  # noqa: T201
    return 0 if body.get("status") == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main())
