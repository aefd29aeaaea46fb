"""`gateway serve`: check, render, wait for the database, import LiteLLM, serve."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from gateway.admin_page import AdminPage, reason_off
from gateway.backend_key import PART, BackendKey, keep_trying
from gateway.connect_timeout import bound_connecting
from gateway.database import wait_for_database
from gateway.database_policy import add_database_policy, keep_members_known
from gateway.database_url import database_url
from gateway.deployment_page import DeploymentPage
from gateway.failover import FailoverSettings, install
from gateway.front import Front
from gateway.golden_results import read_results, start_lines
from gateway.health import Health
from gateway.journal.spend_journal import SpendJournal
from gateway.litellm_environment import add_quiet_settings, litellm_environment
from gateway.litellm_proxy import LiteLLMProxy
from gateway.log import Log, PrintedLines
from gateway.loopback_guard import LoopbackGuard
from gateway.migration_ledger import compare, read_rows, shipped_folder, shipped_migrations
from gateway.port_owner import is_taken, owner
from gateway.problems import ConfigurationError, Problem
from gateway.request_ids import RequestIds
from gateway.start_config import checked_config, write_config
from gateway.traces.settings import trace_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config_render import EffectiveConfig
    from gateway.failover.failover import Failover
    from gateway.front import App
    from gateway.metrics.server import MetricsServer
    from gateway.settings import Settings
    from gateway.traces.exporter import Traces


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
    _run(settings, effective, proxy, say, journal)


def _journal(url: str, settings: Settings, say: Log) -> SpendJournal:
    """Opens the spend journal, or ends with what is wrong with its folder."""
    return SpendJournal(
        settings.journal_root, settings.journal_max_mb, url, say, sync=settings.journal_sync
    )


def _traces(settings: Settings, say: Log) -> Traces | None:
    """Returns what writes traces; without an endpoint nothing of it is even imported."""
    wanted = trace_settings(settings)
    if wanted is None:
        return None
    from gateway.traces.exporter import Traces  # noqa: PLC0415 -- as above

    say(f"traces go to {wanted.url}")
    return Traces(wanted, say)


def _failover_settings(settings: Settings, effective: EffectiveConfig) -> FailoverSettings:
    """What LiteLLM's router is told of failures holds for ours; it takes the router's place."""
    router = effective.config.get("router_settings") or {}
    given = {"allowed_fails": router.get("allowed_fails"), "cooldown": router.get("cooldown_time")}
    return FailoverSettings(
        probe_calls=settings.probe_calls,
        schema_repair=settings.schema_repair,
        json_logs=settings.json_logs,
        **{name: value for name, value in given.items() if value is not None},
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


def _metrics(
    settings: Settings, failover: Failover, health: Health, journal: SpendJournal | None
) -> MetricsServer:
    from gateway.metrics.budgets import KeyBudgets  # noqa: PLC0415 -- only when metrics are wanted
    from gateway.metrics.server import MetricsServer  # noqa: PLC0415 -- as above

    url = database_url(settings)
    return MetricsServer(failover, health, journal, KeyBudgets(url) if url is not None else None)


def _run(
    settings: Settings,
    effective: EffectiveConfig,
    proxy: LiteLLMProxy,
    say: Log,
    journal: SpendJournal | None,
) -> None:
    import uvicorn  # noqa: PLC0415 -- after LiteLLM, whose import is not slowed by the collector

    bound_connecting(settings.connect_timeout)
    traces = _traces(settings, say)
    failover = install(_failover_settings(settings, effective), say, traces)
    has_database = journal is not None
    health = Health(
        proxy, has_database=has_database, more_reasons=journal.reasons if journal else tuple
    )
    master = settings.litellm_master_key
    tasks: list[asyncio.Task[None]] = []
    if has_database and settings.backend_virtual_key is not None:
        health.pending[PART] = "the backend's virtual key is not set up yet"

    metrics = _metrics(settings, failover, health, journal) if settings.metrics_port else None
    stops: list[Callable[[], None]] = [part.close for part in (journal, traces) if part is not None]

    def started() -> None:
        say(f"serving on {settings.host}:{settings.port}")
        if metrics is not None and settings.metrics_port is not None:
            loop = asyncio.get_running_loop()
            stops.append(metrics.start(settings.host, settings.metrics_port, loop))
            say(f"metrics on {settings.host}:{settings.metrics_port}/metrics")
        if proxy.router() is not None:
            failover.attach(proxy.router())
        if health.pending:
            tasks.append(asyncio.create_task(_set_up_key(settings, effective, proxy, health, say)))

    async def stopping() -> None:
        say("stopping: the requests are done, writing what they cost")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await failover.registry.close()

    async def stopped() -> None:
        await asyncio.gather(*(asyncio.to_thread(stop) for stop in stops))

    app = journal.held(proxy.app) if journal is not None else proxy.app
    off = reason_off(disabled=settings.disable_admin_ui, has_database=has_database)
    page = DeploymentPage(
        AdminPage(RequestIds(app), off), failover, master.get_secret_value() if master else None
    )
    uvicorn.run(
        Front(_guarded(page, settings), health, started, stopping, stopped),
        host=settings.host,
        port=settings.port,
        server_header=False,
        timeout_graceful_shutdown=round(settings.graceful_shutdown_timeout) or None,
        **_log_options(settings, proxy),
    )


def _guarded(app: App, settings: Settings) -> App:
    """Without a key, the only guard is that nobody else gets this far."""
    return LoopbackGuard(app) if settings.litellm_master_key is None else app


def _log_options(settings: Settings, proxy: LiteLLMProxy) -> dict[str, Any]:
    options: dict[str, Any] = {
        "log_level": settings.litellm_log.lower(),
        "access_log": settings.litellm_log in ("DEBUG", "INFO"),
    }
    if settings.json_logs:
        options["log_config"] = proxy.json_log_config()
    return options


async def _set_up_key(
    settings: Settings, effective: EffectiveConfig, proxy: LiteLLMProxy, health: Health, say: Log
) -> None:
    import httpx  # noqa: PLC0415 -- LiteLLM has imported it by now

    if settings.backend_virtual_key is None or settings.litellm_master_key is None:
        raise AssertionError("checked before the start")
    key = BackendKey(
        settings.backend_virtual_key.get_secret_value(),
        settings.backend_budget,
        settings.backend_budget_duration,
        effective.aliases,
    )
    master = settings.litellm_master_key.get_secret_value()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=proxy.app, raise_app_exceptions=False),
        base_url="http://gateway",
        headers={"authorization": f"Bearer {master}"},
    ) as client:
        await keep_trying(client, key, health.pending, say)
