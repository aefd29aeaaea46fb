"""`python -m model_server`, and the command `model-server`."""

import sys


def main() -> None:
    """Run the command given; the engine's health check without what the others need."""
    if sys.argv[1:] == ["health", "--wait"]:
        from model_server import health  # noqa: PLC0415 -- the quick way

        sys.exit(health.main(wait_first=True))
    from model_server.cli import app  # noqa: PLC0415 -- after the quick way

    app()


if __name__ == "__main__":
    main()
