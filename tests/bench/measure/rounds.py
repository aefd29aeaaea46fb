"""Alternatives take turns: all of them in each cell of each round, and in another order each time.

Only the one whose turn it is runs; the others are paused, so that what they do when nobody asks
costs none of them anything.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from bench.measure.samples import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.alternatives.base import Alternative
    from bench.measure.samples import Record

CellT = TypeVar("CellT")
MINUTE = 60


class Progress:
    """Says what was done of what is to be done, and how long the rest will take.

    Args:
        steps: how many there are.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done = 0
        self._begun = time.monotonic()

    def step(self, what: str) -> None:
        """Say that one more is done."""
        self._done += 1
        gone = time.monotonic() - self._begun
        left = gone / self._done * (self._steps - self._done)
        print(f"[{self._done}/{self._steps}, {_minutes(left)} left] {what}", flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / MINUTE:.0f} min" if seconds > 1.5 * MINUTE else f"{seconds:.0f} s"


@contextmanager
def started(
    record: Record, alternatives: Sequence[Alternative], *, warm: bool = True
) -> Iterator[None]:
    """Start all of them, note their versions, leave them paused; resume them at the end."""
    for alternative in alternatives:
        begun = time.monotonic()
        alternative.start()
        alternative.wait()
        if warm:
            alternative.warm()
        record.versions |= alternative.versions()
        alternative.pause()
        print(f"started {alternative.title} in {time.monotonic() - begun:.0f} s", flush=True)
    yield
    for alternative in alternatives:
        alternative.resume()


def take_turns(
    record: Record,
    alternatives: Sequence[Alternative],
    cells: dict[str, CellT],
    rounds: int,
    measure: Callable[[Alternative, CellT], dict[str, float] | None],
) -> None:
    """Measure each alternative in each cell, round after round.

    Args:
        record: takes the samples.
        alternatives: paused ones.
        cells: what is measured, by name.
        rounds: how many.
        measure: returns values; None when this alternative cannot do this, and is left out of the
            cell from then on.
    """
    progress = Progress(rounds * len(cells))
    unable: set[tuple[str, str]] = set()
    for number in range(rounds):
        for place, (name, cell) in enumerate(cells.items()):
            first = (number + place) % len(alternatives)
            said = []
            for alternative in (*alternatives[first:], *alternatives[:first]):
                if (name, alternative.name) in unable:
                    continue
                alternative.resume()
                try:
                    values = measure(alternative, cell)
                finally:
                    alternative.pause()
                if values is None:
                    unable.add((name, alternative.name))
                    record.notes.append(f"{alternative.title} could not do: {record.cells[name]}")
                    continue
                record.samples.append(Sample(name, alternative.name, number, values))
                said.append(f"{alternative.title} {next(iter(values.values())):,.0f}")
            progress.step(f"round {number + 1}: {record.cells[name]}: {', '.join(said)}")
