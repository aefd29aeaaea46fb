"""What the gateways of one container tell each other: each second, that they live and how.

A health check reaches any one of them. So each also reports what is wrong with the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

BEAT_SECONDS = 1.0
SILENT_SECONDS = 5.0
"""A process that has been silent for this long answers nobody."""


@dataclass(frozen=True)
class Beats:
    """The files in which the processes of a container report, one each.

    Attributes:
        folder: where they are; the same for all processes.
        count: how many processes there are.
        clock: a clock that all processes share, in seconds.
    """

    folder: Path
    count: int
    clock: Callable[[], float] = time.monotonic

    def write(self, number: int, reasons: Sequence[str] = ()) -> None:
        """Report that a process serves, and why it is not healthy."""
        new = self.folder / f"{number}.new"
        new.write_text(json.dumps([self.clock(), list(reasons)]), encoding="utf-8")
        new.replace(self.folder / f"{number}")

    def end(self, number: int) -> bool:
        """Remove the report of a process that has died; return whether it ever served."""
        path = self.folder / f"{number}"
        served = path.exists()
        path.unlink(missing_ok=True)
        return served

    def reasons(self, number: int) -> list[str]:
        """Return why the processes other than `number` are not healthy."""
        found: dict[str, None] = {}
        for other in self._others(number):
            report = self._read(other)
            if report is None:
                continue
            silent = self.clock() - report[0]
            if silent > SILENT_SECONDS:
                found[f"{self.name(other)} has not answered for {silent:.0f} s"] = None
            else:
                found.update(dict.fromkeys(report[1]))
        return list(found)

    def missing(self, number: int) -> list[str]:
        """Return which processes other than `number` do not serve, for example while they start."""
        return [
            f"{self.name(other)} does not serve"
            for other in self._others(number)
            if self._read(other) is None
        ]

    def name(self, number: int) -> str:
        """Return how a process is called in messages; the one after the gateways has metrics."""
        return f"process {number} of {self.count}" if number <= self.count else "process of metrics"

    def _others(self, number: int) -> list[int]:
        return [other for other in range(1, self.count + 1) if other != number]

    def _read(self, number: int) -> tuple[float, list[str]] | None:
        try:
            at, reasons = json.loads((self.folder / f"{number}").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return at, reasons


class Sibling:
    """One process of several.

    Args:
        beats: the reports of all of them.
        number: the number of this one, from 1.
    """

    def __init__(self, beats: Beats, number: int) -> None:
        self._beats = beats
        self._own_reasons: Callable[[], Sequence[str]] = tuple
        self._task: asyncio.Task[None] | None = None
        self.number = number

    def start(self, own_reasons: Callable[[], Sequence[str]]) -> None:
        """Begin to report, until the event loop ends: a process that drains still answers.

        Args:
            own_reasons: returns why this process by itself is not healthy.
        """
        self._own_reasons = own_reasons
        self._task = asyncio.get_running_loop().create_task(self._report(), name="beats")

    def reasons(self) -> list[str]:
        """Return why the other processes are not healthy."""
        return self._beats.reasons(self.number)

    def missing(self) -> list[str]:
        """Return which other processes do not serve."""
        return self._beats.missing(self.number)

    async def _report(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # a full disk: the others notice the silence
                self._beats.write(self.number, self._own_reasons())
            await asyncio.sleep(BEAT_SECONDS)
