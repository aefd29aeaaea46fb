"""Serves the metrics on a port of their own, in threads: also while the event loop hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from gateway.metrics.requests import RequestMetrics
from gateway.metrics.state import Sources, StateCollector

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from gateway.config.deployment import Models
    from gateway.http.health import Health
    from gateway.journal.spend_journal import SpendJournal
    from gateway.metrics.budgets import KeyBudget
    from gateway.routing.router import Router


class MetricsServer:
    """The metrics of one gateway; listens from `start` on.

    Attributes:
        requests: counts them.

    Args:
        models: whose requests are counted.
        router: knows how the deployments are.
        health: of the gateway.
        journal: of costs; None without a database.
        budgets: returns the keys that have one; None without a database.
    """

    def __init__(
        self,
        models: Models,
        router: Router,
        health: Health,
        journal: SpendJournal | None,
        budgets: Callable[[], Sequence[KeyBudget]] | None,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series for each series, with the time of its beginning
        self._router = router
        self._health = health
        self._journal = journal
        self._budgets = budgets
        # Not the default registry: LiteLLM's own callback, should somebody use it, has that one.
        self._counted = CollectorRegistry()
        self.requests = RequestMetrics(self._counted, models)

    def start(self, host: str, port: int, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Listen; return what stops the server.

        Args:
            host: where.
            port: where; any path is answered.
            loop: the one on which the gateway serves.

        Raises:
            OSError: something else listens there.
        """
        collected = self.registry(loop)
        server, thread = start_http_server(port, host, collected)

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def registry(self, loop: asyncio.AbstractEventLoop) -> CollectorRegistry:
        """Return everything: the state first, which makes the counters' series exist."""
        sources = Sources(
            self._health,
            loop,
            self._router,
            self._journal,
            self._budgets,
        )
        collected = CollectorRegistry()
        collected.register(StateCollector(sources))
        collected.register(self._counted)
        ProcessCollector(registry=collected)
        return collected
