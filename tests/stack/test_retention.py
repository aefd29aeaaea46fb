"""SPEND_RETENTION: old rows go in the background, and no request notices."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from support.long import rounds
from support.scripted import ask
from support.stack import Stack
from support.wait import until

ROWS = rounds(50_000, long=200_000)
# The schedule of the tests' stack is each minute, and deleting this many takes seconds.
DELETED_SECONDS = 180
SLOWEST_SECONDS = 5.0
GROWTH_MB = 60


def old_rows(stack: Stack) -> int:
    """Return how many rows are left of those that are to go."""
    rows = stack.sql(
        'SELECT count(*) AS n FROM "LiteLLM_SpendLogs" WHERE "startTime" < \'1995-01-01\''
    )
    return int(rows[0]["n"])


def test_old_rows_go_under_load_and_nobody_waits(
    priced_stack: Stack, counted: Callable[[str], None]
) -> None:
    """All old rows are deleted while requests are served at once; memory is flat, new rows stay."""
    made = priced_stack.run("key", "create", "retention", "--budget", "1", "--json").stdout
    secret = json.loads(made)["api_key"]
    assert ask(priced_stack, secret).ok
    memory = priced_stack.memory_mb()
    priced_stack.sql(
        'INSERT INTO "LiteLLM_SpendLogs" (request_id, call_type, api_key, spend, "startTime",'
        " \"endTime\", model, metadata) SELECT 'old-' || n, 'acompletion', 'gone', 0.001, t, t,"
        " 'gpt', jsonb_build_object('text', repeat(md5(n::text), 20))"
        " FROM (SELECT n, timestamp '1990-01-01' + n * interval '1 minute' AS t"
        " FROM generate_series(1, %s) AS n) AS made",
        ROWS,
    )
    slowest = 0.0
    answered = 0

    def gone() -> bool:
        nonlocal slowest, answered
        for _ in range(5):
            started = time.monotonic()
            assert ask(priced_stack, secret).ok
            slowest = max(slowest, time.monotonic() - started)
            answered += 1
        return old_rows(priced_stack) == 0

    until(gone, seconds=DELETED_SECONDS, what="the old rows to be deleted")

    growth = priced_stack.memory_mb() - memory
    counted(f"{ROWS} rows deleted; {answered} answers, slowest {slowest:.2f} s; {growth:+.0f} MB")
    assert slowest < SLOWEST_SECONDS
    assert growth < GROWTH_MB
    rows = priced_stack.sql('SELECT count(*) AS n FROM "LiteLLM_SpendLogs"')
    assert int(rows[0]["n"]) >= answered - 10  # the last ones are on their way
