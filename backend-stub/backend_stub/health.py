"""The container's health check: `python -m backend_stub.health`, exit code 0 or 1 and one line.

Only the standard library, and nothing of the service is imported: it runs every few seconds.
"""

import os
import socket
import sys
import time

_LIMIT = 3
"""Seconds to wait for an answer, and for a service that starts to listen."""

_PAUSE = 0.05


def check(host: str, port: int, starting: float = 0) -> str | None:
    """Return None when GET /health answers 200 in time, otherwise what is wrong.

    While nothing listens it tries again for `starting` seconds: a service that starts is found
    healthy at once, by one process and not by one each second.
    """
    end = time.monotonic() + starting
    while True:
        try:
            line = _ask(host, port)
            break
        except OSError as error:
            if not isinstance(error, ConnectionRefusedError) or time.monotonic() > end:
                return f"no answer from {host}:{port}: {error or type(error).__name__}"
            time.sleep(_PAUSE)
    status = line.partition(b" ")[2][:3].decode("ascii", "replace")
    return None if status == "200" else f"GET /health answers {status or 'in another protocol'}"


def _ask(host: str, port: int) -> bytes:
    """Return the first line of the answer; http.client's import would be half of this command."""
    with socket.create_connection((host, port), _LIMIT) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
        with connection.makefile("rb") as answer:
            return answer.readline(200)


def main() -> None:
    """Print healthy or what is wrong, and exit accordingly."""
    problem = check("127.0.0.1", int(os.environ.get("PORT") or 8000), _LIMIT)
    print(f"unhealthy: {problem}" if problem else "healthy")
    sys.exit(1 if problem else 0)


if __name__ == "__main__":
    main()
