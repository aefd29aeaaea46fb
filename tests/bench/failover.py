"""What a dead Ollama costs each request that its fallback answers, compared with plain LiteLLM.

Both gateways run at once, on the same engine and in front of the same upstream; every round asks
each of them for the fallback itself and for the model that is dead. The difference is what failover
adds.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import requests

from bench.measure.rounds import Progress
from bench.measure.samples import Check, Record, Sample
from bench.plain import start_plain
from support.stack import MODEL, Stack, free_port
from support.wait import until

if TYPE_CHECKING:
    from bench.options import Options

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


def run(options: Options) -> Record:
    """Measure; the times a round are those of one request."""
    record = Record.new("failover")
    record.cells = {"dead": "Ollama is dead, its fallback answers"}
    record.alternatives = {"gateway": "this gateway", "litellm": "LiteLLM's command line"}
    count = int(options.amount or ROUNDS)
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
        stack.compose("up", "--detach", "--no-build", "--wait", "scripted-upstream")
        key = stack.secret("litellm_master_key")
        plain, plain_url = plain_gateway(stack, key)
        stack.compose("stop", "ollama")
        first, _ = pair(stack.gateway_url, key, dead_first=False)
        record.notes.append(f"the first request, which found out: {first:,.0f} ms in all")
        urls = {"gateway": stack.gateway_url, "litellm": plain_url}
        progress = Progress(count)
        for number in range(count):
            for name, url in urls.items():
                whole, added = pair(url, key, dead_first=number % 2 == 0)
                values = {"request_ms": whole, "added_ms": added}
                record.samples.append(Sample("dead", name, number, values))
            progress.step("both asked")
    finally:
        if plain:
            stack.command("docker", "rm", "--force", plain, check=False)
        stack.destroy()
    mine = record.summary("dead", "gateway", "added_ms")
    added = mine.median if mine else float("inf")
    budget = f"failover adds at most {BUDGET_MS} ms at the median"
    record.checks.append(Check(budget, added <= BUDGET_MS, f"{added:.2f} ms"))
    return record
