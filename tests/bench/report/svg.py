"""The few shapes that the charts are made of.

Drawn here for the reason that gateway/spend/chart.py gives: the libraries bring megabytes, or
scripts that are loaded from the net when the picture is opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from bench.measure.samples import Record

WIDTH = 960
# Okabe and Ito's colours, told apart by the colour-blind.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#999999", "#d55e00")
BLACK, GREY, PALE = "#222222", "#555555", "#dddddd"


def picture(title: str, below: str, height: float) -> ET.Element:
    """Return an empty picture with its title and a line of words below that."""
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height:.0f}",
            "width": str(WIDTH),
            "height": f"{height:.0f}",
            "font-family": "system-ui, Helvetica, Arial, sans-serif",
            "font-size": "12",
            "role": "img",
        },
    )
    ET.SubElement(root, "title").text = title
    rectangle(root, (0, 0), (WIDTH, height), "#ffffff")
    text(root, 20, 28, title, size="18", weight="600")
    text(root, 20, 48, below, fill=GREY)
    return root


def footer(root: ET.Element, record: Record, y: float) -> None:
    """Write on what machine and when it was measured."""
    rounds = 1 + max((sample.round for sample in record.samples), default=0)
    machine = f"{record.machine['cores']} cores of {record.machine['processor']}"
    medians = f"medians and range of {rounds} rounds" if rounds > 1 else "measured once"
    text(root, 20, y, f"{medians}, {machine}, {record.begun[:10]}", fill=GREY)


def rectangle(
    root: ET.Element, corner: tuple[float, float], size: tuple[float, float], fill: str
) -> None:
    """Draw one."""
    place = {"x": f"{corner[0]:.1f}", "y": f"{corner[1]:.1f}"}
    extent = {"width": f"{size[0]:.1f}", "height": f"{size[1]:.1f}"}
    ET.SubElement(root, "rect", {**place, **extent, "fill": fill})


def line(root: ET.Element, points: list[tuple[float, float]], colour: str, width: float) -> None:
    """Draw a line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    stroke = {"stroke": colour, "stroke-width": str(width), "fill": "none"}
    ET.SubElement(root, "polyline", {"points": path, **stroke})


def text(
    root: ET.Element,
    x: float,
    y: float,
    words: str,
    *,
    size: str = "12",
    weight: str = "400",
    anchor: str = "start",
    fill: str = BLACK,
) -> None:
    """Write words that begin, end or have their middle at a point."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "fill": fill}
    element = ET.SubElement(root, "text", {**place, "font-size": size, "font-weight": weight})
    element.text = words
