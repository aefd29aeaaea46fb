"""The rooms of a gateway that serves: how they are made, how they start and how they end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.access.access import Access
from gateway.config.deployment import Protocol
from gateway.costs.bill import bill
from gateway.costs.tokens import TokenCounter
from gateway.database.url import database_url
from gateway.http.app import GatewayApp
from gateway.http.deployments import DeploymentPage
from gateway.http.endpoint import Endpoint
from gateway.http.health import Health
from gateway.http.internal import InternalApp
from gateway.http.loopback_guard import LoopbackGuard
from gateway.http.model_list import ModelList
from gateway.http.request_log import RequestLog
from gateway.http.rooms import Rooms
from gateway.jobs.jobs import Jobs
from gateway.limits.limits import Limits
from gateway.providers.ollama import OllamaProvider
from gateway.providers.openai import OpenAIProvider
from gateway.proxy.forward import Forward
from gateway.routing.router import Router
from gateway.routing.settings import FailoverSettings
from gateway.spend_journal.record import records_of
from gateway.spend_journal.spend_journal import SpendJournal
from gateway.traces.settings import trace_settings
from gateway.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.config.deployment import Models
    from gateway.config.settings import Settings
    from gateway.http.asgi import App
    from gateway.http.rooms import Observer
    from gateway.metrics.server import MetricsServer
    from gateway.request import Request

LOG = logging.getLogger(__name__)


class Gateway:
    """A gateway's rooms.

    Args:
        settings: of the gateway.
        models: everything that can be asked.

    Attributes:
        app: what is on its port.
        internal_app: what LiteLLM's proxy calls models by; None where that does not run.
    """

    def __init__(self, settings: Settings, models: Models) -> None:
        self._settings = settings
        self._models = models
        self._stops: list[Callable[[], Awaitable[None]]] = []
        url = database_url(settings)
        master = settings.litellm_master_key
        master_key = master.get_secret_value() if master is not None else None
        self._journal = self._make_journal(url)
        self._jobs = Jobs(settings, models, url) if url is not None else None
        self._access = Access(
            models,
            master_key,
            url,
            policy=settings.database_down_policy,
            journal_id=self._journal.journal_id if self._journal is not None else "",
        )
        self._limits = Limits(refuse_what_might_not_fit=lambda: settings.database_down_policy == "refuse")
        if self._journal is not None:
            self._journal.on_applied = self._limits.applied
        counter = TokenCounter()
        self._worker = Worker(models, settings)
        self._providers = {
            Protocol.OPENAI: OpenAIProvider(counter),
            Protocol.OLLAMA: OllamaProvider(counter),
            Protocol.WORKER: self._worker.provider,
        }
        self._router = Router(models, self._providers, _failover_settings(settings, models), bill, self._record_canary)
        self._log = RequestLog(as_json=settings.json_logs)
        self._metrics: MetricsServer | None = None
        self._observers = self._make_observers()
        self._health = self._make_health()
        if settings.metrics_port is not None:
            self._metrics = self._make_metrics(url)
        proxy = Forward(settings) if settings.litellm_proxy_url is not None else None
        rooms = Rooms(models, self._access, self._limits, self._router, self._journal, proxy, self._observers)
        endpoint = Endpoint(rooms, models.trusted_proxies)
        app: App = GatewayApp(
            endpoint=endpoint,
            model_list=ModelList(models, self._access),
            health=self._health,
            deployments=DeploymentPage(self._router, master_key),
            proxy=proxy,
            started=self._start,
            stopped=self._stop,
        )
        self.app: App = app if master_key is not None else LoopbackGuard(app)
        self.internal_app: App | None = InternalApp(endpoint, rooms, master_key) if proxy is not None and master_key is not None else None
