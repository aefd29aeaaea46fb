"""What each service holds in memory: after the start, after many requests, with open streams."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from bench.alternatives.gateway import Gateway
from bench.alternatives.litellm import LiteLLMWithDatabase, PlainLiteLLM
from bench.alternatives.portkey import Portkey
from bench.load import client
from bench.load.bodies import bodies
from bench.load.upstream import Behaviour
from bench.measure import engine, rounds
from bench.measure.samples import Check, Record, Sample
from bench.options import Options, chosen
from bench.site import Site, site

if TYPE_CHECKING:
    from bench.alternatives.base import Alternative

ALTERNATIVES = {each.name: each for each in (Gateway, LiteLLMWithDatabase, PlainLiteLLM, Portkey)}
SLOW = ("litellm-db", "litellm")
"""Half an hour for 100,000 requests, so that --long alone does that."""

MANY, MORE, STREAMS = 10_000, 100_000, 500
OPEN_SECONDS = 20
LONGEST = 3600
CELLS = {
    "start": "after the start",
    "10k": f"after {MANY:,} requests",
    "100k": f"after {MORE:,} requests",
    "streams": f"with {STREAMS} open streams",
    "after": "30 s after them",
}


def run(options: Options) -> Record:
    """Measure; once, as memory knows the past and no noise."""
    classes = chosen(ALTERNATIVES, options.alternatives, "alternative")
    record = Record.new("memory")
    record.cells = CELLS
    record.alternatives = {name: each.title for name, each in classes.items()}
    with site() as place:
        alternatives = [each(place) for each in classes.values()]
        with rounds.started(record, alternatives, warm=False):
            progress = rounds.Progress(len(alternatives))
            for alternative in alternatives:
                alternative.resume()
                _measure(record, place, alternative, options)
                alternative.pause()
                progress.step(alternative.title)
    return record


def _measure(record: Record, place: Site, alternative: Alternative, options: Options) -> None:
    def measure(cell: str) -> None:
        counters = engine.read(alternative.containers)
        values = {
            "memory_mb": counters[alternative.main].memory_mb,
            "stack_memory_mb": sum(each.memory_mb for each in counters.values()),
        }
        values |= {f"memory_mb of {name}": each.memory_mb for name, each in counters.items()}
        record.samples.append(Sample(cell, alternative.name, 0, values))
        print(f"  {alternative.title} {CELLS[cell]}: {values['memory_mb']:.0f} MB", flush=True)

    place.upstream.behave(Behaviour())
    measure("start")
    failures = _ask(place, alternative, MANY)
    measure("10k")
    if options.long or alternative.name not in SLOW:
        failures += _ask(place, alternative, MORE - MANY)
        measure("100k")
    place.upstream.behave(Behaviour(chunks=OPEN_SECONDS, gap_ms=1000))
    streams = threading.Thread(
        target=_ask, args=(place, alternative, STREAMS), kwargs={"stream": True}
    )
    calls = place.upstream.calls()
    streams.start()
    _wait_for_calls(place, calls + STREAMS)
    measure("streams")
    streams.join()
    time.sleep(30)
    measure("after")
    record.checks.append(
        Check(f"{alternative.title}: no request failed", not failures, f"{failures} failed")
    )


def _wait_for_calls(place: Site, calls: int) -> None:
    """Wait until the streams are open, or as many as open while the first lasts."""
    deadline = time.monotonic() + OPEN_SECONDS * 0.8
    while place.upstream.calls() < calls and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)


def _ask(place: Site, alternative: Alternative, count: int, *, stream: bool = False) -> int:
    """Make some requests; return how many failed."""
    spec = alternative.spec(
        bodies(alternative.model, stream=stream),
        STREAMS if stream else 32,
        seconds=LONGEST,
        stream=stream,
        requests=count,
    )
    return sum(client.run(place.load, spec).failures.values())
