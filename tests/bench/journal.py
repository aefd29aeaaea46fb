"""What the spend journal adds to an answer: two gateways, with and without it, asked in turns.

Prints medians in milliseconds, their difference, and their ratio. The provider is the scripted
upstream, so all of it is the gateway's own time.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import requests

from support.scripted import PRICED, SCRIPTED_PROVIDERS
from support.stack import Stack, free_port

WARM_UP = 30
ROUNDS = 400


def main() -> None:
    """Measures, and takes everything down again."""
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
        for stream in (False, True):
            _compare(key, stack.gateway_url, f"http://127.0.0.1:{port}", stream=stream)


def _compare(key: str, with_journal: str, without: str, *, stream: bool) -> None:
    times: dict[str, list[float]] = {with_journal: [], without: []}
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        for number in range(WARM_UP + ROUNDS):
            for url in (with_journal, without) if number % 2 else (without, with_journal):
                seconds = _ask(session, url, stream=stream)
                if number >= WARM_UP:
                    times[url].append(seconds * 1000)
    kept, plain = statistics.median(times[with_journal]), statistics.median(times[without])
    added = statistics.median(a - b for a, b in zip(*times.values(), strict=True))
    kind = "stream" if stream else "plain"
    print(
        f"{kind}: {plain:.2f} ms without, {kept:.2f} ms with the journal"
        f" (medians of {ROUNDS}): {kept - plain:+.2f} ms, ratio {kept / plain:.3f};"
        f" median of the pairs' differences {added:+.2f} ms"
    )


def _ask(session: requests.Session, url: str, *, stream: bool) -> float:
    message = {"role": "user", "content": "Hallo"}
    body = {"model": PRICED, "messages": [message], "stream": stream}
    started = time.perf_counter()
    answer = session.post(f"{url}/v1/chat/completions", json=body, timeout=60)
    seconds = time.perf_counter() - started
    answer.raise_for_status()
    return seconds


if __name__ == "__main__":
    main()
