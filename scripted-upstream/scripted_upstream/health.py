"""The container's health check: `python -m scripted_upstream.health`, exit code 0 or 1, one line.

Only the standard library, and nothing of the service is imported: it runs every few seconds.
"""

import os
import sys
from http.client import HTTPConnection, HTTPException

_LIMIT = 3
"""Seconds to wait for an answer."""


def check(host: str, port: int) -> str | None:
    """Return None when GET /_control/health answers 200 in time, otherwise what is wrong."""
    connection = HTTPConnection(host, port, timeout=_LIMIT)
    try:
        connection.request("GET", "/_control/health")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no answer from {host}:{port}: {error or type(error).__name__}"
    finally:
        connection.close()
    return None if status == 200 else f"GET /_control/health answers {status}"  # noqa: PLR2004 -- HTTP


def main() -> None:
    """Print healthy or what is wrong, and exit accordingly."""
    problem = check("127.0.0.1", int(os.environ.get("PORT") or 9000))
    print(f"unhealthy: {problem}" if problem else "healthy")
    sys.exit(1 if problem else 0)


if __name__ == "__main__":
    main()
