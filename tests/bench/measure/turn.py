"""One turn of one alternative: a load on it, and what the engine and the books say of that time."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.load import client
from bench.load.bodies import bodies
from bench.load.upstream import Behaviour
from bench.measure import engine, machine
from bench.measure.samples import Check

if TYPE_CHECKING:
    from bench.alternatives.base import Alternative
    from bench.site import Site

AT_ONCE = Behaviour()
DRAIN_SECONDS = 30
"""For rows that are on their way; LiteLLM writes its own every 5 s."""


@dataclass(frozen=True)
class Cell:
    """One kind of load."""

    title: str
    connections: int
    stream: bool = False
    characters: int = 0
    tools: bool = False
    behaviour: Behaviour = AT_ONCE
    longer: float = 1
    """By how much more time this takes than others, so that the slowest ends enough requests."""


@dataclass
class Book:
    """What has to be equal at the end."""

    answers: int = 0
    calls: int = 0
    rows: int | None = None
    failures: int = 0
    first_failure: str = ""

    def check(self, title: str) -> Check:
        """Return whether it is."""
        rows = "" if self.rows is None else f", {self.rows:,} rows"
        return Check(
            f"{title}: every answer is one call of the upstream"
            + ("" if self.rows is None else " and one row"),
            self.answers == self.calls and self.rows in {None, self.answers} and not self.failures,
            f"{self.answers:,} answers, {self.calls:,} calls{rows}, {self.failures} failures"
            f" {self.first_failure}".rstrip(),
        )


def turn(
    place: Site, alternative: Alternative, cell: Cell, seconds: float, book: Book
) -> dict[str, float] | None:
    """Return the values of one turn of an alternative, None when none of its answers was good."""
    place.upstream.behave(cell.behaviour)
    asked = bodies(
        alternative.model, stream=cell.stream, characters=cell.characters, tools=cell.tools
    )
    spec = alternative.spec(
        asked, cell.connections, seconds=seconds * cell.longer, warm_seconds=0.5, stream=cell.stream
    )
    moment = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    calls = place.upstream.calls()
    before = engine.read(alternative.containers)
    seen = client.run(place.load, spec)
    rows = drained(alternative, moment, seen.answers)
    after = engine.read(alternative.containers)
    if not seen.answers:
        book.first_failure = book.first_failure or seen.failure
        return None
    book.answers += seen.answers
    book.calls += place.upstream.calls() - calls
    book.failures += sum(seen.failures.values())
    book.first_failure = book.first_failure or seen.failure
    if rows is not None:
        book.rows = (book.rows or 0) + rows
    return values(alternative, seen, before, after)


def drained(alternative: Alternative, moment: dt.datetime, answers: int) -> int | None:
    """Wait until each answer since then has its row; return how many there are."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        rows = alternative.rows_since(moment)
        if rows is None or rows >= answers or time.monotonic() > deadline:
            return rows
        time.sleep(0.2)


def values(
    alternative: Alternative,
    seen: client.Seen,
    before: dict[str, engine.Counters],
    after: dict[str, engine.Counters],
) -> dict[str, float]:
    """Return what is kept of a turn; processor time is all until the last row was written."""
    used = {
        name: (counters.cpu_seconds - before[name].cpu_seconds) * 1000 / seen.answers
        for name, counters in after.items()
    }
    memory = {name: counters.memory_mb for name, counters in after.items()}
    found = {
        "rate": seen.rate,
        "client_cores": seen.client_cpu_seconds / seen.elapsed_seconds,
        "load_average": machine.load_average(),
    }
    if seen.whole_ms["count"]:
        found |= {f"{name}_ms": seen.whole_ms[name] for name in ("p50", "p90", "p99")}
    if seen.first_token_ms["count"]:
        found["first_token_ms"] = seen.first_token_ms["p50"]
        found["gap_ms"] = seen.gap_ms["p50"]
        found["gap_p99_ms"] = seen.gap_ms["p99"]
        found["chunks"] = seen.chunks / seen.answers
    if used:
        found["cpu_ms"] = used[alternative.main]
        found["stack_cpu_ms"] = sum(used.values())
        found["memory_mb"] = memory[alternative.main]
        found["stack_memory_mb"] = sum(memory.values())
        found |= {f"cpu_ms of {name}": each for name, each in used.items()}
        found |= {f"memory_mb of {name}": each for name, each in memory.items()}
    return found
