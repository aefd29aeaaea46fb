"""A download's log lines: few, and never silent for long."""

from __future__ import annotations

import ollama

from model_server.progress import Progress

TOTAL = 2_000_000_000


class Clock:
    """Shows the seconds it was set to."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def lines(moments: list[tuple[float, float]]) -> list[str]:
    """Return what is logged for the percentage done at each of these seconds."""
    clock = Clock()
    progress = Progress(clock)
    logged = []
    for clock.now, percent in moments:
        done = int(TOTAL * percent / 100)
        progress.add(ollama.ProgressResponse(digest="sha256:a", completed=done, total=TOTAL))
        logged.append(progress.line())
    return [line for line in logged if line]


def test_a_quick_download_gets_a_line_each_5_percent() -> None:
    """A thousand steps within a second give 21 lines, 0 % to 100 %."""
    logged = lines([(step / 1000, step / 10) for step in range(1001)])

    assert [int(line.split()[0]) for line in logged] == list(range(0, 101, 5))


def test_a_slow_download_gets_a_line_each_10_seconds() -> None:
    """100 seconds within one percent, reported twice a second, give 11 lines."""
    assert len(lines([(step / 2, step / 250) for step in range(201)])) == 11


def test_a_line_tells_size_and_speed() -> None:
    """It has the percentage, the whole size and the bytes a second since the beginning."""
    assert lines([(0, 0), (10, 50)])[-1] == "50 % of 2.0 GB, 100.0 MB/s"


def test_what_was_there_is_not_speed() -> None:
    """A resumed download counts the bytes from before as done, but not as fetched just now."""
    assert lines([(0, 50), (10, 60)])[-1] == "60 % of 2.0 GB, 20.0 MB/s"


def test_steps_without_bytes_have_no_percentage() -> None:
    """Before the first layer there is nothing to count."""
    progress = Progress()
    progress.add(ollama.ProgressResponse(status="pulling manifest"))

    assert progress.percent is None
    assert progress.line() is None
