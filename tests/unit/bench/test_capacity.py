"""The capacity in docs/scaling.md is what the simulation says, and that agrees with the records."""

from __future__ import annotations

import pytest

from support.stack import REPOSITORY

from .capacity import CAPACITY

SCALING = (REPOSITORY / "docs/scaling.md").read_text()


@pytest.mark.parametrize("point", CAPACITY.points(), ids=lambda point: point.name)
def test_a_measured_load_is_reproduced(point: CAPACITY.Point) -> None:  # type: ignore[name-defined]
    """Each recorded rate and median latency comes out of the simulation within a fifth."""
    rate, p50 = CAPACITY.simulated(point)
    assert rate == pytest.approx(point.rate, rel=0.2)
    assert p50 == pytest.approx(point.p50_ms, rel=0.2)


def test_a_gateway_that_took_twice_as_long_would_not_be_reproduced() -> None:
    """The agreement is not for want of sharpness: half the speed is outside of it."""
    point = next(each for each in CAPACITY.points() if each.clients == 16)
    rate, _ = CAPACITY.closed(point.clients, 2 * point.cpu_ms, point.away_ms)
    assert rate < 0.8 * point.rate


def test_ten_times_the_users_need_ten_times_the_processes() -> None:
    """Beyond one process, need grows with the users, and rows do from the first one on."""
    one, ten = CAPACITY.size(10_000_000), CAPACITY.size(100_000_000)
    assert ten.processes == pytest.approx(10 * one.processes, abs=10)
    assert ten.gb_a_month == pytest.approx(10 * one.gb_a_month)
    assert CAPACITY.size(10).processes == 1


def test_a_burst_finds_room_at_every_size() -> None:
    """No size has its processes so full that one request in a hundred waits for a long time."""
    for users in CAPACITY.USERS:
        assert CAPACITY.size(users).p99_ms < 20


@pytest.mark.parametrize("table", [CAPACITY.check_table, CAPACITY.size_table])
def test_the_document_has_what_the_simulation_prints(table: object) -> None:
    """Both tables of docs/scaling.md are those of `python docs/capacity.py`."""
    assert callable(table)
    assert f"\n{table()}\n" in SCALING
