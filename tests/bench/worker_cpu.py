"""Processor time of a call through the worker: python tests/bench/worker_cpu.py [CALLS].

Anthropic and Gemini against the scripted upstream in this process's threads, plain and as a stream
of 22 chunks; the worker's own time, from /proc, is what is shown.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for folder in ("gateway", "scripted-upstream", "tests"):
    sys.path.insert(0, str(TESTS.parent / folder))

from gateway.config.deployment import Models  # noqa: E402 -- as above
from gateway.config.settings import load_settings  # noqa: E402 -- as above
from gateway.providers.reply import StreamReply, Timeouts  # noqa: E402 -- as above
from gateway.worker.supervisor import Worker  # noqa: E402 -- as above
from unit.scripted_upstream.running import Running  # noqa: E402 -- the path comes first
from unit.worker.asking import MESSAGES, deployment_at, request_with  # noqa: E402 -- as above

TICKS = os.sysconf("SC_CLK_TCK")
WORDS = " ".join(f"wort{number}" for number in range(19))


def seconds_of(pid: int | None) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def call(worker: Worker, url: str, provider: str, *, stream: bool) -> int:
    """Make one call; return its chunks."""
    request = request_with({"messages": MESSAGES, "stream": stream})
    base = deployment_at(url, provider)
    reply = await worker.provider.ask(base, request, Timeouts(5, 30))
    count = 0
    if isinstance(reply, StreamReply):
        async for _ in reply:
            count += 1
        await reply.close()
    return count


async def measure(url: str, calls: int) -> None:
    """Show the figures."""
    with tempfile.TemporaryDirectory() as folder:
        models = Models((deployment_at(url, "anthropic"),))
        worker = Worker(models, load_settings({"GATEWAY_STATE_DIR": str(folder)}))
        worker.start()
        assert await worker.wait_ready(120)
        print(f"ready: {seconds_of(worker.pid):.1f} s, {(worker.memory or 0) >> 20} MiB")
        for provider in ("anthropic", "gemini"):
            for stream in (False, True):
                for _ in range(10):
                    chunks = await call(worker, url, provider, stream=stream)
                before = seconds_of(worker.pid)
                for _ in range(calls):
                    await call(worker, url, provider, stream=stream)
                spent = (seconds_of(worker.pid) - before) / calls * 1000
                kind = f"stream, {chunks} chunks" if stream else "plain"
                print(f"{provider:10} {kind:20} {spent:6.2f} ms")
        print(f"after: {(worker.memory or 0) >> 20} MiB")
        await worker.close()


if __name__ == "__main__":
    upstream = Running.start(f"answer: {{text: {WORDS}}}")
    try:
        asyncio.run(measure(upstream.url, int(sys.argv[1]) if len(sys.argv) > 1 else 100))
    finally:
        upstream.stop()
