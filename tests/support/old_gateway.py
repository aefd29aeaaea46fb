#!/opt/venv/bin/python
"""Stands where the gateway of a year ago was: its real migrations, and a /health that is well.

Runs inside the image that `support.year_old` makes, under the name `gateway`.
"""

from __future__ import annotations

import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

PORT = 4000


class Healthy(BaseHTTPRequestHandler):
    """Answers 200 to everything."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()


def deploy() -> int:
    """Let Prisma's own command line apply the migrations, as LiteLLM did; return its exit code."""
    from gateway.config.settings import load_settings
    from gateway.database.ledger import shipped_folder
    from gateway.database.prisma_cli import PrismaCli
    from gateway.database.url import database_url

    settings = load_settings()
    prisma = PrismaCli(settings, str(database_url(settings)), shipped_folder() / "schema.prisma")
    outcome = prisma.deploy(lambda: None)
    sys.stderr.write(outcome.output + outcome.errors)
    return outcome.exit_code


def main() -> None:
    """Run what the compose file asks for."""
    match sys.argv[1:]:
        case ["serve"]:
            HTTPServer(("", PORT), Healthy).serve_forever()
        case ["health"]:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health")
        case ["migrate"]:
            sys.exit(deploy())
        case ["litellm" | "litellm-health"]:
            sys.exit(2)  # 0.1 had no such command
        case _:
            from gateway.__main__ import main as real

            real()


if __name__ == "__main__":
    main()
