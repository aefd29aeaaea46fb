"""What changed since an older record: only what is more than both runs' own spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tabulate import tabulate

from bench.report.table import show

if TYPE_CHECKING:
    from bench.measure.samples import Record, Summary
    from bench.report.view import View


def compare(old: Record, new: Record, view: View) -> str:
    """Return a table of both runs' figures, cell by cell."""
    rows = []
    for cell, title in new.cells.items():
        for name, who in new.alternatives.items():
            for column in view.columns:
                before = old.summary(cell, name, column.value)
                after = new.summary(cell, name, column.value)
                if before is None or after is None or not before.median:
                    continue
                change = f"{(after.median / before.median - 1) * 100:+.0f} %"
                shown = (show(before, column.digits), show(after, column.digits), change)
                rows.append([title, who, column.heading, *shown, verdict(before, after)])
    headings = ["load", "who", "figure", old.versions["commit"], new.versions["commit"], "", ""]
    return tabulate(rows, headings, disable_numparse=True)


def verdict(before: Summary, after: Summary) -> str:
    """Return whether two summaries differ by more than their rounds do among themselves."""
    apart = after.low > before.high or after.high < before.low
    return "" if apart else "within the spread"
