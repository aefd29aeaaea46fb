"""What the processes of one gateway tell each other about their health."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.processes.siblings import SILENT_SECONDS, Beats, Sibling

FULL = "the spend journal is full: its disk is full"


class Clock:
    """A clock that tests set.

    Attributes:
        now: what it says.
    """

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


@pytest.fixture
def beats(tmp_path: Path, clock: Clock) -> Beats:
    """Return the reports of three processes, none of which has reported."""
    return Beats(tmp_path, 3, clock)


def test_a_process_that_has_not_reported_is_missing(beats: Beats) -> None:
    """A process that starts, or has died, is named; what it does not do makes nobody unhealthy."""
    beats.write(1)
    beats.write(3)
    assert beats.missing(1) == ["process 2 of 3 does not serve"]
    assert beats.reasons(1) == []


def test_what_is_wrong_with_one_all_report(beats: Beats) -> None:
    """Each process reports the others' reasons, each reason once, and leaves out its own."""
    beats.write(1, ["its own"])
    beats.write(2, [FULL])
    beats.write(3, [FULL])
    assert beats.reasons(1) == [FULL]


def test_a_process_that_hangs_is_a_reason(beats: Beats, clock: Clock) -> None:
    """A process that has been silent for seconds makes the gateway unhealthy."""
    beats.write(2)
    beats.write(3)
    clock.now += SILENT_SECONDS
    assert beats.reasons(1) == []
    beats.write(3)
    clock.now += 2
    assert beats.reasons(1) == ["process 2 of 3 has not answered for 7 s"]


def test_the_end_of_a_process_tells_whether_it_served(beats: Beats) -> None:
    """A process whose report is removed has served; one without a report has not."""
    beats.write(2)
    assert beats.end(2)
    assert not beats.end(2)
    assert "process 2 of 3 does not serve" in beats.missing(1)


async def test_a_process_reports_while_its_loop_runs(beats: Beats) -> None:
    """A process reports as soon as it serves, with what is wrong with it."""
    beats.write(1)
    beats.write(3)

    sibling = Sibling(beats, 2)
    sibling.start(lambda: [FULL])
    for _ in range(3):
        await asyncio.sleep(0)
    assert sibling.reasons() == []
    assert sibling.missing() == []
    assert beats.reasons(1) == [FULL]
