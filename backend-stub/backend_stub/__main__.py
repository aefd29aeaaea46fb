"""Runs the service: `python -m backend_stub`."""

import sys

import uvicorn

from backend_stub.app import create_app
from backend_stub.logs import configure_logging
from backend_stub.settings import Settings, SettingsError


def main() -> None:
    """Serve until stopped; exit with 2 when the environment cannot be used."""
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        print(f"backend-stub cannot start:\n{error}", file=sys.stderr)
        sys.exit(2)
    configure_logging(settings)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,  # ours
        access_log=False,  # one line a request is enough: backend_stub.logs
        server_header=False,
        timeout_graceful_shutdown=20,  # seconds for running streams; below the compose grace period
    )


if __name__ == "__main__":
    main()
