"""What a dead Ollama costs each request that its fallback answers, beside plain LiteLLM.

Both gateways run at once, on the same engine and in front of the same upstream; every round asks
each of them for the fallback itself and for the model that is dead. The difference is what failover
adds.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import requests
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.plain import start_plain
from support.stack import MODEL, Stack, free_port
from support.wait import until

ROUNDS = 200
BUDGET_MS = 10
DEAD, FALLBACK = "extraction-model", "extraction-model-openai"
UPSTREAM = "http://scripted-upstream:9000/v1"
KEY = "sk-scripted-0123456789"

# The seed document's configuration, as far as it matters here.
PLAIN_CONFIG = f"""
model_list:
  - model_name: {DEAD}
    litellm_params: {{model: ollama_chat/{MODEL}, api_base: "http://ollama:11434"}}
  - model_name: {FALLBACK}
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "{UPSTREAM}", api_key: {KEY}}}
router_settings:
  routing_strategy: simple-shuffle
  num_retries: 2
  timeout: 120
  fallbacks: [{{{DEAD}: [{FALLBACK}]}}]
"""


def ask(url: str, key: str, model: str) -> float:
    """Return the milliseconds that one answer of the fallback took."""
    started = time.monotonic()
    answer = requests.post(
        f"{url}/v1/chat/completions",
        json={"model": model, "messages": [{"role": "user", "content": "Hallo"}]},
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    answer.raise_for_status()
    return (time.monotonic() - started) * 1000


def pair(url: str, key: str, *, dead_first: bool) -> tuple[float, float]:
    """Return the milliseconds of a request for the dead model, and what they are more than direct.

    The first request after a pause is slower whatever it asks for, so one goes before, and the
    order of the two changes from round to round.
    """
    ask(url, key, FALLBACK)
    order = [DEAD, FALLBACK] if dead_first else [FALLBACK, DEAD]
    took = {model: ask(url, key, model) for model in order}
    return took[DEAD], took[DEAD] - took[FALLBACK]


def plain_gateway(stack: Stack, key: str) -> tuple[str, str]:
    """Start LiteLLM's own command line; return its container and address."""
    name, port = f"{stack.project}-plain", free_port()
    start_plain(stack, name, key, PLAIN_CONFIG, "--publish", f"127.0.0.1:{port}:4000")
    url = f"http://127.0.0.1:{port}"
    until(lambda: ask(url, key, FALLBACK) > 0, seconds=120, what="plain LiteLLM to answer")
    return name, url


def main() -> None:
    """Measure, print a table, and end with 1 when the budget is exceeded."""
    console = Console()
    stack = Stack(
        {
            "COMPOSE_PROFILES": "faults",
            "OLLAMA_MODEL": MODEL,
            "OPENAI_API_KEY": KEY,
            "OPENAI_API_BASE": UPSTREAM,
        }
    )
    plain = ""
    try:
        stack.run("up")
        stack.compose("up", "--detach", "--build", "scripted-upstream")
        stack.wait_for("scripted-upstream", "healthy", seconds=60)
        key = stack.secret("litellm_master_key")
        plain, plain_url = plain_gateway(stack, key)
        stack.compose("stop", "ollama")
        first, _ = pair(stack.gateway_url, key, dead_first=False)
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        # The bar moves on a terminal only.
        console.print(f"asking both gateways, {ROUNDS} rounds of some seconds each")
        for number in track(range(ROUNDS), "rounds", console=console):
            dead_first = number % 2 == 0
            ours.append(pair(stack.gateway_url, key, dead_first=dead_first))
            theirs.append(pair(plain_url, key, dead_first=dead_first))
    finally:
        if plain:
            stack.command("docker", "rm", "--force", plain, check=False)
        stack.destroy()
    table = Table(title=f"Ollama dead, {ROUNDS} requests each: milliseconds")
    for heading in ("gateway", "request, median", "added, median", "added, 90th percentile"):
        table.add_column(heading, justify="left" if heading == "gateway" else "right")
    medians = []
    for name, pairs in (("this one", ours), ("plain LiteLLM", theirs)):
        whole, more = zip(*pairs, strict=True)
        medians.append(statistics.median(whole))
        last_tenth = statistics.quantiles(more, n=10)[-1]
        figures = (medians[-1], statistics.median(more), last_tenth)
        table.add_row(name, *(f"{figure:,.2f}" for figure in figures))
    console.print(table)
    console.print(f"the first request, which found out: {first:,.0f} ms in all")
    console.print(f"a request to plain LiteLLM takes {medians[1] / medians[0]:,.1f} times as long")
    mine = statistics.median(more for _, more in ours)
    sys.exit(1 if mine > BUDGET_MS else 0)


if __name__ == "__main__":
    main()
