"""docs/performance.md, written from the records that were kept with --record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure.samples import Record
from bench.report.table import table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.report.view import View

HEAD = """\
# Performance

Written by `./run bench page` from the records in [performance](performance/); nothing here is
typed by hand. The alternatives take turns on one machine in one run, and each is paused while
another is measured. On a shared machine times drift by a third within minutes, but the ratio of two
turns that are seconds apart does not: so ratios are taken within each round. A figure is the median
of the rounds, with its range in brackets. Processor time and memory are those of the containers, by
the engine's own counters; "whole stack" is every container that an alternative needs, the database
included.

"""


def page(folder: Path, views: Mapping[str, View]) -> str:
    """Return the page."""
    parts = [HEAD]
    for name, view in views.items():
        path = folder / f"{name}.json"
        if path.exists():
            parts.append(_section(name, Record.load(path), view))
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, record: Record, view: View) -> str:
    lines = [f"## {view.title}", "", view.what, ""]
    lines += [f"![{view.title}](performance/{name}.svg)", "", table(record, view, "github"), ""]
    lines += [f"- {note}" for note in record.notes]
    lines += [
        f"- {'holds' if check.holds else '**does not hold**'}: {check.what} ({check.seen})"
        for check in record.checks
    ]
    said = {**record.machine, **record.versions}
    lines += [
        "",
        (
            f"`{record.command}`, {record.begun}, {record.seconds / 60:.0f} minutes;"
            f" {', '.join(f'{what} {value}' for what, value in said.items())}."
        ),
        "",
    ]
    return "\n".join(lines)
