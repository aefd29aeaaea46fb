"""`./run bench [NAME]`: measures one benchmark or all of them, shows and keeps the result."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from bench.catalogue import BENCHMARKS
from bench.measure.samples import Record
from bench.options import Options
from bench.report import chart, compare, page
from bench.report.table import table
from support.stack import REPOSITORY

KEPT = REPOSITORY / "artefacts" / "bench"
RECORDS = REPOSITORY / "docs" / "performance"
"""What the page is made of, when --record says so."""

PAGE = REPOSITORY / "docs" / "performance.md"


def main() -> None:
    """Measure what was asked for; end with 1 when something that has to hold does not."""
    arguments = _parser().parse_args()
    if arguments.name == "page":
        _write_page()
        return
    names = [arguments.name]
    if arguments.name == "all":
        names = [name for name, each in BENCHMARKS.items() if not each.alone]
    options = Options(
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        short=arguments.short,
        long=arguments.long,
        cells=tuple(arguments.cells.split(",")) if arguments.cells else (),
        alternatives=tuple(arguments.alternatives.split(",")) if arguments.alternatives else (),
        amount=arguments.amount,
    )
    failed = False
    for name in names:
        failed |= not _measure(name, options, arguments)
    sys.exit(1 if failed else 0)


def _measure(name: str, options: Options, arguments: argparse.Namespace) -> bool:
    """Run one; return whether all that has to hold does."""
    benchmark = BENCHMARKS[name]
    print(f"{name}: {benchmark.view.title}, about {benchmark.minutes} minutes", flush=True)
    begun = time.monotonic()
    record = benchmark.run(options)
    record.command = shlex.join(["./run", "bench", *sys.argv[1:]])
    record.seconds = round(time.monotonic() - begun)
    if benchmark.judge and not arguments.record:
        record.checks += benchmark.judge(record, RECORDS / f"{name}.json")
    folder = RECORDS if arguments.record else KEPT
    record.write(folder / f"{name}.json")
    (folder / f"{name}.svg").write_text(chart.draw(record, benchmark.view))
    print(f"\n{benchmark.view.title}\n\n{table(record, benchmark.view, 'simple')}\n")
    for note in record.notes:
        print(f"note: {note}")
    for check in record.checks:
        print(f"{'holds' if check.holds else 'DOES NOT HOLD'}: {check.what} ({check.seen})")
    print(f"kept in {(folder / name).relative_to(REPOSITORY)}.json and .svg")
    if arguments.record:
        _write_page()
    if arguments.compare:
        old = Record.load(arguments.compare)
        print(f"\n{compare.compare(old, record, benchmark.view)}")
    return all(check.holds for check in record.checks)


def _write_page() -> None:
    """Write docs/performance.md from the records in docs/performance."""
    PAGE.write_text(page.page(RECORDS, {name: each.view for name, each in BENCHMARKS.items()}))
    print(f"wrote {PAGE.relative_to(REPOSITORY)}")


def _parser() -> argparse.ArgumentParser:
    listed = [
        f"  {name:<11} {each.view.title}; about {each.minutes} minutes"
        for name, each in BENCHMARKS.items()
    ]
    listed.append("  page        docs/performance.md, written from what was recorded")
    parser = argparse.ArgumentParser(
        "./run bench",
        description="\n".join([__doc__ or "", *listed]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "name", nargs="?", default="all", choices=["all", "page", *BENCHMARKS], metavar="NAME"
    )
    parser.add_argument(
        "amount", nargs="?", type=float, help="rows of retention, minutes of outage"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often all is measured (5)")
    parser.add_argument("--seconds", type=float, default=3, help="of load in each turn (3)")
    parser.add_argument("--short", action="store_true", help="only the loads that decide")
    parser.add_argument("--long", action="store_true", help="also what takes hours")
    parser.add_argument("--cells", help="only these loads, with commas between")
    parser.add_argument("--alternatives", help="only these, with commas between")
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="say what changed since that JSON"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the result for docs/performance.md"
    )
    return parser


if __name__ == "__main__":
    main()
