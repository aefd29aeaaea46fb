"""How long until the first answer after `docker compose up`, and what it takes.

Images are built and volumes present, as on any start but the first. Beside it, in turn, LiteLLM's
own command line in the same image against the same database, so that a slow machine slows both.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import openai

from bench.plain import start_plain
from support.stack import Stack
from support.wait import until

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
BUDGET_SECONDS = 15
BUDGET_GATEWAY_MB = 600
BUDGET_IMAGES_MB = {"gateway": 800, "backend-stub": 200}
MEGABYTE = 1_000_000


def first_answer(url: str, key: str, alive: Callable[[], None] | None = None) -> None:
    """Ask for one token until somebody answers."""
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)

    def ask() -> bool:
        try:
            client.chat.completions.create(
                model="extraction-model",
                messages=[{"role": "user", "content": "Hallo"}],
                max_tokens=1,
            )
        except openai.OpenAIError as error:
            raise AssertionError(error) from error
        return True

    until(ask, seconds=150, what="the first answer", alive=alive)


def ours(stack: Stack, key: str) -> float:
    """Return the seconds from `docker compose up` of a stopped stack to the first answer."""
    stack.compose("down")
    started = time.monotonic()
    stack.compose("up", "--detach", "--no-build")
    first_answer(stack.gateway_url, key)
    return time.monotonic() - started


# The seed document's configuration, with the one model that both have.
PLAIN_CONFIG = """
model_list:
  - model_name: extraction-model
    litellm_params:
      model: ollama_chat/%s
      api_base: http://ollama:11434
"""


def plain(stack: Stack, key: str) -> float:
    """Return the same for LiteLLM's own command line, everything around it already running."""
    stack.compose("stop", "gateway", "backend-stub")
    name = f"{stack.project}-plain"
    started = time.monotonic()
    start_plain(stack, name, key, PLAIN_CONFIG % stack.shell["OLLAMA_MODEL"], "--service-ports")
    try:
        first_answer(stack.gateway_url, key, alive=lambda: must_run(stack, name))
        return time.monotonic() - started
    finally:
        stack.command("docker", "rm", "--force", name)


def must_run(stack: Stack, name: str) -> None:
    """Raise with the container's log when it no longer runs."""
    state = stack.command("docker", "inspect", "--format", "{{.State.Status}}", name).stdout
    if state.strip() != "running":
        log = stack.command("docker", "logs", "--tail", "30", name)
        raise RuntimeError(f"{name} died:\n{log.stdout}{log.stderr}")


def gateway_megabytes(stack: Stack) -> float:
    """Return what the gateway's container holds in memory without the page cache, in MB."""
    container = stack.container("gateway")
    text = stack.command("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", container)
    number, unit = text.stdout.split("/")[0].strip()[:-3], text.stdout.split("/")[0].strip()[-3:]
    return float(number) * {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit] / MEGABYTE


def image_megabytes(stack: Stack, service: str) -> float:
    """Return the size of a service's image in MB."""
    name = f"litellm-proxy-service/{service}:0.1.0"
    size = stack.command("docker", "image", "inspect", "--format", "{{.Size}}", name).stdout
    return int(size) / MEGABYTE


def main() -> None:
    """Measure, print a line a figure, and end with 1 when a budget is exceeded."""
    stack = Stack({"OLLAMA_MODEL": "smollm2:135m"})
    over = 0

    def report(what: str, value: float, budget: float, unit: str) -> None:
        nonlocal over
        over += value > budget
        print(f"{what:<44} {value:8.1f} {unit:<3} budget {budget}")

    with stack:
        stack.run("up")
        key = stack.secret("litellm_master_key")
        our_times, plain_times = [], []
        for _ in range(ROUNDS):
            our_times.append(ours(stack, key))
            memory = gateway_megabytes(stack)
            plain_times.append(plain(stack, key))
        median = statistics.median(our_times)
        report("compose up to first answer, median", median, BUDGET_SECONDS, "s")
        print(f"{'  all rounds':<44} {', '.join(f'{each:.1f}' for each in our_times)}")
        print(f"{'litellm command line alone, median':<44} {statistics.median(plain_times):8.1f} s")
        ratio = statistics.median(a / b for a, b in zip(our_times, plain_times, strict=True))
        print(f"{'whole stack / litellm command line':<44} {ratio:8.2f} x")
        report("gateway memory after the first answer", memory, BUDGET_GATEWAY_MB, "MB")
        for service, budget in BUDGET_IMAGES_MB.items():
            report(f"image {service}", image_megabytes(stack, service), budget, "MB")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
