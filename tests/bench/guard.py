"""Whether the gateway has become slower: its processor time compared with a yardstick's.

The ratio of the two is taken in each round and compared with the recorded ratios. The command fails
only when its best round is worse than the worst recorded one, so neither a slow machine nor the
spread of the rounds makes it fail. `--record` keeps this measurement as the new reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.alternatives.base import Alternative
from bench.alternatives.gateway import Gateway
from bench.images import HERE
from bench.measure import rounds
from bench.measure.samples import Check, Record
from bench.measure.turn import Book, Cell, turn
from bench.site import PORT, site
from bench.yardstick import PORT as YARDSTICK_PORT

if TYPE_CHECKING:
    from pathlib import Path

    from bench.options import Options

CELLS = {
    "plain-16": Cell("plain, 16 at once", 16),
    "stream-16": Cell("stream of 22 chunks, 16 at once", 16, stream=True),
}
PLAIN = "plain-16"
"""The yardstick streams nothing; streams are held against its plain answers."""


class Yardstick(Alternative):
    """The program next to this one."""

    name = "yardstick"
    title = "yardstick"
    main = "yardstick"

    def start(self) -> None:
        """Start it on the test image's Python."""
        self.containers["yardstick"] = self.site.run(
            "yardstick",
            self.site.tools,
            *("--env", f"UPSTREAM=http://upstream:{PORT}/v1/chat/completions"),
            *("--volume", f"{HERE}:/bench:ro"),
            command=("python", "/bench/yardstick.py"),
        )
        self.url = f"http://yardstick:{YARDSTICK_PORT}/v1/chat/completions"


def run(options: Options) -> Record:
    """Measure; add the checks against the reference with `judge`."""
    record = Record.new("guard")
    record.cells = {name: cell.title for name, cell in CELLS.items()}
    book = Book()
    with site() as place:
        alternatives: list[Alternative] = [Gateway(place), Yardstick(place)]
        record.alternatives = {each.name: each.title for each in alternatives}
        with rounds.started(record, alternatives):

            def measure(alternative: Alternative, cell: Cell) -> dict[str, float] | None:
                # The yardstick answers plainly in every cell, so that each has its own beside it.
                mine = alternative.name == Gateway.name
                asked = cell if mine else CELLS[PLAIN]
                return turn(place, alternative, asked, options.seconds, book if mine else Book())

            rounds.take_turns(record, alternatives, CELLS, options.rounds, measure)
    record.checks.append(book.check(Gateway.title))
    return record


def judge(record: Record, reference: Path) -> list[Check]:
    """Return whether each ratio is no worse than the reference's, as far as can be told."""
    old = Record.load(reference)
    checks = []
    for cell, title in record.cells.items():
        now = record.ratio(cell, "gateway", "yardstick", "cpu_ms")
        then = old.ratio(cell, "gateway", "yardstick", "cpu_ms")
        if now is None or then is None:
            continue
        checks.append(
            Check(
                f"{title}: the gateway takes no more processor time of the yardstick's than before",
                now.low <= then.high,
                f"{now.median:.2f} ({now.low:.2f}-{now.high:.2f}) now,"
                f" {then.median:.2f} ({then.low:.2f}-{then.high:.2f}) at {old.versions['commit']}",
            )
        )
    return checks
