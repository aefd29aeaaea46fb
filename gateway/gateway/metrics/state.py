"""What is read when Prometheus scrapes; no request pays for it."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from importlib.metadata import version
from math import inf
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.http.health import Report
from gateway.metrics.requests import DEPLOYMENT, deployment_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

    from gateway.http.health import Health
    from gateway.journal.spend_journal import SpendJournal
    from gateway.metrics.budgets import KeyBudget
    from gateway.routing.router import Router

HEALTH_SECONDS = 4.0
"""After so long without an answer to its own question the event loop hangs; /health would, too."""


@dataclass(frozen=True)
class Sources:
    """Where it is read.

    Attributes:
        health: of the gateway.
        loop: on which it serves.
        router: has the deployments.
        journal: of costs; None without a database.
        budgets: returns the keys that have one; None without a database.
    """

    health: Health
    loop: asyncio.AbstractEventLoop
    router: Router
    journal: SpendJournal | None
    budgets: Callable[[], Sequence[KeyBudget]] | None


class StateCollector(Collector):
    """Collects, in the thread of the scrape.

    Args:
        sources: where it is read.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        """Return nothing: to read is not free, and the registry would do so at once."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield what holds now."""
        sources = self._sources
        report = self._report()
        yield _gauge(
            "gateway_build_info",
            "The versions that run.",
            {"version": __version__, "litellm": version("litellm")},
        )
        yield from _health(report)
        yield from _deployments(sources.router)
        if sources.journal is not None:
            yield from _journal(sources.journal)
        if sources.budgets is not None and report.database_answers:
            yield from _budgets(sources.budgets())

    def _report(self) -> Report:
        asked = asyncio.run_coroutine_threadsafe(self._asked(), self._sources.loop)
        try:
            return asked.result(HEALTH_SECONDS)
        except (TimeoutError, FutureTimeoutError):  # two classes until Python 3.11
            asked.cancel()
            return Report((f"the gateway does not answer within {HEALTH_SECONDS:g} s",), 0)

    async def _asked(self) -> Report:
        return self._sources.health.report()


def _health(report: Report) -> Iterator[Metric]:
    healthy = not report.reasons
    yield _gauge("gateway_healthy", "1 when the gateway can do its work.", {}, float(healthy))
    reasons = GaugeMetricFamily(
        "gateway_unhealthy_reason", "1 for each reason why it cannot.", labels=("reason",)
    )
    for reason in report.reasons:
        reasons.add_metric([reason], 1)
    yield reasons
    if report.database_answers is not None:
        text = "1 when the database answered the gateway's last question."
        yield _gauge("gateway_database_up", text, {}, float(report.database_answers))


def _deployments(router: Router) -> Iterator[Metric]:
    up = GaugeMetricFamily("gateway_deployment_up", "1 when it is in use.", labels=DEPLOYMENT)
    out = GaugeMetricFamily(
        "gateway_deployment_in_cooldown",
        "1 for a deployment in cooldown, with the kind of failure that began it.",
        labels=(*DEPLOYMENT, "reason"),
    )
    for deployment, state in router.states:
        labels = deployment_labels(deployment)
        up.add_metric(labels, float(not state.in_cooldown))
        if state.in_cooldown:
            failure = state.failure
            out.add_metric([*labels, failure.kind.value if failure else "on-trial"], 1)
    yield up
    yield out


def _journal(journal: SpendJournal) -> Iterator[Metric]:
    state = journal.state()
    disk = shutil.disk_usage(state.folder)
    yield from (
        _gauge(f"gateway_journal_{name}", text, {}, value)
        for name, text, value in (
            (
                "bytes",
                "Bytes of the journal's files, including the file made ahead of time.",
                state.bytes,
            ),
            ("max_bytes", "The most bytes that they may take (JOURNAL_MAX_MB).", state.max_bytes),
            ("waiting_bytes", "Bytes that are not in the database yet.", state.waiting_bytes),
            ("waiting_records", "Costs that are not in the database yet.", state.waiting_records),
            (
                "oldest_waiting_seconds",
                "The age of the oldest cost that is not in the database yet, to 5 s.",
                state.oldest_waiting_seconds,
            ),
            (
                "stopped",
                "1 while requests are refused because the journal has no room.",
                float(state.stopped_because is not None),
            ),
            ("disk_free_bytes", "Room left on the journal's disk.", disk.free),
            ("disk_size_bytes", "Size of the journal's disk.", disk.total),
        )
    )


def _budgets(keys: Sequence[KeyBudget]) -> Iterator[Metric]:
    spent = GaugeMetricFamily(
        "gateway_key_spend_usd", "US dollars of a key's budget that are spent.", labels=("key",)
    )
    budget = GaugeMetricFamily(
        "gateway_key_budget_usd", "US dollars that a key may spend.", labels=("key",)
    )
    resets = GaugeMetricFamily(
        "gateway_key_budget_reset_timestamp_seconds",
        "When a key's budget is reset, seconds since 1970; infinite for never.",
        labels=("key",),
    )
    for key in {each.name: each for each in keys}.values():
        spent.add_metric([key.name], key.spent)
        budget.add_metric([key.name], key.budget)
        resets.add_metric([key.name], inf if key.resets_at is None else key.resets_at)
    yield from (spent, budget, resets)


def _gauge(name: str, text: str, labels: dict[str, str], value: float = 1) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family
