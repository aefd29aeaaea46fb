"""What the spend journal adds to an answer: two gateways, with and without it, asked in turns.

The provider is the scripted upstream, so all of it is the gateway's own time.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import requests

from bench.measure.rounds import Progress
from bench.measure.samples import Record, Sample
from support.scripted import PRICED, SCRIPTED_PROVIDERS
from support.stack import Stack, free_port

if TYPE_CHECKING:
    from bench.options import Options

WARM_UP = 30
REQUESTS = 80
"""In each round, of each gateway."""

CELLS = {"plain": "plain, one at a time", "stream": "stream, one at a time"}


def run(options: Options) -> Record:
    """Measure."""
    record = Record.new("journal")
    record.cells = dict(CELLS)
    record.alternatives = {"gateway": "with the journal", "without": "without"}
    port = free_port()
    stack = Stack(
        SCRIPTED_PROVIDERS
        | {
            "COMPOSE_FILE": "docker-compose.yml:tests/bench/journal.yml",
            "PLAIN_PORT": str(port),
        }
    )
    services = ("gateway", "plain", "scripted-upstream")
    with stack:
        stack.compose("up", "--detach", "--no-build", "--wait", *services)
        key = stack.secret("litellm_master_key")  # without a database there is no other
        urls = {"gateway": stack.gateway_url, "without": f"http://127.0.0.1:{port}"}
        progress = Progress(options.rounds)
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {key}"
            for number in range(options.rounds):
                for cell in CELLS:
                    record.samples += _round(session, urls, cell, number)
                progress.step(f"round {number + 1}")
    return record


def _round(session: requests.Session, urls: dict[str, str], cell: str, number: int) -> list[Sample]:
    """Ask both in turns; the first ones of a round are not timed."""
    times: dict[str, list[float]] = {name: [] for name in urls}
    for each in range(WARM_UP + REQUESTS):
        for name in urls if each % 2 else reversed(urls):
            seconds = _ask(session, urls[name], stream=cell == "stream")
            if each >= WARM_UP:
                times[name].append(seconds * 1000)
    return [
        Sample(cell, name, number, {"p50_ms": statistics.median(found)})
        for name, found in times.items()
    ]


def _ask(session: requests.Session, url: str, *, stream: bool) -> float:
    message = {"role": "user", "content": "Hallo"}
    body = {"model": PRICED, "messages": [message], "stream": stream}
    started = time.perf_counter()
    answer = session.post(f"{url}/v1/chat/completions", json=body, timeout=60)
    seconds = time.perf_counter() - started
    answer.raise_for_status()
    return seconds
