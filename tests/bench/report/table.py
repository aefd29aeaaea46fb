"""A record as a table: a row for each alternative in each cell, medians and ranges, ratios."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tabulate import tabulate

if TYPE_CHECKING:
    from bench.measure.samples import Record, Summary
    from bench.report.view import View

NOTHING = "-"


def table(record: Record, view: View, form: Literal["simple", "github"]) -> str:
    """Return the table; `simple` for a terminal, `github` for a page."""
    headings = ["load", "who", *(column.heading for column in view.columns)]
    if view.ratio is not None:
        headings.append(view.ratio.heading)
    rows = [row for cell in record.cells for row in _rows(record, view, cell)]
    right = ("left", "left", *["right"] * (len(headings) - 2))
    return tabulate(rows, headings, tablefmt=form, colalign=right, disable_numparse=True)


def _rows(record: Record, view: View, cell: str) -> list[list[str]]:
    rows: list[list[str]] = []
    for name, title in record.alternatives.items():
        shown = [
            show(record.summary(cell, name, column.value), column.digits) for column in view.columns
        ]
        if all(each == NOTHING for each in shown):
            continue
        if view.ratio is not None:
            shown.append(_ratio(record, view, cell, name))
        rows.append([record.cells[cell] if not rows else "", title, *shown])
    return rows


def _ratio(record: Record, view: View, cell: str, name: str) -> str:
    ratio = view.ratio
    if ratio is None or name == ratio.base:
        return ""
    pair = (name, ratio.base) if ratio.inverse else (ratio.base, name)
    found = record.ratio(cell, *pair, ratio.value)
    return NOTHING if found is None else f"{show(found, 2 if found.median < 10 else 1)}x"


def show(summary: Summary | None, digits: int) -> str:
    """Return a median with its range; without one when there was one round."""
    if summary is None:
        return NOTHING
    median = f"{summary.median:,.{digits}f}"
    if summary.rounds == 1:
        return median
    return f"{median} ({summary.low:,.{digits}f}-{summary.high:,.{digits}f})"
