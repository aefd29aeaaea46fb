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
from gateway.metrics.state import Looked, StateCollector

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from gateway.failover.failover import Failover
    from gateway.health import Health
    from gateway.journal.spend_journal import SpendJournal
    from gateway.metrics.budgets import KeyBudget


class MetricsServer:
    """The metrics of one gateway; counts from its making on, listens from `start` on.

    Args:
        failover: whose requests are counted.
        health: of the gateway.
        journal: of costs; None without a database.
        budgets: returns the keys that have one; None without a database.
    """

    def __init__(
        self,
        failover: Failover,
        health: Health,
        journal: SpendJournal | None,
        budgets: Callable[[], Sequence[KeyBudget]] | None,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a series for each series, with the time of its beginning
        self._failover = failover
        self._health = health
        self._journal = journal
        self._budgets = budgets
        # Not the default registry: LiteLLM's own callback, should somebody use it, has that one.
        self._counted = CollectorRegistry()
        self._requests = RequestMetrics(self._counted, failover.registry)
        failover.callback.observer = self._requests

    def start(self, host: str, port: int, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Listens, and returns what ends that.

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
        """Returns everything: the state first, which makes the counters' series exist."""
        looked = Looked(
            self._health,
            loop,
            self._failover.registry,
            self._journal,
            self._budgets,
            self._requests.prepare,
        )
        collected = CollectorRegistry()
        collected.register(StateCollector(looked))
        collected.register(self._counted)
        ProcessCollector(registry=collected)
        return collected
