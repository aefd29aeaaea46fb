"""Answers per second, latency and processor time of a request, compared with its peers.

Each alternative is one process in front of the same upstream. "This gateway" has everything
switched on that a user has: a thousand keys in teams with budgets, the journal flushed to the disk
before an answer's last byte, rows in PostgreSQL, logs, metrics, Prometheus, and LiteLLM's proxy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.alternatives.floor import Floor
from bench.alternatives.gateway import Gateway
from bench.alternatives.litellm import LiteLLMWithDatabase, PlainLiteLLM
from bench.alternatives.portkey import Portkey
from bench.load.bodies import KEEPS_SCHEMA
from bench.load.checks import load_checks
from bench.load.upstream import Behaviour
from bench.measure import rounds
from bench.measure.samples import Record
from bench.measure.turn import Book, Cell, turn
from bench.options import Options, chosen
from bench.site import site

if TYPE_CHECKING:
    from bench.alternatives.base import Alternative

ALTERNATIVES = {
    each.name: each for each in (Gateway, LiteLLMWithDatabase, PlainLiteLLM, Portkey, Floor)
}
REFERENCE = "plain-16"


CELLS = {
    "plain-1": Cell("plain, 1 at once", 1),
    "plain-16": Cell("plain, 16 at once", 16),
    "plain-64": Cell("plain, 64 at once", 64, longer=1.5),
    "stream-16": Cell("stream of 22 chunks, 16 at once", 16, stream=True),
    "plain-256": Cell("plain, 256 at once", 256, longer=3),
    "prompt-4k": Cell("prompt of 4 kB, 16 at once", 16, characters=4_000),
    "prompt-100k": Cell("prompt of 100 kB, 16 at once", 16, characters=100_000),
    "tools": Cell(
        "tools and a schema, 16 at once",
        16,
        tools=True,
        behaviour=Behaviour(content=KEEPS_SCHEMA),
    ),
    "plain-50ms": Cell("upstream takes 50 ms, 16 at once", 16, behaviour=Behaviour(delay_ms=50)),
    "stream-50ms": Cell(
        "stream: 50 ms to the first token, 10 ms between tokens, 16 at once",
        16,
        stream=True,
        behaviour=Behaviour(delay_ms=50, gap_ms=10),
    ),
}
NOTES = (
    (
        "LiteLLM with its database runs on this project's Prisma engine, as the stack's own LiteLLM"
        " does: Prisma's binary is in no package registry; with it, rows may cost less"
    ),
    "Bifrost is not among them: its Go module could not be had from the module proxy",
    "the load, the upstream and all that an alternative needs share the machine's two cores",
)
SHORT = ("plain-1", "plain-16", "plain-64", "stream-16")


def run(options: Options) -> Record:
    """Measure."""
    cells = chosen(CELLS, options.cells or (SHORT if options.short else ()), "cell")
    classes = chosen(ALTERNATIVES, options.alternatives, "alternative")
    record = Record.new("overhead")
    record.notes += NOTES
    record.cells = {name: cell.title for name, cell in cells.items()}
    record.alternatives = {name: each.title for name, each in classes.items()}
    books: dict[str, Book] = {}
    with site() as place:
        alternatives = [each(place) for each in classes.values()]
        with rounds.started(record, alternatives):
            for alternative in alternatives:
                books[alternative.name] = Book()

            def measure(alternative: Alternative, cell: Cell) -> dict[str, float] | None:
                return turn(place, alternative, cell, options.seconds, books[alternative.name])

            rounds.take_turns(record, alternatives, cells, options.rounds, measure)
            record.checks += load_checks(record, place, alternatives, options.seconds, REFERENCE)
            record.checks.extend(books[each.name].check(each.title) for each in alternatives)
    return record
