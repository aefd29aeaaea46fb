"""The benchmarks: what each is, how long it takes, what of its record is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import (
    failover,
    growth,
    guard,
    journal,
    memory,
    model,
    outage,
    overhead,
    retention,
    start,
)
from bench.report.view import Column, Ratio, View

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

    from bench.measure.samples import Check, Record
    from bench.options import Options


@dataclass(frozen=True)
class Benchmark:
    """One of them.

    Attributes:
        minutes: about how long it takes with its defaults, on two slow cores.
        judge: holds a record against the one that is kept in docs/performance.
        alone: whether it is not part of `all`.
    """

    run: Callable[[Options], Record]
    minutes: str
    view: View
    judge: Callable[[Record, Path], list[Check]] | None = None
    alone: bool = False


RATE = Column("requests/s", "rate", 0)
P50, P99 = Column("p50, ms", "p50_ms"), Column("p99, ms", "p99_ms")
CPU, WHOLE_CPU = Column("CPU, ms", "cpu_ms", 2), Column("CPU, whole stack", "stack_cpu_ms", 2)
MEMORY = Column("memory, MB", "memory_mb", 0)
WHOLE_MEMORY = Column("memory, whole stack", "stack_memory_mb", 0)
FIRST_TOKEN = Column("first token, ms", "first_token_ms")
SECONDS = Column("seconds", "seconds")


def _what(module: ModuleType) -> str:
    """Return a benchmark's docstring, which is what the page says of it."""
    return str(module.__doc__).strip()


BENCHMARKS = {
    "overhead": Benchmark(
        overhead.run,
        "35, with --short 12",
        View(
            "What a gateway adds to a request",
            _what(overhead),
            (
                *(RATE, P50, P99, FIRST_TOKEN, Column("between tokens, ms", "gap_ms", 2)),
                *(CPU, WHOLE_CPU, MEMORY, WHOLE_MEMORY),
            ),
            Ratio("this gateway's rate", "rate"),
            Column("requests a second", "rate", 0),
        ),
    ),
    "start": Benchmark(
        start.run,
        "8",
        View(
            "A start",
            _what(start),
            (
                *(SECONDS, Column("secrets", "secrets_s"), Column("postgres", "postgres_s")),
                *(Column("migrate", "migrate_s"), Column("gateway made", "gateway_created_s")),
                *(Column("until it answers", "first_answer_s"), MEMORY),
            ),
            Ratio("of this stack's", "seconds", inverse=True),
            SECONDS,
            logarithmic=False,
        ),
    ),
    "memory": Benchmark(
        memory.run,
        "20",
        View(
            "Memory",
            _what(memory),
            (
                *(MEMORY, WHOLE_MEMORY, Column("postgres", "memory_mb of postgres", 0)),
                *(
                    Column("LiteLLM's proxy", "memory_mb of litellm", 0),
                    Column("prometheus", "memory_mb of prometheus", 0),
                ),
            ),
            Ratio("of this gateway's", "memory_mb", inverse=True),
            Column("MB of the service that requests meet", "memory_mb", 0),
            logarithmic=False,
        ),
    ),
    "failover": Benchmark(
        failover.run,
        "20",
        View(
            "A dead local model",
            _what(failover),
            (Column("request, ms", "request_ms", 2), Column("added, ms", "added_ms", 2)),
            Ratio("of this gateway's", "request_ms", inverse=True),
            Column("ms of a request that the fallback answers", "request_ms", 1),
        ),
    ),
    "journal": Benchmark(
        journal.run,
        "5",
        View(
            "What the journal of costs adds",
            _what(journal),
            (Column("p50, ms", "p50_ms", 2),),
            Ratio("of that with it", "p50_ms", inverse=True),
            Column("ms of an answer", "p50_ms", 2),
            logarithmic=False,
        ),
    ),
    "growth": Benchmark(
        growth.run,
        "25, with --long 120",
        View(
            "As things pile up",
            _what(growth),
            (CPU, WHOLE_CPU, P50, MEMORY, Column("postgres", "memory_mb of postgres", 0)),
            None,
            Column(
                "ms of the gateway's processor time, a request or a chunk of a stream", "cpu_ms", 2
            ),
            kind="lines",
            logarithmic=False,
        ),
    ),
    "model": Benchmark(
        model.run,
        "10",
        View(
            "A local model through the stack",
            _what(model),
            (
                FIRST_TOKEN,
                Column("tokens/s", "tokens_per_second"),
                Column("whole, ms", "whole_ms", 0),
            ),
            Ratio("this stack's tokens/s", "tokens_per_second"),
            Column("tokens a second", "tokens_per_second"),
            logarithmic=False,
        ),
    ),
    "outage": Benchmark(
        outage.run,
        "65",
        View(
            "An hour without PostgreSQL",
            _what(outage),
            (
                *(Column("answered", "answered", 0), Column("refused", "refused", 0)),
                *(Column("rows", "rows", 0), Column("s until the last row", "applied_s", 0)),
            ),
            None,
            Column("answers", "answered", 0),
            logarithmic=False,
        ),
    ),
    "retention": Benchmark(
        retention.run,
        "35",
        View(
            "Old rows deleted under load",
            _what(retention),
            (
                *(Column("rows/s", "rows_per_second", 0), SECONDS, P50, P99),
                *(Column("slowest, ms", "slowest_ms", 0), MEMORY),
            ),
            None,
            Column("rows deleted a second", "rows_per_second", 0),
            logarithmic=False,
        ),
    ),
    "guard": Benchmark(
        guard.run,
        "3",
        View(
            "Has the gateway become slower?",
            _what(guard),
            (CPU, WHOLE_CPU, RATE),
            Ratio("of the yardstick's CPU", "cpu_ms", "yardstick", inverse=True),
            CPU,
            logarithmic=False,
        ),
        guard.judge,
        alone=True,
    ),
}
