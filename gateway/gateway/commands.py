"""The commands that containers start with, and how an error ends any command.

There is no command-line parser: its import would cost as much processor time as all of `secrets`.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

from gateway.config.problems import EXIT_CONFIGURATION, ConfigurationError
from gateway.log import set_up_logging

if TYPE_CHECKING:
    from collections.abc import Callable


def secrets() -> None:
    """Make every key and password exist, each in the volume of its readers."""
    from gateway.secret_store import ensure_secrets

    for line in ensure_secrets(os.environ):
        sys.stdout.write(f"{line}\n")


def migrate(*, retry: bool = False) -> None:
    """Bring the database to LiteLLM's schema; does nothing when it is there."""
    from gateway.config.settings import load_settings
    from gateway.database.migrate import migrate as run_migrate

    settings = load_settings()
    set_up_logging(as_json=settings.json_logs)
    run_migrate(settings, retry=retry)


def serve() -> None:
    """Serve the OpenAI-compatible API on HOST:PORT."""
    gc.disable()  # nothing of what a start makes is garbage; `serve` has it on again
    from gateway.serve import serve as run_serve

    run_serve()


def litellm(*, until_eof: bool = False) -> None:
    """Run LiteLLM's own proxy for the gateway, on HOST:PORT."""
    from gateway.config.settings import load_settings
    from gateway.proxy.command import run as run_litellm

    settings = load_settings()
    set_up_logging(as_json=settings.json_logs, component="litellm")
    run_litellm(settings, until_eof=until_eof)


LOG = logging.getLogger(__name__)

WITHOUT_OPTIONS: dict[str, Callable[[], None]] = {
    "secrets": secrets,
    "migrate": migrate,
    "serve": serve,
    "litellm": litellm,
}


def run(command: Callable[[], object]) -> None:
    """Run a command; print an expected error as lines, not as a traceback."""
    try:
        command()
    except ConfigurationError as error:
        _fail(error, EXIT_CONFIGURATION)
    except Exception as error:
        if not _is_expected(error):
            raise
        _fail(error, 1)


def _is_expected(error: Exception) -> bool:
    """Return whether an error already says what happened and what to do.

    Looked up by its module: importing the classes would make every command pay for psycopg.
    """
    name = type(error).__name__
    return type(error).__module__.startswith("gateway.") and name.endswith("Error")


def _fail(error: Exception, code: int) -> None:
    set_up_logging(as_json=(os.environ.get("JSON_LOGS") or "").lower() == "true")
    LOG.error("%s", error)
    sys.exit(code)
