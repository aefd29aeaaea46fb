"""What becomes of each answer's cost when Postgres is away for an hour under load.

`./run bench outage [MINUTES]`; a stack of its own, whose providers are the scripted upstream.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.measure.samples import Check, Record, Sample
from support.scripted import SCRIPTED_PROVIDERS
from support.spending import Books, Load, Payer, load, make_payer, read_books
from support.stack import Stack
from support.wait import until

if TYPE_CHECKING:
    from bench.options import Options

MINUTES = 60.0
SAMPLE_SECONDS = 60.0
GREEN_SECONDS = 60
APPLY_SECONDS = 600
WORKERS = 2
PAUSE_SECONDS = 0.5
"""So that the load is an application's, and not this machine's limit."""


def journal_mb(stack: Stack) -> float:
    """Return what the journal takes on the disk in MB."""
    return int(stack.execute("gateway", "du", "-sk", "/var/lib/gateway-journal").split()[0]) / 1e3


def watch(stack: Stack, running: Load, minutes: float) -> None:
    """Print how it goes, until the outage has lasted so long."""
    begun = time.monotonic()
    while (left := minutes * 60 - (time.monotonic() - begun)) > 0:
        running.stopping.wait(min(SAMPLE_SECONDS, left))
        print(
            f"{(time.monotonic() - begun) / 60:5.1f} min  {len(running.answered):7,} answered  "
            f"{running.refused:3} refused  journal {journal_mb(stack):4.0f} MB  "
            f"memory {stack.memory_mb():4.0f} MB",
            flush=True,
        )


def books_when_complete(stack: Stack, payer: Payer, running: Load) -> Books:
    """Return the books once each answer has a row, or as they are after ten minutes."""

    def complete() -> bool:
        return read_books(stack, payer).rows_of_calls.keys() >= set(running.answered)

    try:
        until(complete, seconds=APPLY_SECONDS, what="a row for each answer")
    except AssertionError as error:
        print(error)
    return read_books(stack, payer)


def run(options: Options) -> Record:
    """Take it away, bring it back, count; once, for as many minutes as the amount says."""
    minutes = options.amount or MINUTES
    record = Record.new("outage")
    record.cells = {"outage": f"Postgres away for {minutes:g} minutes"}
    record.alternatives = {"gateway": "this gateway"}
    with Stack(SCRIPTED_PROVIDERS) as stack:
        stack.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
        payer = make_payer(stack, "outage")
        with load(stack, payer, workers=WORKERS, pause=PAUSE_SECONDS) as running:
            running.grew_by(5, seconds=60)
            stack.compose("stop", "postgres")
            watch(stack, running, minutes)
            stack.compose("start", "postgres")
            stack.wait_for("gateway", "healthy", seconds=GREEN_SECONDS)
            running.grew_by(5, seconds=60)
        back = time.monotonic()
        books = books_when_complete(stack, payer, running)
        took = time.monotonic() - back
    rows = books.rows_of_calls
    lost = len(set(running.answered) - rows.keys())
    doubled = sum(count > 1 for count in rows.values())
    wrong = [name for name, total in books.totals.items() if abs(total - books.spent) > 1e-9]
    values = {
        "answered": float(len(running.answered)),
        "refused": float(running.refused),
        "rows": float(len(books.rows)),
        "applied_s": took,
    }
    record.samples.append(Sample("outage", "gateway", 0, values))
    seen = f"{lost} lost, {doubled} doubled"
    totals = ", ".join(wrong) or "all"
    record.checks = [
        Check("every answer has one row", not lost and not doubled, seen),
        Check("totals of key, team and user are the sum of the rows", not wrong, totals),
    ]
    return record
