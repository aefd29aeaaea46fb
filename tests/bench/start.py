"""How long until the first answer, and where the time goes, compared with LiteLLM's own command.

Images are built and volumes present, as on any start but the first. Both are measured in turn in
the same image against the same database, so that a slow machine slows both. A start from nothing
takes ten minutes and is not repeated here: `./run transcript` times it.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING, Any

import openai

from bench.measure.engine import read
from bench.measure.rounds import Progress
from bench.measure.samples import Check, Record, Sample
from bench.plain import start_plain
from support.stack import MODEL, Stack, image
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.options import Options

BUDGET_SECONDS = 15
BUDGET_GATEWAY_MB = 600
BUDGET_IMAGES_MB = {"gateway": 800, "backend-stub": 200}
MEGABYTE = 1_000_000
CELLS = {
    "start": "compose up to the first answer of the local model",
    "switch": "another provider's key in the environment, compose up, its first answer",
}
TITLES = {"gateway": "this stack", "litellm": "LiteLLM's command line, all else running"}
OPENAI = {"OPENAI_API_KEY": "sk-scripted-0123456789"}
UPSTREAM = {"OPENAI_API_BASE": "http://scripted-upstream:9000/v1", "COMPOSE_PROFILES": "faults"}
# The seed document's configuration, with the one model that both have.
PLAIN_CONFIG = """
model_list:
  - model_name: extraction-model
    litellm_params:
      model: ollama_chat/%s
      api_base: http://ollama:11434
"""


def first_answer(
    url: str, key: str, model: str = "extraction-model", alive: Callable[[], None] | None = None
) -> None:
    """Ask for one token until somebody answers."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)

    def ask() -> bool:
        try:
            client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Hallo"}], max_tokens=1
            )
        except openai.OpenAIError as error:
            raise AssertionError(error) from error
        return True

    until(ask, seconds=150, what="the first answer", alive=alive)


def ours(stack: Stack, key: str) -> dict[str, float]:
    """Return the seconds from `docker compose up` of a stopped stack to the first answer."""
    stack.compose("down")
    begun = time.time()
    stack.compose("up", "--detach", "--no-build")
    first_answer(stack.gateway_url, key)
    whole = time.time() - begun
    memory = read({"gateway": stack.container("gateway")})["gateway"].memory_mb
    return {"seconds": whole, **parts(stack, begun, whole), "memory_mb": memory}


def parts(stack: Stack, begun: float, whole: float) -> dict[str, float]:
    """Return which part of a start took how long; each begins when the one before it ended."""
    state = {name: _state(stack, name) for name in ("secrets", "migrate", "gateway")}
    ends = {
        "secrets_s": _moment(state["secrets"]["FinishedAt"]),
        "postgres_s": _moment(state["migrate"]["StartedAt"]),
        "migrate_s": _moment(state["migrate"]["FinishedAt"]),
        "gateway_created_s": _moment(state["gateway"]["StartedAt"]),
        "first_answer_s": begun + whole,
    }
    found, last = {}, begun
    for name, end in ends.items():
        found[name], last = max(0.0, end - last), end
    return found


def switch(stack: Stack, key: str) -> dict[str, float]:
    """Return the seconds from a provider's key in the environment to that provider's answer."""
    begun = time.monotonic()
    stack.compose("up", "--detach", "--no-build", "gateway", **OPENAI)
    first_answer(stack.gateway_url, key, "extraction-model-openai")
    return {"seconds": time.monotonic() - begun}


def plain(stack: Stack, key: str) -> dict[str, float]:
    """Return the same for LiteLLM's own command line, everything around it already running."""
    stack.compose("stop", "gateway", "backend-stub")
    name = f"{stack.project}-plain"
    begun = time.monotonic()
    start_plain(stack, name, key, PLAIN_CONFIG % MODEL, "--service-ports")
    try:
        first_answer(stack.gateway_url, key, alive=lambda: must_run(stack, name))
        whole = time.monotonic() - begun
        return {"seconds": whole, "memory_mb": read({"plain": name})["plain"].memory_mb}
    finally:
        stack.command("docker", "rm", "--force", name)


def must_run(stack: Stack, name: str) -> None:
    """Raise with the container's log when it no longer runs."""
    state = stack.command("docker", "inspect", "--format", "{{.State.Status}}", name).stdout
    if state.strip() != "running":
        log = stack.command("docker", "logs", "--tail", "30", name)
        raise RuntimeError(f"{name} died:\n{log.stdout}{log.stderr}")


def image_megabytes(stack: Stack, service: str) -> float:
    """Return the size of a service's image in MB."""
    inspect = ("docker", "image", "inspect", "--format", "{{.Size}}", image(service))
    return int(stack.command(*inspect).stdout) / MEGABYTE


def run(options: Options) -> Record:
    """Measure."""
    record = Record.new("start")
    record.cells, record.alternatives = CELLS, TITLES
    with Stack({"OLLAMA_MODEL": MODEL, "LITELLM_PROXY": "always", **UPSTREAM}) as stack:
        stack.run("up")
        stack.compose("up", "--detach", "--no-build", "--wait", "scripted-upstream")
        key = stack.secret("litellm_master_key")
        progress = Progress(options.rounds)
        for number in range(options.rounds):
            for cell, name, measure in (
                ("start", "gateway", ours),
                ("switch", "gateway", switch),
                ("start", "litellm", plain),
            ):
                record.samples.append(Sample(cell, name, number, measure(stack, key)))
            times = [sample.values["seconds"] for sample in record.samples[-3:]]
            progress.step(", ".join(f"{each:.1f} s" for each in times))
        record.checks += _checks(stack, record)
    return record


def _checks(stack: Stack, record: Record) -> list[Check]:
    found = {
        "compose up to the first answer, s": (_median(record, "seconds"), BUDGET_SECONDS),
        "the gateway's memory after it, MB": (_median(record, "memory_mb"), BUDGET_GATEWAY_MB),
    }
    found |= {
        f"image {name}, MB": (image_megabytes(stack, name), budget)
        for name, budget in BUDGET_IMAGES_MB.items()
    }
    return [
        Check(f"{what}: at most {budget}", value <= budget, f"{value:.1f}")
        for what, (value, budget) in found.items()
    ]


def _median(record: Record, name: str) -> float:
    found = record.summary("start", "gateway", name)
    return found.median if found else float("inf")


def _state(stack: Stack, service: str) -> dict[str, Any]:
    inspected = json.loads(stack.command("docker", "inspect", stack.container(service)).stdout)
    state: dict[str, Any] = inspected[0]["State"]
    return state


def _moment(text: str) -> float:
    """Return the engine's time, which has nine digits after the point, in seconds."""
    return dt.datetime.fromisoformat(f"{text[:26].rstrip('Z')}+00:00").timestamp()
