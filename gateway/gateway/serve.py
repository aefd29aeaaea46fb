"""`gateway serve`: check, wait for the database, serve."""

from __future__ import annotations

import gc
import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from gateway.config.checked import checked_config
from gateway.config.models import build_models
from gateway.config.options import options_of
from gateway.config.problems import ConfigurationError, Problem
from gateway.database.connection import wait_for_database
from gateway.database.ledger import compare, read_rows, shipped_folder, shipped_migrations
from gateway.database.url import database_url
from gateway.evaluations import read_results, start_lines
from gateway.log import set_up_logging
from gateway.port_owner import is_taken, owner
from gateway.replicas.connections import check_connections

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from gateway.config.deployment import Models
    from gateway.config.options import Options
    from gateway.config.settings import Settings
    from gateway.http.asgi import App
    from gateway.processes.siblings import Sibling

LOG = logging.getLogger(__name__)

STARTUP_FAILURE = 3
"""uvicorn's exit code for a server that did not start."""


def serve() -> None:
    """Serve until told to stop.

    Raises:
        ConfigurationError: something is set wrong, or the database was not migrated.
        DatabaseUnavailableError: the database does not come up.
    """
    settings, effective = checked_config(os.environ)
    set_up_logging(as_json=settings.json_logs)
    for line in (
        *effective.notes,
        *start_lines(effective, read_results(settings.evaluation_results)),
    ):
        LOG.info(line)
    _check_metrics_port(settings)
    url = database_url(settings)
    if url is not None:
        _check_database(url, settings)
    models, options = build_models(effective, settings), options_of(effective)
    LOG.info("%s models: %s", len(models.names), ", ".join(models.names))
    if settings.gateway_processes == 1:
        _serve_one(settings, models, options)
        return
    import uvicorn  # noqa: F401, PLC0415 -- once, before the processes part

    import gateway.assembly  # noqa: F401, PLC0415 -- as above
    from gateway.processes.serve import serve_by_several  # noqa: PLC0415 -- not for a single one

    serve_by_several(
        settings, lambda sibling, sockets: _serve_one(settings, models, options, sibling, sockets)
    )


def _serve_one(
    settings: Settings,
    models: Models,
    options: Options,
    sibling: Sibling | None = None,
    sockets: Sequence[socket.socket] | None = None,
) -> None:
    """Serve in this process, alone or as one of several."""
    from gateway.assembly import Gateway  # noqa: PLC0415 -- what is wrong is said without it

    gateway = Gateway(settings, models, options, sibling)
    gc.enable()
    gc.freeze()  # what a start made stays; collecting it again and again would cost requests time
    _run(settings, gateway.app, sockets)


def _check_database(url: str, settings: Settings) -> None:
    """Wait for the database, and refuse one that lacks tables, columns or connections."""
    with wait_for_database(url, settings.db_wait) as connection:
        ledger = compare(shipped_migrations(shipped_folder()), read_rows(connection) or [])
        check_connections(connection, settings, url)
    if not ledger.is_current:
        raise ConfigurationError(
            [
                Problem(
                    "DATABASE_URL or DB_*",
                    f"the database lacks {len(ledger.pending)} migrations",
                    "run `gateway migrate` first",
                )
            ]
        )


def _check_metrics_port(settings: Settings) -> None:
    """Refuse a port that somebody else has; it is opened only seconds later."""
    first = settings.metrics_port
    if first is None:
        return
    several = settings.gateway_processes > 1  # then each has a port of its own behind the first
    for port in range(first, first + 1 + settings.gateway_processes * several):
        host = settings.host if port == first else "127.0.0.1"
        if port == settings.port or is_taken(host, port):
            who = "the gateway itself, as PORT" if port == settings.port else owner(port)
            found = f"{port} is taken by {who or 'a process of another user'}"
            advice = "take another one, or leave it unset for no metrics"
            raise ConfigurationError([Problem("METRICS_PORT", found, advice)])


def _run(settings: Settings, app: App, sockets: Sequence[socket.socket] | None) -> None:
    """Serve an application; on the sockets given, or else on HOST:PORT."""
    import uvicorn  # noqa: PLC0415 -- not before all is checked

    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        server_header=False,
        timeout_graceful_shutdown=round(settings.graceful_shutdown_timeout) or None,
        log_config=None,  # uvicorn's own lines go where all do
        log_level=settings.litellm_log.lower(),
        access_log=settings.litellm_log in ("DEBUG", "INFO"),
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(None if sockets is None else list(sockets))
    if not server.started:
        sys.exit(STARTUP_FAILURE)
