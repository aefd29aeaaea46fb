"""Measures the deletion of 5 million old rows under load: speed, answers meanwhile, memory, disk.

    ./run bench retention [ROWS]

A stack of its own, whose providers are the scripted upstream; it needs about 5 GB of disk.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.scripted import SCRIPTED_PROVIDERS, ask
from support.stack import Stack

ROWS = 5_000_000
CHUNK = 250_000
LOOK_SECONDS = 10.0
LONGEST_HOURS = 3


def fill(stack: Stack, rows: int) -> None:
    """Make rows of 1990 with the metadata of a real one, a chunk at a time."""
    for start in range(0, rows, CHUNK):
        stack.sql(
            'INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, "startTime",'
            " \"endTime\", model, metadata) SELECT 'old-' || n, 'acompletion', 'gone', 0.001,"
            " t, t, 'gpt', '{}' FROM (SELECT n, timestamp '1990-01-01' + n * interval '20 seconds'"
            " AS t FROM generate_series(%s::int, %s::int) AS n) AS made",
            start + 1,
            min(start + CHUNK, rows),
        )


def left(stack: Stack) -> int:
    """Return how many old rows are left."""
    rows = stack.sql(
        'SELECT count(*) AS n FROM "LiteLLM_SpendLogs" WHERE "startTime" < \'1995-01-01\''
    )
    return int(rows[0]["n"])


def watch(stack: Stack, secret: str, rows: int) -> None:
    """Ask without a pause until the old rows are gone, and print what is seen on the way."""
    begun = time.monotonic()
    seconds: list[float] = []
    memory = [stack.memory_mb()]
    next_look = begun
    while time.monotonic() - begun < LONGEST_HOURS * 3600:
        started = time.monotonic()
        answer = ask(stack, secret)
        if not answer.ok:
            sys.exit(f"an answer was refused: {answer.status_code} {answer.text[:200]}")
        seconds.append(time.monotonic() - started)
        if time.monotonic() >= next_look:
            remaining = left(stack)
            memory.append(stack.memory_mb())
            print(f"{time.monotonic() - begun:6.0f} s  {remaining:9,} left  {memory[-1]:5.0f} MB")
            if remaining == 0:
                break
            next_look = time.monotonic() + LOOK_SECONDS
    took = time.monotonic() - begun
    print(f"{rows:,} rows in {took:.0f} s: {rows / took:,.0f} a second")
    print(
        f"{len(seconds):,} answers meanwhile: median {statistics.median(seconds) * 1e3:.0f} ms,"
        f" 99 % {sorted(seconds)[int(len(seconds) * 0.99)] * 1e3:.0f} ms,"
        f" slowest {max(seconds) * 1e3:.0f} ms, none refused"
    )
    print(f"memory {min(memory):.0f} to {max(memory):.0f} MB")


def main() -> None:
    """Fill, wait for the schedule, watch."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with Stack({**SCRIPTED_PROVIDERS, "SPEND_RETENTION_CRON": "* * * * *"}) as stack:
        stack.compose("up", "--detach", "--no-build", "--wait", "postgres", "scripted-upstream")
        stack.compose("run", "--rm", "--no-TTY", "migrate")
        fill(stack, rows)
        size = stack.sql("SELECT pg_total_relation_size('\"LiteLLM_SpendLogs\"') AS n")[0]["n"]
        print(f"{rows:,} rows, {int(size) / 1e9:.1f} GB")
        stack.compose("up", "--detach", "--no-build", "--wait", "gateway")
        made = stack.run("key", "create", "bench", "--budget", "1000", "--json").stdout
        watch(stack, json.loads(made)["api_key"], rows)


if __name__ == "__main__":
    main()
