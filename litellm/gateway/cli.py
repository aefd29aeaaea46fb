"""The command line: one function a command, and how errors end it.

Each command imports what it needs by itself, so that the light ones stay light.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gateway.keys.commands import app as key_app
from gateway.log import Log
from gateway.problems import EXIT_CONFIGURATION, ConfigurationError

app = typer.Typer(
    name="gateway",
    help="LiteLLM's proxy with checked settings, safe migrations and a truthful health check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(key_app)


@app.command()
def secrets() -> None:
    """Make every key and password exist, each in the volume of its readers."""
    from gateway.secret_store import ensure_secrets  # noqa: PLC0415

    for line in ensure_secrets(os.environ):
        typer.echo(line)


@app.command()
def migrate(
    *,
    retry: Annotated[bool, typer.Option(help="Try failed migrations again.")] = False,
) -> None:
    """Bring the database to LiteLLM's schema; does nothing when it is there."""
    from gateway.migrate import migrate as run_migrate  # noqa: PLC0415
    from gateway.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    run_migrate(settings, Log(as_json=settings.json_logs), retry=retry)


@app.command()
def serve() -> None:
    """Serve the OpenAI-compatible API on HOST:PORT."""
    from gateway.serve import serve as run_serve  # noqa: PLC0415

    run_serve()


@app.command()
def check() -> None:
    """Check settings and litellm_config.yaml without starting anything."""
    from gateway.check_report import summary  # noqa: PLC0415
    from gateway.start_config import checked_config  # noqa: PLC0415

    settings, effective = checked_config(os.environ)
    typer.echo(summary(settings, effective))


@app.command()
def health() -> None:
    """Ask the gateway in this container whether it is healthy; exit code 0 or 1."""
    from gateway import health_probe  # noqa: PLC0415

    raise typer.Exit(health_probe.main())


@app.command()
def spend(
    *,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How many days, today included.")] = 30,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Show what the requests cost, by day, model and key."""
    from gateway.settings import load_settings  # noqa: PLC0415
    from gateway.spend_report import as_json, load_rows, print_table  # noqa: PLC0415

    rows = load_rows(load_settings(), days)
    if json:
        typer.echo(as_json(rows))
    else:
        print_table(rows, days)


def run() -> None:
    """Runs the command line; an expected error is told in lines, not in a traceback."""
    try:
        app()
    except ConfigurationError as error:
        _fail(error, EXIT_CONFIGURATION)
    except Exception as error:
        if not _is_expected(error):
            raise
        _fail(error, 1)


def _is_expected(error: Exception) -> bool:
    """Whether an error already says what happened and what to do.

    Looked up by its module: importing the classes would make every command pay for psycopg.
    """
    name = type(error).__name__
    return type(error).__module__.startswith("gateway.") and name.endswith("Error")


def _fail(error: Exception, code: int) -> None:
    as_json = (os.environ.get("JSON_LOGS") or "").lower() == "true"
    Log(as_json=as_json)(str(error), "ERROR")
    sys.exit(code)
