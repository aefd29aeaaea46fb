"""A chart of a report, as an SVG file: the cost of each day, stacked by who caused it.

It is drawn here, because the chart libraries for Python either bring megabytes or load scripts from
the net when the picture is opened.
"""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from gateway.spend.query import dollars

if TYPE_CHECKING:
    from gateway.spend.query import Spend

WIDTH, HEIGHT = 960, 440
LEFT, RIGHT, TOP, BOTTOM = 90, 240, 64, 56
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
# Okabe and Ito's colours, told apart by the colour-blind; grey is for the rest.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
REST = "#999999"
DAY_LABELS = 10
LEGEND_CHARACTERS = 26


def svg(spend: Spend) -> str:
    """Return the picture; the stacks are by the first of `spend.by` that is not the day."""
    stack_by = next((name for name in spend.by if name != "day"), None)
    costs = _costs(spend, stack_by)
    step = _step(max(spend.daily.values(), default=Decimal(0)))
    top = max(step * 4, step * math.ceil(max(spend.daily.values(), default=Decimal(0)) / step))
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {HEIGHT}",
            "width": str(WIDTH),
            "height": str(HEIGHT),
            "font-family": "system-ui, Helvetica, Arial, sans-serif",
            "font-size": "12",
            "role": "img",
        },
    )
    title = f"Cost per day{f' by {stack_by}' if stack_by else ''}"
    ET.SubElement(root, "title").text = title
    _rectangle(root, 0, 0, WIDTH, HEIGHT, "#ffffff")
    _text(root, LEFT, 28, title, size=18, weight="600")
    _text(
        root, LEFT, 47, f"{spend.period} (UTC), total {dollars(spend.total.cost)} USD", fill="#555"
    )
    _axis(root, step, top)
    _bars(root, spend, costs, top)
    _legend(root, _names(spend, stack_by))
    return ET.tostring(root, encoding="unicode")


def _costs(spend: Spend, stack_by: str | None) -> dict[str, dict[str, Decimal]]:
    """Return each day's cost by name."""
    shown = {name for name, _ in _names(spend, stack_by)}
    costs = {str(day): defaultdict[str, Decimal](Decimal) for day in spend.period.days()}
    for cell, sums in spend.cells:
        name = cell[stack_by] if stack_by else "all"
        costs[cell["day"]][name if name in shown else "others"] += sums.cost
    return {day: dict(names) for day, names in costs.items()}


def _names(spend: Spend, stack_by: str | None) -> list[tuple[str, str]]:
    """Return names and colours, the costliest first; what has no colour left is `others`."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for cell, sums in spend.cells:
        totals[cell[stack_by] if stack_by else "all"] += sums.cost
    ordered = sorted(totals, key=lambda name: (-totals[name], name))
    named = list(zip(ordered, COLOURS, strict=False))
    return [*named, ("others", REST)] if len(ordered) > len(COLOURS) else named


def _step(highest: Decimal) -> Decimal:
    """Return the distance of the lines: 1, 2 or 5 times a power of ten, four or five of them."""
    if highest == 0:
        return Decimal("0.01")
    power = Decimal(10) ** (highest / 4).adjusted()
    return next(power * n for n in (1, 2, 5, 10) if power * n >= highest / 4)


def _axis(root: ET.Element, step: Decimal, top: Decimal) -> None:
    value = Decimal(0)
    while value <= top:
        y = TOP + PLOT_HEIGHT * float(1 - value / top)
        colour = "#333333" if value == 0 else "#dddddd"
        line = {"x1": f"{LEFT}", "x2": f"{LEFT + PLOT_WIDTH}", "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
        ET.SubElement(root, "line", {**line, "stroke": colour})
        _text(root, LEFT - 8, y + 4, dollars(value), anchor="end", fill="#555")
        value += step
    middle = TOP + PLOT_HEIGHT / 2
    label = _text(root, 20, middle, "US dollars", anchor="middle", fill="#555")
    label.set("transform", f"rotate(-90 20 {middle:.0f})")


def _bars(
    root: ET.Element, spend: Spend, costs: dict[str, dict[str, Decimal]], top: Decimal
) -> None:
    days = spend.period.days()
    width = PLOT_WIDTH / len(days)
    every = -(-len(days) // DAY_LABELS)
    colours = dict(_names(spend, next((name for name in spend.by if name != "day"), None)))
    for index, day in enumerate(days):
        x, y = LEFT + index * width, float(TOP + PLOT_HEIGHT)
        for name, colour in colours.items():
            cost = costs[str(day)].get(name, Decimal(0))
            height = PLOT_HEIGHT * float(cost / top)
            if height > 0:
                y -= height
                bar = _rectangle(root, x + width * 0.1, y, width * 0.8, height, colour)
                ET.SubElement(bar, "title").text = f"{day} {name}: {dollars(cost)} USD"
        if index % every == 0:
            label = f"{day:%d %b}"
            _text(root, x + width / 2, TOP + PLOT_HEIGHT + 18, label, anchor="middle", fill="#555")
    _text(root, LEFT + PLOT_WIDTH / 2, HEIGHT - 12, "day", anchor="middle", fill="#555")


def _legend(root: ET.Element, names: list[tuple[str, str]]) -> None:
    x = LEFT + PLOT_WIDTH + 24
    for index, (name, colour) in enumerate(names):
        y = TOP + 8 + index * 22
        _rectangle(root, x, y, 12, 12, colour)
        short = name if len(name) <= LEGEND_CHARACTERS else f"{name[: LEGEND_CHARACTERS - 1]}…"
        _text(root, x + 18, y + 10, short)


def _rectangle(  # noqa: PLR0913, PLR0917 -- a rectangle has these
    root: ET.Element, x: float, y: float, width: float, height: float, fill: str
) -> ET.Element:
    place = {"x": f"{x:.2f}", "y": f"{y:.2f}", "width": f"{width:.2f}", "height": f"{height:.2f}"}
    return ET.SubElement(root, "rect", {**place, "fill": fill})


def _text(  # noqa: PLR0913 -- as above
    root: ET.Element,
    x: float,
    y: float,
    text: str,
    *,
    size: int = 12,
    weight: str = "400",
    anchor: str = "start",
    fill: str = "#222",
) -> ET.Element:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": fill}
    element = ET.SubElement(root, "text", {**place, "font-size": str(size), "font-weight": weight})
    element.text = text
    return element
