"""A record as an SVG file: bars one below the other, or lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bench.report import svg

if TYPE_CHECKING:
    from bench.measure.samples import Record, Summary
    from bench.report.view import View

LEFT, RIGHT, TOP, LINE = 250, 90, 64, 20
PLOT_HEIGHT = 300


def draw(record: Record, view: View) -> str:
    """Return the picture."""
    root = _bars(record, view) if view.kind == "bars" else _lines(record, view)
    return ET.tostring(root, encoding="unicode")


def _bars(record: Record, view: View) -> ET.Element:
    """A bar for each alternative in each cell, from left to right."""
    found = {cell: _summaries(record, view, cell) for cell in record.cells}
    found = {cell: each for cell, each in found.items() if each}
    everything = [summary for each in found.values() for summary in each.values()]
    height = TOP + sum((len(each) + 1) * LINE for each in found.values()) + 40
    scale = _Scale(everything, svg.WIDTH - LEFT - RIGHT, logarithmic=view.logarithmic)
    root = svg.picture(view.title, f"{view.chart.heading}{scale.words}", height)
    y = TOP
    colours = dict(zip(record.alternatives, svg.COLOURS, strict=False))
    for cell, each in found.items():
        svg.text(root, 20, y + 14, record.cells[cell], weight="600")
        y += LINE
        for who, summary in each.items():
            svg.text(root, LEFT - 10, y + 14, record.alternatives[who], anchor="end")
            svg.rectangle(root, (LEFT, y + 3), (scale.at(summary.median), LINE - 6), colours[who])
            ends = [(LEFT + scale.at(end), y + LINE / 2) for end in (summary.low, summary.high)]
            svg.line(root, ends, svg.BLACK, 1.5)
            right = LEFT + scale.at(summary.high)
            svg.text(root, right + 6, y + 14, f"{summary.median:,.{view.chart.digits}f}")
            y += LINE
    svg.footer(root, record, height - 12)
    return root


def _lines(record: Record, view: View) -> ET.Element:
    """A line for each alternative; cells are numbers, from left to right by their size."""
    series = {
        who: {
            int(cell): each[who]
            for cell in record.cells
            if who in (each := _summaries(record, view, cell))
        }
        for who in record.alternatives
    }
    everything = [summary for each in series.values() for summary in each.values()]
    scale = _Scale(everything, PLOT_HEIGHT, logarithmic=view.logarithmic)
    places = sorted({max(1, x) for each in series.values() for x in each})
    wide = math.log10(places[-1] / places[0]) or 1
    height = TOP + PLOT_HEIGHT + 70

    def at(x: int) -> float:
        share = math.log10(max(1, x) / places[0]) / wide
        return 90 + share * (svg.WIDTH - 90 - LEFT)

    root = svg.picture(view.title, f"{view.chart.heading}{scale.words}", height)
    bottom = TOP + PLOT_HEIGHT
    for x in (10**power for power in range(8) if places[0] <= 10**power <= places[-1]):
        svg.line(root, [(at(x), TOP), (at(x), bottom)], svg.PALE, 1)
        svg.text(root, at(x), bottom + 18, f"{x:,}", anchor="middle", fill=svg.GREY)
    svg.line(root, [(90, bottom), (svg.WIDTH - LEFT, bottom)], svg.GREY, 1)
    for who, colour in zip(series, svg.COLOURS, strict=False):
        points_of = series[who]
        if not points_of:
            continue
        points = [(at(x), bottom - scale.at(points_of[x].median)) for x in sorted(points_of)]
        svg.line(root, points, colour, 2)
        for (x, y), many in zip(points, sorted(points_of), strict=True):
            svg.text(
                root, x, y - 6, f"{points_of[many].median:,.{view.chart.digits}f}", fill=colour
            )
        last = points[-1]
        svg.text(root, last[0] + 40, last[1] + 4, record.alternatives[who], fill=colour)
    svg.footer(root, record, height - 12)
    return root


def _summaries(record: Record, view: View, cell: str) -> dict[str, Summary]:
    found = {who: record.summary(cell, who, view.chart.value) for who in record.alternatives}
    return {who: each for who, each in found.items() if each is not None and each.median > 0}


class _Scale:
    """From values to pixels.

    Args:
        summaries: all that is drawn.
        pixels: where the greatest is.
        logarithmic: whether ten times as much is the same step everywhere.
    """

    def __init__(self, summaries: list[Summary], pixels: float, *, logarithmic: bool) -> None:
        self._low = min((each.low for each in summaries), default=1.0) / 2
        self._high = max((each.high for each in summaries), default=1.0)
        self._logarithmic = logarithmic and self._low > 0
        self._pixels = pixels
        self.words = ", logarithmic" if self._logarithmic else ""

    def at(self, value: float) -> float:
        """Return where a value is."""
        if self._logarithmic:
            share = math.log(max(value, self._low) / self._low) / math.log(self._high / self._low)
        else:
            share = value / self._high
        return share * self._pixels
