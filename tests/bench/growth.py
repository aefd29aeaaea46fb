"""What a request costs as things pile up: rows, keys, deployments, open streams.

Lines that should be flat. A line only grows, so its points cannot take turns; what is compared is
processor time, which a busy machine moves less than it moves seconds.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.alternatives.gateway import Gateway
from bench.load.upstream import Behaviour
from bench.measure.rounds import Progress
from bench.measure.samples import Record, Sample
from bench.measure.turn import Book, Cell, turn
from bench.options import chosen
from bench.retention import fill
from bench.site import PROVIDER, site
from support.own_config import own_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.options import Options
    from bench.site import Site

ROWS = (0, 10_000, 100_000, 500_000)
ROWS_LONG = (1_000_000, 5_000_000)
KEYS = (10, 100, 1_000, 10_000, 100_000)
DEPLOYMENTS = (5, 50, 500)
STREAMS = (1, 10, 100, 500)
PLAIN = Cell("plain, 16 at once", 16)
LINES = {
    "rows": "rows of spend logs",
    "keys": "virtual keys",
    "deployments": "deployments of one alias",
    "streams": "open streams",
}


@dataclass
class Line:
    """One line as it grows."""

    name: str
    record: Record
    options: Options
    book: Book

    def point(self, place: Site, gateway: Gateway, many: int, cell: Cell = PLAIN) -> None:
        """Measure where it is now, as often as there are rounds."""
        self.record.cells.setdefault(str(many), f"{many:,}")
        for number in range(self.options.rounds):
            values = turn(place, gateway, cell, self.options.seconds, self.book)
            if values is None:
                self.record.notes.append(f"no answer with {many:,} {LINES[self.name]}")
                return
            if cell.stream:  # for what a second of a stream costs, whatever its length
                values["cpu_ms"] /= values["chunks"]
                values["stack_cpu_ms"] /= values["chunks"]
            self.record.samples.append(Sample(str(many), self.name, number, values))
        found = self.record.summary(str(many), self.name, "cpu_ms")
        print(f"  {many:,} {LINES[self.name]}: {found.median if found else 0:.3f} ms", flush=True)


@contextmanager
def started(place: Site, key_count: int = 1000) -> Iterator[Gateway]:
    """Yield the stack, started, with a number of keys."""
    gateway = Gateway(place, key_count)
    gateway.start()
    gateway.wait()
    yield gateway


def configuration(many: int) -> dict[str, Any]:
    """Return a configuration of one alias with a number of deployments."""
    parameters = {
        "model": "openai/gpt-4o-mini",
        "api_base": PROVIDER["OPENAI_API_BASE"],
        "api_key": "os.environ/OPENAI_API_KEY",
    }
    return {
        "model_list": [
            {"model_name": Gateway.model, "litellm_params": {**parameters, "rpm": 100_000 + n}}
            for n in range(many)
        ]
    }


def rows(line: Line) -> None:
    """Grow the table of spend logs."""
    with site() as place, started(place) as gateway:
        many = 0
        for goal in (*ROWS, *(ROWS_LONG if line.options.long else ())):
            fill(place.stack, many, goal)
            many = goal
            line.point(place, gateway, many)


def keys(line: Line) -> None:
    """Make more keys, and use all of them."""
    with site() as place, started(place, KEYS[0]) as gateway:
        for many in KEYS:
            gateway.add_keys(many - len(gateway.keys))
            line.point(place, gateway, many)


def deployments(line: Line) -> None:
    """Give one alias more deployments; each count is a stack of its own."""
    for many in DEPLOYMENTS:
        own = own_configuration("bench_growth", configuration(many))
        with site(own) as place, started(place) as gateway:
            line.point(place, gateway, many)


def streams(line: Line) -> None:
    """Hold more streams open, of twenty chunks in two seconds each."""
    slow = Behaviour(gap_ms=100)
    with site() as place, started(place) as gateway:
        for many in STREAMS:
            cell = Cell(f"{many} streams", many, stream=True, behaviour=slow, longer=2)
            line.point(place, gateway, many, cell)


MEASURES: dict[str, Callable[[Line], None]] = {
    "rows": rows,
    "keys": keys,
    "deployments": deployments,
    "streams": streams,
}


def run(options: Options) -> Record:
    """Measure each line, from few to many."""
    record = Record.new("growth")
    lines = chosen(MEASURES, options.cells, "line")
    record.alternatives = {name: LINES[name] for name in lines}
    book = Book()
    progress = Progress(len(lines))
    for name, measure in lines.items():
        measure(Line(name, record, options, book))
        progress.step(LINES[name])
    record.cells = dict(sorted(record.cells.items(), key=lambda cell: int(cell[0])))
    record.checks.append(book.check(Gateway.title))
    return record
