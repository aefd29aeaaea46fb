"""What is said of a benchmark's rounds, and what is shown of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

import pytest

from bench.guard import judge
from bench.measure.samples import Check, Record, Sample, summarise
from bench.report import chart, compare, page
from bench.report.table import table
from bench.report.view import Column, Ratio, View

VIEW = View(
    "Requests",
    "What they cost.",
    (Column("requests/s", "rate", 0), Column("CPU, ms", "cpu_ms", 2)),
    Ratio("this gateway's rate", "rate"),
    Column("requests a second", "rate", 0),
)


def record(rates: dict[str, list[float]], cell: str = "16") -> Record:
    """Return a record of one cell; the processor time of a request is 1000 ms by the rate."""
    made = Record(
        "overhead", "./run bench overhead", "2026-11-27", {"cores": "2", "processor": "x"}, {}
    )
    made.versions = {"commit": "abc"}
    made.cells = {cell: "16 at once"}
    made.alternatives = {name: name.upper() for name in rates}
    made.samples = [
        Sample(cell, name, number, {"rate": rate, "cpu_ms": 1000 / rate})
        for name, found in rates.items()
        for number, rate in enumerate(found)
    ]
    return made


def test_a_ratio_is_taken_round_by_round() -> None:
    """A machine that was slow in one round moves neither ratio nor its range."""
    made = record({"gateway": [100, 50, 200], "peer": [10, 5, 20]})

    found = made.ratio("16", "gateway", "peer", "rate")

    assert found is not None
    assert (found.low, found.median, found.high) == (10, 10, 10)


def test_a_ratio_leaves_out_rounds_that_only_one_has() -> None:
    """An alternative that failed in a round is compared in the others."""
    made = record({"gateway": [100, 50], "peer": [10]})

    found = made.ratio("16", "gateway", "peer", "rate")

    assert found is not None
    assert found.rounds == 1


def test_nothing_is_said_of_no_rounds() -> None:
    """What was not measured has no summary."""
    assert summarise([]) is None


def test_a_table_has_medians_ranges_and_ratios() -> None:
    """The row of a peer says by how much the gateway is faster."""
    made = record({"gateway": [100, 120, 110], "peer": [10, 12, 11]})

    shown = table(made, VIEW, "github")

    assert "| 16 at once | GATEWAY | 110 (100-120) |" in shown
    assert "10.0 (10.0-10.0)x" in shown


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    """What was kept is read again as it was."""
    made = record({"gateway": [100.0]})
    made.checks = [Check("all is counted", holds=True, seen="1 of 1")]

    made.write(tmp_path / "overhead.json")

    assert Record.load(tmp_path / "overhead.json") == made


@pytest.mark.parametrize(("kind", "cell"), [("bars", "plain"), ("lines", "16")])
def test_a_chart_has_each_alternative(kind: Literal["bars", "lines"], cell: str) -> None:
    """Bars and lines are pictures with every name in them."""
    view = View(VIEW.title, VIEW.what, VIEW.columns, None, VIEW.chart, kind=kind)

    drawn = chart.draw(record({"gateway": [100], "peer": [10]}, cell), view)

    words = [element.text for element in ET.fromstring(drawn).iter()]
    assert {"GATEWAY", "PEER", "100", "10"} <= set(words)


def test_a_comparison_says_what_is_within_the_spread() -> None:
    """Only what lies outside of both runs' ranges is a change."""
    old = record({"gateway": [100, 110], "peer": [10, 12]})
    new = record({"gateway": [105, 115], "peer": [20, 22]})

    lines = compare.compare(old, new, VIEW).splitlines()

    assert [("within the spread" in line) for line in lines if "requests/s" in line] == [
        True,
        False,
    ]


@pytest.mark.parametrize(("now", "holds"), [([8.0, 9.0], True), ([4.0, 5.0], False)])
def test_the_guard_fails_beyond_the_noise_alone(
    tmp_path: Path, now: list[float], *, holds: bool
) -> None:
    """A ratio that one of the recorded rounds had as well is not a regression."""
    record({"gateway": [8.5, 10.0], "yardstick": [10.0, 10.0]}).write(tmp_path / "guard.json")

    (check,) = judge(record({"gateway": now, "yardstick": [10.0, 10.0]}), tmp_path / "guard.json")

    assert check.holds is holds


def test_the_page_tells_command_and_machine(tmp_path: Path) -> None:
    """Whoever reads a figure can make it again."""
    record({"gateway": [100.0]}).write(tmp_path / "overhead.json")

    written = page.page(tmp_path, {"overhead": VIEW, "start": VIEW})

    assert "./run bench overhead" in written
    assert "cores 2" in written
    assert written.count("## ") == 1
