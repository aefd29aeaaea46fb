"""What was measured: one sample a round, kept whole, and what is said of all rounds together."""

from __future__ import annotations

import datetime as dt
import json
import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.measure.machine import commit, machine
from support import recorded

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One alternative in one cell of a benchmark, in one round.

    Attributes:
        values: by name, with the unit at its end: rate, p50_ms, cpu_ms, memory_mb.
    """

    cell: str
    alternative: str
    round: int
    values: dict[str, float]


@dataclass(frozen=True)
class Check:
    """Something that has to hold for the figures to mean anything."""

    what: str
    holds: bool
    seen: str = ""


@dataclass(frozen=True)
class Summary:
    """The median of several rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float
    rounds: int


@dataclass
class Record:
    """One run of a benchmark, as its JSON file has it."""

    benchmark: str
    command: str
    begun: str
    machine: dict[str, str]
    versions: dict[str, str]
    seconds: float = 0
    cells: dict[str, str] = field(default_factory=dict)
    alternatives: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, benchmark: str) -> Record:
        """Return an empty one, with this machine and this checkout."""
        begun = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        return cls(benchmark, "", begun, machine(), {"commit": commit()})

    def values(self, cell: str, alternative: str, name: str) -> dict[int, float]:
        """Return a value by round."""
        return {
            sample.round: sample.values[name]
            for sample in self.samples
            if (sample.cell, sample.alternative) == (cell, alternative) and name in sample.values
        }

    def summary(self, cell: str, alternative: str, name: str) -> Summary | None:
        """Return what is said of a value, None when it was not measured."""
        return summarise(list(self.values(cell, alternative, name).values()))

    def ratio(self, cell: str, one: str, other: str, name: str) -> Summary | None:
        """Return by how much one alternative's value is the other's, round by round.

        Both of a round were measured within seconds of each other, so that a machine that is slow
        for a minute slows both.
        """
        mine, theirs = self.values(cell, one, name), self.values(cell, other, name)
        return summarise([mine[n] / theirs[n] for n in mine.keys() & theirs.keys() if theirs[n]])

    def write(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        recorded.write(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Record:
        """Return what `write` kept."""
        found: dict[str, Any] = json.loads(path.read_text())
        found["samples"] = [Sample(**sample) for sample in found["samples"]]
        found["checks"] = [Check(**check) for check in found["checks"]]
        return cls(**found)


def summarise(values: list[float]) -> Summary | None:
    """Return median and range, None of nothing."""
    if not values:
        return None
    return Summary(statistics.median(values), min(values), max(values), len(values))
