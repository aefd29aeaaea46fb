"""The rooms of a gateway that serves: how they are made, how they start and how they end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.access.access import Access
from gateway.config.deployment import Protocol
from gateway.costs.bill import bill
from gateway.costs.count import TokenCounter
from gateway.database.relay import PORT_AFTER_INTERNAL, Relay, needs_relay
from gateway.database.url import database_url
from gateway.http.app import GatewayApp
from gateway.http.client import client_of
from gateway.http.deployments import DeploymentPage
from gateway.http.endpoint import Endpoint
from gateway.http.health import Health
from gateway.http.internal import InternalApp
from gateway.http.listener import Listener
from gateway.http.loopback_guard import LoopbackGuard
from gateway.http.model_list import ModelList
from gateway.http.request_log import RequestLog
from gateway.http.rooms import Rooms
from gateway.jobs.jobs import Jobs
from gateway.journal.make_records import records_of
from gateway.journal.spend_journal import SpendJournal
from gateway.limits.limits import Limits
from gateway.providers.http_client import HttpClient
from gateway.providers.ollama_provider import OllamaProvider
from gateway.providers.openai_provider import OpenAIProvider
from gateway.proxy.admin_pages import reason_off
from gateway.proxy.forward import Forward, ForwardSettings
from gateway.proxy.identity import derive_secret
from gateway.proxy.watch import Watch
from gateway.replicas.join import join_others
from gateway.routing.router import Router
from gateway.routing.settings import FailoverSettings
from gateway.traces.settings import trace_settings

if TYPE_CHECKING:
    import typing

    from gateway.config.deployment import Deployment, Models
    from gateway.config.options import Options
    from gateway.config.settings import Settings
    from gateway.http.asgi import App, Message
    from gateway.http.rooms import Observer
    from gateway.processes.siblings import Sibling
    from gateway.providers.reply import Provider
    from gateway.request import Bill, Request, Usage
    from gateway.traces.exporter import Traces
    from gateway.worker.supervisor import Worker

    class _Room(typing.Protocol):
        """What has to be closed."""

        async def close(self) -> None:
            """Close it."""


LOG = logging.getLogger(__name__)


class Gateway:
    """A gateway's rooms.

    Args:
        settings: of the gateway.
        models: everything that can be asked.
        options: what litellm_config.yaml sets besides the models.
        sibling: this process among several that share the ports; None for a single one.

    Attributes:
        app: what is on its port.
        internal_app: what LiteLLM's proxy asks; None without an internal endpoint.
    """

    def __init__(
        self, settings: Settings, models: Models, options: Options, sibling: Sibling | None = None
    ) -> None:
        self._settings = settings
        self._sibling = sibling
        self._models = models
        self._url = database_url(settings)
        master = settings.litellm_master_key
        master_key = None if master is None else master.get_secret_value()
        self._journal = self._make_journal()
        self._jobs = self._make_jobs(options)
        self._access = Access(
            models,
            master_key,
            self._url,
            policy=settings.database_down_policy,
            journal_id="" if self._journal is None else self._journal.journal_id,
            end_user_budget_id=options.end_user_budget_id,
            user_budget_on_team_keys=options.user_budget_on_team_keys,
        )
        refuses = settings.database_down_policy == "refuse"
        self._limits = Limits(refuse_what_might_not_fit=lambda: refuses)
        if self._journal is not None:
            self._journal.on_applied = self._limits.applied
        self._worker = _worker(models, settings)
        self._providers = _providers(self._worker)
        self._router = Router(
            models,
            self._providers,
            _failover_settings(settings, models),
            _bill,
            self._record_canary,
        )
        self._replicas = join_others(
            self._access, self._journal, self._router, self._limits, master_key or ""
        )
        url = settings.litellm_proxy_url
        self._watch = None if url is None else Watch(url)
        self._health = Health(
            len(models.names),
            self._database_answers,
            self._reasons,
            self._degraded,
        )
        self._log = RequestLog(as_json=settings.json_logs)
        self._traces = _traces(settings)
        self._observers: list[Observer] = [self._log]
        if self._traces is not None:
            self._observers.append(self._traces)
        self._proxy = self._make_proxy(options)
        proxy: App | None = self._proxy
        if proxy is not None and self._traces is not None:
            proxy = self._traces.around(proxy)
        rooms = Rooms(
            models,
            self._access,
            self._limits,
            self._router,
            self._journal,
            proxy,
            self._observers,
        )
        endpoint = Endpoint(rooms, options.trusted_proxies)
        app = GatewayApp(
            endpoint=endpoint,
            model_list=ModelList(models, self._access),
            health=self._health,
            deployments=DeploymentPage(self._router, master_key),
            proxy=proxy,
            started=self._start,
            stopped=self._stop,
        )
        # Without a key, that nobody else gets this far is all there is.
        self.app: App = app if master_key is not None else LoopbackGuard(app)
        self._internal = None
        self.internal_app: App | None = None
        shared = master_key or _internal_key(settings)
        if settings.internal_host is not None and shared is not None:
            self.internal_app = InternalApp(endpoint, rooms, derive_secret(shared))
            self._internal = Listener(
                self.internal_app,
                settings.internal_host,
                settings.internal_port,
                is_shared=sibling is not None,
            )
        self._relay = self._make_relay()

    def _make_relay(self) -> Relay | None:
        """Return LiteLLM's way to a database of the user's own; the bundled one needs none."""
        settings = self._settings
        if self._url is None or settings.internal_host is None:
            return None
        if not needs_relay(settings, settings.internal_host):
            return None
        port = settings.internal_port + PORT_AFTER_INTERNAL
        shared = self._sibling is not None
        return Relay(self._url, settings.internal_host, port, is_shared=shared)

    def _make_proxy(self, options: Options) -> Forward | None:
        settings = self._settings
        if settings.litellm_proxy_url is None:
            return None
        off = reason_off(disabled=settings.disable_admin_ui, has_database=self._url is not None)
        forwarding = ForwardSettings(
            settings.litellm_proxy_url,
            None if settings.litellm_master_key is not None else _internal_key(settings),
            off,
            max_body_bytes=self._models.max_body_bytes,
        )

        def address(scope: Message) -> str:
            return client_of(scope, dict(scope["headers"]), options.trusted_proxies).address

        return Forward(forwarding, address)

    async def _start(self) -> None:
        if self._journal is not None:
            await self._journal.start()
        await self._access.start()
        if self._replicas is not None:
            await self._replicas.start()
        if self._jobs is not None:
            await self._jobs.start()
        self._router.start()
        if self._worker is not None:
            self._worker.start()
        if self._watch is not None:
            self._watch.start()
        self._start_metrics()
        if self._internal is not None:
            await self._internal.start()
        if self._relay is not None:
            await self._relay.start()
        if self._sibling is not None:
            self._sibling.start(self._own_reasons)
        LOG.info("serving on %s:%s", self._settings.host, self._settings.port)

    async def _stop(self) -> None:
        LOG.info("stopping: the requests are done, writing what they cost")
        if self._internal is not None:
            await self._internal.stop()
        rooms: tuple[_Room | None, ...] = (
            *(self._relay, self._router, self._jobs, self._journal, self._replicas, self._access),
            *self._providers.values(),
            *(self._worker, self._proxy, self._watch),
        )
        for room in rooms:
            if room is not None:
                await room.close()
        self._log.flush()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)

    def _make_journal(self) -> SpendJournal | None:
        settings = self._settings
        if self._url is None:
            return None
        root, most = settings.journal_root, settings.journal_max_mb
        return SpendJournal(root, most, self._url, sync=settings.journal_sync)

    def _make_jobs(self, options: Options) -> Jobs | None:
        if self._url is None:
            return None
        return Jobs(
            self._settings,
            self._url,
            self._models.names,
            default_end_user_budget=options.end_user_budget_id,
        )

    def _start_metrics(self) -> None:
        settings = self._settings
        if settings.metrics_port is None:
            return
        from gateway.metrics.budgets import KeyBudgets  # noqa: PLC0415 -- only when they are wanted
        from gateway.metrics.server import MetricsServer  # noqa: PLC0415 -- as above
        from gateway.metrics.summed import own_port  # noqa: PLC0415 -- as above

        budgets = None if self._url is None else KeyBudgets(self._url)
        metrics = MetricsServer(self._models, self._router, self._health, self._journal, budgets)
        loop = asyncio.get_running_loop()
        host, port = settings.host, settings.metrics_port
        if self._sibling is not None:  # summed.py asks each process there
            host, port = "127.0.0.1", own_port(port, self._sibling.number)
        self._stop_metrics = metrics.start(host, port, loop)
        self._observers.append(metrics.requests)
        LOG.info("metrics on %s:%s/metrics", host, port)

    def _database_answers(self) -> bool | None:
        return None if self._url is None else self._access.database_answers

    def _reasons(self) -> list[str]:
        others = [] if self._sibling is None else self._sibling.reasons()
        return list(dict.fromkeys([*self._own_reasons(), *others]))

    def _degraded(self) -> tuple[str, ...]:
        proxy = () if self._watch is None else self._watch.degraded()
        return (*proxy, *(() if self._sibling is None else self._sibling.missing()))

    def _own_reasons(self) -> list[str]:
        journal = [] if self._journal is None else self._journal.reasons()
        jobs = [] if self._jobs is None else self._jobs.reasons()
        return [*self._access.reasons(), *journal, *jobs]

    def _record_canary(self, request: Request) -> None:
        """Book what a canary request cost."""
        if self._journal is not None:
            for record in records_of(request, has_rows=not self._models.disable_spend_logs):
                self._journal.append(record)
            self._journal.flush()
        for observer in self._observers:
            observer.finished(request, 200)


def _internal_key(settings: Settings) -> str | None:
    """Return the key that the gateway and LiteLLM's proxy use where there is no master key."""
    key = settings.gateway_internal_key
    return None if key is None else key.get_secret_value()


def _bill(deployment: Deployment, request: Request, usage: Usage) -> Bill:
    return bill(deployment, request.operation, usage, request)


def _worker(models: Models, settings: Settings) -> Worker | None:
    """Return the worker; without a deployment that needs it nothing of it is even imported."""
    if not any(each.protocol is Protocol.WORKER for each in models.deployments):
        return None
    from gateway.worker.supervisor import Worker  # noqa: PLC0415 -- as above

    return Worker(models, settings)


def _providers(worker: Worker | None) -> dict[Protocol, Provider]:
    connections, count = HttpClient(), TokenCounter().count_request
    providers: dict[Protocol, Provider] = {
        Protocol.OPENAI: OpenAIProvider(connections, count),
        Protocol.OLLAMA: OllamaProvider(connections, count),
    }
    if worker is not None:
        providers[Protocol.WORKER] = worker.provider
    return providers


def _failover_settings(settings: Settings, models: Models) -> FailoverSettings:
    return FailoverSettings(
        allowed_fails=models.router.allowed_fails,
        cooldown=models.router.cooldown,
        canary_requests=settings.probe_calls,
        schema_repair=settings.schema_repair,
    )


def _traces(settings: Settings) -> Traces | None:
    """Return what writes traces; without an endpoint nothing of it is even imported."""
    wanted = trace_settings(settings)
    if wanted is None:
        return None
    from gateway.traces.exporter import Traces  # noqa: PLC0415 -- as above

    LOG.info("traces go to %s", wanted.url)
    return Traces(wanted)
