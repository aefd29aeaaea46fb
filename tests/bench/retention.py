"""The deletion of 5 million old rows under load: speed, answers meanwhile, memory, disk.

`./run bench retention [ROWS]`; a stack of its own, whose providers are the scripted upstream. It
needs about 5 GB of disk.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

from bench.measure.samples import Record, Sample
from support.scripted import SCRIPTED_PROVIDERS, ask
from support.stack import Stack

if TYPE_CHECKING:
    from bench.options import Options

ROWS = 5_000_000
CHUNK = 250_000
SAMPLE_SECONDS = 10.0
MAX_HOURS = 3


def fill(stack: Stack, present: int, rows: int) -> None:
    """Make rows of 1990 with the metadata of a real one, a chunk at a time.

    Args:
        stack: whose database it is.
        present: how many there are already.
        rows: how many there will be.
    """
    for start in range(present, rows, CHUNK):
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


def watch(stack: Stack, secret: str, rows: int) -> dict[str, float]:
    """Ask without a pause until the old rows are gone; return what was seen on the way."""
    begun = time.monotonic()
    seconds: list[float] = []
    memory = [stack.memory_mb()]
    next_sample = begun
    while time.monotonic() - begun < MAX_HOURS * 3600:
        started = time.monotonic()
        answer = ask(stack, secret)
        if not answer.ok:
            raise RuntimeError(f"an answer was refused: {answer.status_code} {answer.text[:200]}")
        seconds.append(time.monotonic() - started)
        if time.monotonic() >= next_sample:
            remaining = left(stack)
            memory.append(stack.memory_mb())
            print(f"{time.monotonic() - begun:6.0f} s  {remaining:9,} left  {memory[-1]:5.0f} MB")
            if remaining == 0:
                break
            next_sample = time.monotonic() + SAMPLE_SECONDS
    took = time.monotonic() - begun
    ordered = sorted(seconds)
    return {
        "rows_per_second": rows / took,
        "seconds": took,
        "p50_ms": statistics.median(seconds) * 1e3,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1e3,
        "slowest_ms": ordered[-1] * 1e3,
        "memory_mb": max(memory),
    }


def run(options: Options) -> Record:
    """Fill, wait for the schedule, watch; once, with as many rows as the amount says."""
    rows = int(options.amount or ROWS)
    record = Record.new("retention")
    record.cells = {"retention": f"{rows:,} old rows deleted under load"}
    record.alternatives = {"gateway": "this gateway"}
    with Stack({**SCRIPTED_PROVIDERS, "SPEND_RETENTION_CRON": "* * * * *"}) as stack:
        stack.compose("up", "--detach", "--no-build", "--wait", "postgres", "scripted-upstream")
        stack.compose("run", "--rm", "--no-TTY", "migrate")
        fill(stack, 0, rows)
        size = stack.sql("SELECT pg_total_relation_size('\"LiteLLM_SpendLogs\"') AS n")[0]["n"]
        record.notes.append(f"{rows:,} rows took {int(size) / 1e9:.1f} GB")
        stack.compose("up", "--detach", "--no-build", "--wait", "gateway")
        made = stack.run("key", "create", "bench", "--budget", "1000", "--json").stdout
        values = watch(stack, json.loads(made)["api_key"], rows)
    record.samples.append(Sample("retention", "gateway", 0, values))
    return record
