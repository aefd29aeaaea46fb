"""`python -m gateway`, and the command `gateway`."""

from __future__ import annotations

import sys


def main() -> None:
    """Runs the command given; the health check without what the others need."""
    if sys.argv[1:] in (["health"], ["litellm-health"]):
        from gateway import health_probe  # noqa: PLC0415 -- the quick way

        sys.exit(health_probe.main() if sys.argv[1] == "health" else health_probe.litellm())
    from gateway.cli import run  # noqa: PLC0415 -- after the quick way

    run()


if __name__ == "__main__":
    main()
