"""A download's progress: a percentage at every moment, and a log line now and then."""

import time
from collections.abc import Callable

import ollama

from model_server.disk import human

STEP_PERCENT = 5
STEP_SECONDS = 10.0


class Progress:
    """Adds up the layers of one download.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._layers: dict[str, tuple[int, int]] = {}
        self._said_at, self._said_percent = clock(), -1
        self._began: tuple[float, int] | None = None

    def add(self, step: ollama.ProgressResponse) -> None:
        """Take note of what the server said last."""
        if step.digest and step.total:
            self._layers[step.digest] = (step.completed or 0, step.total)
            self._began = self._began or (self._clock(), self._done)

    @property
    def _done(self) -> int:
        return sum(done for done, _ in self._layers.values())

    @property
    def _total(self) -> int:
        return sum(total for _, total in self._layers.values())

    @property
    def percent(self) -> int | None:
        """Whole percents of the bytes, None before the first."""
        return min(100, self._done * 100 // self._total) if self._layers else None

    def line(self) -> str | None:
        """Return what to log: after every 5 %, or after 10 s without; else None."""
        now, percent = self._clock(), self.percent
        if percent is None or self._began is None:
            return None
        if (
            percent // STEP_PERCENT == self._said_percent // STEP_PERCENT
            and now - self._said_at < STEP_SECONDS
        ):
            return None
        self._said_at, self._said_percent = now, percent
        began, had = self._began
        fetched = self._done - had
        speed = f", {human(fetched / max(now - began, 0.001))}/s" if fetched else ""
        return f"{percent} % of {human(self._total)}{speed}"
