"""What is sources at when Prometheus asks."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from gateway.config.deployment import Models
from gateway.http.health import Health, Report
from gateway.journal.spend_journal import JournalState, SpendJournal
from gateway.metrics import budgets as budgets_module
from gateway.metrics import state as state_module
from gateway.metrics.budgets import KeyBudget, KeyBudgets
from gateway.metrics.server import MetricsServer
from gateway.metrics.state import Sources, StateCollector
from gateway.routing.failure import Failure, FailureKind
from gateway.routing.router import Router
from support.stack import free_port

from .conftest import OLLAMA, Value

AT_OLLAMA = {"alias": "extraction", "model": "ollama_chat/llama3.2", "deployment": "oooooooo"}


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield an event loop that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    asyncio.run_coroutine_threadsafe(_settle(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _settle() -> None:
    """Let what was given up come to its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


@dataclass
class Gateway:
    """What the collector looks at, to be changed by a test.

    Attributes:
        report: what health says.
        journal: how the journal is.
        keys: those with a budget.
    """

    loop: asyncio.AbstractEventLoop
    router: Router
    report: Report = field(default_factory=lambda: Report((), 2, database_answers=True))
    journal: JournalState | None = None
    keys: list[KeyBudget] = field(default_factory=list)

    def sources(self) -> Sources:
        """Return it as the collector takes it."""
        return Sources(
            health=cast("Health", _Health(self)),
            loop=self.loop,
            router=self.router,
            journal=cast("SpendJournal", _Journal(self)) if self.journal else None,
            budgets=lambda: self.keys,
        )


@dataclass
class _Health:
    gateway: Gateway

    def report(self) -> Report:
        return self.gateway.report


@dataclass
class _Journal:
    gateway: Gateway

    def state(self) -> JournalState | None:
        return self.gateway.journal


@pytest.fixture
def gateway(router: Router, collected: CollectorRegistry) -> Iterator[Gateway]:
    """Yield a gateway whose state is collected."""
    with running_loop() as loop:
        made = Gateway(loop, router)
        collected.register(StateCollector(made.sources()))
        yield made


@pytest.mark.usefixtures("gateway")
def test_a_healthy_gateway_gives_no_reason(value: Value) -> None:
    """It is 1, and so is its database; the series of reasons are not there."""
    assert value("gateway_healthy") == 1
    assert value("gateway_database_up") == 1


def test_an_unhealthy_gateway_says_why(gateway: Gateway, value: Value) -> None:
    """Each reason of /health is a series, in the same words."""
    gateway.report = Report(("no model is loaded", "full"), 0, database_answers=False)

    assert value("gateway_healthy") == 0
    assert value("gateway_database_up") == 0
    assert value("gateway_unhealthy_reason", reason="no model is loaded") == 1
    assert value("gateway_unhealthy_reason", reason="full") == 1


def test_without_a_database_there_is_nothing_to_say_of_it(gateway: Gateway, value: Value) -> None:
    """Without a database, no series says that one is down."""
    gateway.report = Report((), 2)

    assert value("gateway_healthy") == 1
    assert value("gateway_database_up") is None


def test_a_gateway_that_hangs_is_unhealthy(
    gateway: Gateway, value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics are served while the event loop is blocked, and report that."""
    monkeypatch.setattr(state_module, "HEALTH_SECONDS", 0.2)
    let_go = threading.Event()
    gateway.loop.call_soon_threadsafe(let_go.wait)

    try:
        assert value("gateway_healthy") == 0
        reason = "the gateway does not answer within 0.2 s"
        assert value("gateway_unhealthy_reason", reason=reason) == 1
    finally:
        let_go.set()


def test_a_deployment_in_cooldown_says_why(gateway: Gateway, value: Value) -> None:
    """In use or not, and the kind of failure that began its cooldown."""
    state = next(state for deployment, state in gateway.router.states if deployment is OLLAMA)
    assert value("gateway_deployment_up", **AT_OLLAMA) == 1

    state.record_failure(Failure(FailureKind.UNREACHABLE), started=0, now=1)

    assert value("gateway_deployment_up", **AT_OLLAMA) == 0
    assert value("gateway_deployment_in_cooldown", **AT_OLLAMA, reason="unreachable") == 1
    assert value("gateway_deployment_up", alias="spare", model="openai/gpt-4o-mini",
                 deployment="spare-1") == 1  # fmt: skip


def test_the_journal_and_its_disk_are_reported(
    gateway: Gateway, value: Value, tmp_path: Path
) -> None:
    """What it takes and may take, what waits since when, and the room on its disk."""
    from gateway.journal.spend_journal import JournalState

    assert value("gateway_journal_bytes") is None
    gateway.journal = JournalState(tmp_path, 8, 64, 5, 2, 30.5, "its disk is full")
    journal = StateCollector(gateway.sources())

    told = {metric.name: metric.samples[0].value for metric in journal.collect() if metric.samples}

    assert told["gateway_journal_bytes"] == 8
    assert told["gateway_journal_max_bytes"] == 64
    assert told["gateway_journal_waiting_bytes"] == 5
    assert told["gateway_journal_waiting_records"] == 2
    assert told["gateway_journal_oldest_waiting_seconds"] == 30.5
    assert told["gateway_journal_stopped"] == 1
    assert 0 < told["gateway_journal_disk_free_bytes"] < told["gateway_journal_disk_size_bytes"]


def test_keys_are_told_by_name(gateway: Gateway, value: Value) -> None:
    """Spent, budget and reset of each; one whose count never begins again has infinity."""
    gateway.keys = [KeyBudget("anna", 2.5, 5, 1_800_000_000), KeyBudget("ben", 1, 2, None)]

    assert value("gateway_key_spend_usd", key="anna") == 2.5
    assert value("gateway_key_budget_usd", key="anna") == 5
    assert value("gateway_key_budget_reset_timestamp_seconds", key="anna") == 1_800_000_000
    assert value("gateway_key_budget_reset_timestamp_seconds", key="ben") == float("inf")


def test_the_database_is_not_asked_while_it_is_away(gateway: Gateway, value: Value) -> None:
    """A scrape does not wait for what health just found out."""
    gateway.keys = [KeyBudget("anna", 2.5, 5, None)]
    gateway.report = Report(("the database does not answer",), 2, database_answers=False)

    assert value("gateway_key_spend_usd", key="anna") is None


def test_the_database_is_asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is asked at most now and then; while it is away, what was known is reported."""
    now = 0.0
    answers: list[Any] = [[KeyBudget("anna", 1, 5, None)], psycopg.OperationalError("away")]
    asked: list[float] = []
    keys = KeyBudgets("postgresql://u:p@h/d", lambda: now)

    def ask() -> list[KeyBudget]:
        asked.append(now)
        answer = answers[len(asked) - 1]
        if isinstance(answer, Exception):
            raise answer
        found: list[KeyBudget] = answer
        return found

    monkeypatch.setattr(keys, "_ask", ask)
    first = [keys(), keys()]
    now = budgets_module.FRESH_SECONDS + 1

    assert [*first, keys(), keys()] == [answers[0]] * 4
    assert asked == [0.0, now]


def test_it_is_served_on_a_port_of_its_own_until_stopped(models: Models, router: Router) -> None:
    """Plain text for Prometheus, with the process's own numbers and each series at 0."""
    port = free_port()
    with running_loop() as loop:
        health = Health(2, lambda: None, tuple)
        server = MetricsServer(models, router, health, None, None)
        stop: Callable[[], None] = server.start("127.0.0.1", port, loop)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        began = time.monotonic()
        stop()
        took = time.monotonic() - began

    for line in (
        "gateway_healthy 1.0",
        'gateway_fallbacks_total{alias="extraction"} 0.0',
        "process_resident_memory_bytes",
        'gateway_build_info{litellm="',
    ):
        assert line in text
    assert "_created" not in text
    assert took < 2
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)
