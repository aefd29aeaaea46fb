"""`python -m gateway`, and the command `gateway`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command given; those that a start waits for without what the others need."""
    arguments = sys.argv[1:]
    name = arguments[0] if len(arguments) == 1 else ""
    if name in ("health", "litellm-health"):
        from gateway import health_command  # noqa: PLC0415 -- the quickest way

        sys.exit(health_command.main() if name == "health" else health_command.litellm())
    from gateway.commands import WITHOUT_OPTIONS, run  # noqa: PLC0415 -- after the quickest way

    if name in WITHOUT_OPTIONS:
        run(WITHOUT_OPTIONS[name])
    else:
        from gateway.cli import app  # noqa: PLC0415 -- the slow way

        run(app)


if __name__ == "__main__":
    main()
