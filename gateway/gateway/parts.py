"""The parts of a gateway that serves: what they are made of, how they start and end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.admin_page import AdminPage, reason_off
from gateway.backend_key import PART, BackendKey, keep_trying
from gateway.database.url import database_url
from gateway.deployment_page import DeploymentPage
from gateway.failover import FailoverSettings, install
from gateway.front import Front
from gateway.health import Health
from gateway.http.loopback_guard import LoopbackGuard
from gateway.request_ids import RequestIds
from gateway.traces.settings import trace_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.render import EffectiveConfig
    from gateway.config.settings import Settings
    from gateway.front import App
    from gateway.journal.spend_journal import SpendJournal
    from gateway.litellm_proxy import LiteLLMProxy
    from gateway.log import Log
    from gateway.metrics.server import MetricsServer
    from gateway.traces.exporter import Traces


class Parts:
    """Everything round LiteLLM's application.

    Args:
        settings: of the gateway.
        effective: the configuration that LiteLLM was given.
        proxy: LiteLLM, imported.
        say: writes a line of the log.
        journal: of the spend rows; None without a database.
    """

    def __init__(
        self,
        settings: Settings,
        effective: EffectiveConfig,
        proxy: LiteLLMProxy,
        say: Log,
        journal: SpendJournal | None,
    ) -> None:
        self._settings = settings
        self._effective = effective
        self._proxy = proxy
        self._say = say
        self._journal = journal
        traces = _traces(settings, say)
        self._failover = install(_failover_settings(settings, effective), say, traces)
        self._health = Health(
            proxy,
            has_database=journal is not None,
            more_reasons=journal.reasons if journal else tuple,
        )
        if journal is not None and settings.backend_virtual_key is not None:
            self._health.pending[PART] = "the backend's virtual key is not set up yet"
        self._metrics = self._make_metrics() if settings.metrics_port else None
        self._tasks: list[asyncio.Task[None]] = []
        self._stops: list[Callable[[], None]] = [
            part.close for part in (journal, traces) if part is not None
        ]

    def app(self) -> App:
        """Returns the application that uvicorn serves: LiteLLM's, with every part round it."""
        settings, journal, master = self._settings, self._journal, self._settings.litellm_master_key
        app = journal.held(self._proxy.app) if journal is not None else self._proxy.app
        off = reason_off(disabled=settings.disable_admin_ui, has_database=journal is not None)
        page: App = DeploymentPage(
            AdminPage(RequestIds(app), off),
            self._failover,
            master.get_secret_value() if master else None,
        )
        if master is None:
            page = LoopbackGuard(
                page
            )  # without a key, that nobody else gets this far is all there is
        return Front(page, self._health, self._started, self._stopping, self._stopped)

    def _started(self) -> None:
        settings, say = self._settings, self._say
        say(f"serving on {settings.host}:{settings.port}")
        if self._metrics is not None and settings.metrics_port is not None:
            loop = asyncio.get_running_loop()
            self._stops.append(self._metrics.start(settings.host, settings.metrics_port, loop))
            say(f"metrics on {settings.host}:{settings.metrics_port}/metrics")
        if self._proxy.router() is not None:
            self._failover.attach(self._proxy.router())
        if self._health.pending:
            self._tasks.append(asyncio.create_task(self._set_up_key()))

    async def _stopping(self) -> None:
        self._say("stopping: the requests are done, writing what they cost")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._failover.registry.close()

    async def _stopped(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(stop) for stop in self._stops))

    async def _set_up_key(self) -> None:
        import httpx  # noqa: PLC0415 -- LiteLLM has imported it by now

        settings = self._settings
        if settings.backend_virtual_key is None or settings.litellm_master_key is None:
            raise AssertionError("checked before the start")
        key = BackendKey(
            settings.backend_virtual_key.get_secret_value(),
            settings.backend_budget,
            settings.backend_budget_duration,
            self._effective.aliases,
        )
        master = settings.litellm_master_key.get_secret_value()
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self._proxy.app, raise_app_exceptions=False),
            base_url="http://gateway",
            headers={"authorization": f"Bearer {master}"},
        ) as client:
            await keep_trying(client, key, self._health.pending, self._say)

    def _make_metrics(self) -> MetricsServer:
        from gateway.metrics.budgets import KeyBudgets  # noqa: PLC0415 -- only when they are wanted
        from gateway.metrics.server import MetricsServer  # noqa: PLC0415 -- as above

        url = database_url(self._settings)
        budgets = KeyBudgets(url) if url is not None else None
        return MetricsServer(self._failover, self._health, self._journal, budgets)


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
