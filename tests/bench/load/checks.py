"""Whether the load, and not what it asks, could be what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.alternatives.floor import Floor
from bench.alternatives.gateway import Gateway
from bench.load import client, wrk
from bench.load.bodies import bodies
from bench.load.upstream import Behaviour
from bench.measure.samples import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.alternatives.base import Alternative
    from bench.measure.samples import Record
    from bench.site import Site

HEADROOM = 3
TOLERANCE = 0.25
"""Of two measurements one after the other, on a machine that is not quiet."""


def load_checks(
    record: Record, place: Site, alternatives: Sequence[Alternative], seconds: float, cell: str
) -> list[Check]:
    """Return that the load is not the bottleneck, by the cell of 16 plain requests at once."""
    names = [each.name for each in alternatives]
    found = []
    rates = [record.summary(cell, name, "rate") for name in names if name != Floor.name]
    floor = record.summary(cell, Floor.name, "rate")
    fastest = max((each.median for each in rates if each), default=0)
    if floor and fastest:
        words = f"{floor.median:,.0f} and {fastest:,.0f} answers a second"
        what = f"asked directly, the upstream answers {HEADROOM} times as fast as any gateway"
        found.append(Check(what, floor.median >= HEADROOM * fastest, words))
    for alternative in alternatives:
        if alternative.name not in {Gateway.name, Floor.name}:
            continue
        place.upstream.behave(Behaviour())
        alternative.resume()
        spec = alternative.spec(bodies(alternative.model), 16, seconds=max(2, seconds))
        both = client.run(place.load, spec).rate, wrk.rate(place.load, spec)
        alternative.pause()
        words = f"{both[0]:,.0f} and {both[1]:,.0f} answers a second"
        if alternative.name == Floor.name:
            record.notes.append(f"the upstream directly by our client and by wrk: {words}")
        else:
            same = abs(both[0] / both[1] - 1) <= TOLERANCE
            what = "our client and wrk see the same rate, within a quarter"
            found.append(Check(f"{alternative.title}: {what}", same, words))
    return found
