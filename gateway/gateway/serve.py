"""`gateway serve`: check, wait for the database, serve."""

from __future__ import annotations

import gc
import logging
import os
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
    from gateway.config.settings import Settings
    from gateway.http.asgi import App

LOG = logging.getLogger(__name__)


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
    models = build_models(effective, settings)
    from gateway.assembly import Gateway  # noqa: PLC0415 -- what is wrong is said without it

    gateway = Gateway(settings, models, options_of(effective))
    gc.enable()
    gc.freeze()  # what a start made stays; collecting it again and again would cost requests time
    LOG.info("%s models: %s", len(models.names), ", ".join(models.names))
    _run(settings, gateway.app)


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
    port = settings.metrics_port
    if port is not None and (port == settings.port or is_taken(settings.host, port)):
        who = "the gateway itself, as PORT" if port == settings.port else owner(port)
        found = f"{port} is taken by {who or 'a process of another user'}"
        raise ConfigurationError(
            [Problem("METRICS_PORT", found, "take another one, or leave it unset for no metrics")]
        )


def _run(settings: Settings, app: App) -> None:
    import uvicorn  # noqa: PLC0415 -- not before all is checked

    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        server_header=False,
        timeout_graceful_shutdown=round(settings.graceful_shutdown_timeout) or None,
        log_config=None,  # uvicorn's own lines go where all do
        log_level=settings.litellm_log.lower(),
        access_log=settings.litellm_log in ("DEBUG", "INFO"),
    )
