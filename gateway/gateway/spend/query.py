"""What the requests cost: read from the report views, summed by what is asked for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.database.connection import Connection
    from gateway.spend.period import Period

BY = ("day", "alias", "model", "key")
"""What rows can be summed by. The alias is what was asked for, the model answered."""

# started_at is bounded, not day: only the former has an index.
QUERY = """
SELECT day, alias, model,
       CASE WHEN key_hash = ANY(%(master)s) THEN 'master key' ELSE key END AS key,
       count(*), count(*) FILTER (WHERE failed), sum(prompt_tokens), sum(completion_tokens),
       sum(cost_usd), count(*) FILTER (WHERE usage_counted), count(*) FILTER (WHERE unpriced),
       count(*) FILTER (WHERE reconciled)
FROM gateway_reports.requests
WHERE started_at >= %(first)s AND started_at < %(end)s
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class Sums:
    """What some requests add up to; cost in US dollars, and how many of them are marked."""

    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    usage_counted: int = 0
    unpriced: int = 0
    reconciled: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Sums)))

    def marks(self) -> str:
        """Return what is special about it, in words; empty for most."""
        marked = ("unpriced", self.unpriced), ("counted", self.usage_counted)
        named = (*marked, ("reconciled", self.reconciled))
        return ", ".join(f"{number:,} {name}" for name, number in named if number)


@dataclass(frozen=True)
class Group:
    """The sums of one day, alias, model and key, or of those of them that were asked for."""

    names: tuple[str, ...]
    sums: Sums


@dataclass(frozen=True)
class Spend:
    """A report.

    Attributes:
        period: its days.
        by: what the rows are summed by, of BY.
        rows: newest day first, then by cost.
        daily: the cost of each day of the period.
        cells: the sums of each day, alias, model and key, for reports of another grain.
    """

    period: Period
    by: tuple[str, ...]
    rows: list[Group]
    daily: dict[date, Decimal]
    cells: list[tuple[dict[str, str], Sums]]

    @property
    def total(self) -> Sums:
        """The sum of the rows."""
        return sum((row.sums for row in self.rows), Sums())


def read_cells(
    connection: Connection, period: Period, master_hashes: Sequence[str]
) -> list[tuple[dict[str, str], Sums]]:
    """Return the sums of each day, alias, model and key of the period.

    Args:
        connection: to LiteLLM's database.
        period: whole days, UTC.
        master_hashes: what else stands for the master key in the table.
    """
    parameters = {
        "first": period.first,
        "end": period.last + timedelta(1),
        "master": list(master_hashes),
    }
    return [
        (dict(zip(BY, map(str, row[:4]), strict=True)), Sums(*row[4:]))
        for row in connection.execute(QUERY, parameters)
    ]


def summed(
    cells: Iterable[tuple[dict[str, str], Sums]], period: Period, by: tuple[str, ...]
) -> Spend:
    """Return the report whose rows are summed by `by`."""
    cells = list(cells)
    groups: defaultdict[tuple[str, ...], Sums] = defaultdict(Sums)
    daily = dict.fromkeys(period.days(), Decimal(0))
    for names, sums in cells:
        groups[tuple(names[dimension] for dimension in by)] += sums
        daily[date.fromisoformat(names["day"])] += sums.cost
    rows = [Group(names, sums) for names, sums in groups.items()]
    rows.sort(key=lambda row: (-row.sums.cost, row.names))
    if "day" in by:
        rows.sort(key=lambda row: row.names[by.index("day")], reverse=True)
    return Spend(period, by, rows, daily, cells)


def dollars(cost: Decimal) -> str:
    """Return a cost with all its digits, and never as 1E-7."""
    text = f"{cost:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
