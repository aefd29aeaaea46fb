"""`gateway serve`: check, render, wait for the database, import LiteLLM, serve."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from gateway.config.checked import checked_config, write_config
from gateway.config.problems import ConfigurationError, Problem
from gateway.connect_timeout import bound_connecting
from gateway.database.connection import wait_for_database
from gateway.database.ledger import compare, read_rows, shipped_folder, shipped_migrations
from gateway.database.url import database_url
from gateway.database_policy import add_database_policy, keep_members_known
from gateway.golden_results import read_results, start_lines
from gateway.journal.spend_journal import SpendJournal
from gateway.litellm_environment import add_quiet_settings, litellm_environment
from gateway.litellm_proxy import LiteLLMProxy
from gateway.log import Log, PrintedLines
from gateway.parts import Parts
from gateway.port_owner import is_taken, owner

if TYPE_CHECKING:
    from gateway.config.settings import Settings
    from gateway.front import App


def serve() -> None:
    """Serves until it is told to stop.

    Raises:
        ConfigurationError: something is set wrong, or the database was not migrated.
        DatabaseUnavailableError: the database does not come up.
    """
    settings, effective = checked_config(os.environ)
    say = Log(as_json=settings.json_logs)
    for note in effective.notes:
        say(note)
    for line in start_lines(effective, read_results(settings.golden_results)):
        say(line)
    _check_metrics_port(settings)
    url = database_url(settings)
    if url is not None:
        _check_database(url, settings, say)
    add_quiet_settings(effective.config)
    add_database_policy(effective.config, settings)
    path = write_config(settings, effective)
    _drop_empty_variables()
    os.environ.update(litellm_environment(settings, effective, path, url))
    say(f"starting LiteLLM with {len(effective.aliases)} models: {', '.join(effective.aliases)}")
    if settings.json_logs:
        sys.stdout = PrintedLines(sys.stdout, say)
    journal = _journal(url, settings, say) if url is not None else None
    proxy = LiteLLMProxy(effective.model_ids())
    keep_members_known(effective.config)
    if journal is not None:
        journal.recover(settings.db_wait)
        journal.install()
    bound_connecting(settings.connect_timeout)
    _run(settings, proxy, Parts(settings, effective, proxy, say, journal).app())


def _journal(url: str, settings: Settings, say: Log) -> SpendJournal:
    """Opens the spend journal, or ends with what is wrong with its folder."""
    return SpendJournal(
        settings.journal_root, settings.journal_max_mb, url, say, sync=settings.journal_sync
    )


def _drop_empty_variables() -> None:
    """Compose passes on what is unset as empty; LiteLLM would parse some of it as numbers."""
    for name in [name for name, value in os.environ.items() if not value]:
        del os.environ[name]


def _check_database(url: str, settings: Settings, say: Log) -> None:
    """Waits for the database, and refuses one whose tables LiteLLM would stumble over later."""
    with wait_for_database(url, settings.db_wait, say) as connection:
        ledger = compare(shipped_migrations(shipped_folder()), read_rows(connection) or [])
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
    """Refuses a port that somebody else has; it is opened only seconds later."""
    port = settings.metrics_port
    if port is not None and (port == settings.port or is_taken(settings.host, port)):
        who = "the gateway itself, as PORT" if port == settings.port else owner(port)
        found = f"{port} is taken by {who or 'a process of another user'}"
        raise ConfigurationError(
            [Problem("METRICS_PORT", found, "take another one, or leave it unset for no metrics")]
        )


def _run(settings: Settings, proxy: LiteLLMProxy, app: App) -> None:
    import uvicorn  # noqa: PLC0415 -- after LiteLLM, whose import is not slowed by the collector

    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        server_header=False,
        timeout_graceful_shutdown=round(settings.graceful_shutdown_timeout) or None,
        **_log_options(settings, proxy),
    )


def _log_options(settings: Settings, proxy: LiteLLMProxy) -> dict[str, Any]:
    options: dict[str, Any] = {
        "log_level": settings.litellm_log.lower(),
        "access_log": settings.litellm_log in ("DEBUG", "INFO"),
    }
    if settings.json_logs:
        options["log_config"] = proxy.json_log_config()
    return options
