"""GATEWAY_PROCESSES: how many processes a machine's cores are enough for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.processes import cores


@pytest.mark.parametrize(
    ("count", "processes"),
    [(0.5, 1), (1, 1), (2, 1), (3, 1), (4, 2), (8, 5), (16, 6), (64, 6)],
)
def test_each_process_leaves_cores_to_the_database(count: float, processes: int) -> None:
    """Up to three cores there is one process, and never more than the database has room for."""
    assert cores.processes_for(count) == processes


@pytest.mark.parametrize(("text", "most"), [("150000 100000", 1.5), ("max 100000", None)])
def test_a_containers_limit_counts(tmp_path: Path, text: str, most: float | None) -> None:
    """Fewer cores than the machine has count, if the container is limited to them."""
    limit = tmp_path / "cpu.max"
    limit.write_text(text)
    unlimited = cores.usable_cores(tmp_path / "no such file")
    assert unlimited >= 1
    assert cores.usable_cores(limit) == (unlimited if most is None else min(most, unlimited))


def test_one_process_is_the_default() -> None:
    """Nothing about a limit changes unless somebody asks for several processes."""
    assert load_settings({}).gateway_processes == 1


def test_auto_asks_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` is what the cores here are enough for."""
    monkeypatch.setattr(cores, "usable_cores", lambda: 8.0)
    assert load_settings({"GATEWAY_PROCESSES": "auto"}).gateway_processes == 5


@pytest.mark.parametrize("text", ["0", "33", "two"])
def test_another_number_is_refused(text: str) -> None:
    """A number that cannot be meant is refused, and the message says what can."""
    with pytest.raises(ConfigurationError, match="a whole number from 1 to 32, or auto"):
        load_settings({"GATEWAY_PROCESSES": text})
