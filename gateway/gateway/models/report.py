"""The rows as a table, as JSON, and as the lines that `./run status` shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from gateway.models.rows import LEFT_OUT
from gateway.terminal import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.models.rows import ListedDeployment

COLUMNS = (
    *("alias", "provider", "model", "USD/1M in", "out", "context"),
    *("key", "reachable", "state", "fallback of"),
)
NUMBERS = frozenset({"USD/1M in", "out", "context"})


def as_json(rows: Sequence[ListedDeployment]) -> str:
    """Return the rows for programs; prices in USD for a million tokens."""
    return json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False)


def print_rows(rows: Sequence[ListedDeployment]) -> None:
    """Print the table, and below it what a person has to know."""
    print_table(
        COLUMNS, [_cells(row) for row in rows], left=[c for c in COLUMNS if c not in NUMBERS]
    )
    ways = dict.fromkeys(row.way_note for row in rows)
    for line in (*filter(None, ways), *notes(rows)):
        print(line)  # noqa: T201 -- what was asked for


def notes(rows: Sequence[ListedDeployment]) -> list[str]:
    """Return a line for each deployment in cooldown, and for each that extracts: its German."""
    found = [row.note for row in rows] + [row.evaluation_note for row in rows]
    return [line for line in found if line is not None]


def _cells(row: ListedDeployment) -> tuple[str, ...]:
    if row.condition == LEFT_OUT:
        key, state = f"{row.key} unset", LEFT_OUT
    else:
        key = f"{row.key} set" if row.key.isupper() else row.key
        state = row.condition
    return (
        row.alias,
        row.provider,
        row.model.removeprefix(f"{row.provider}/"),
        _price(row.price_in),
        _price(row.price_out),
        "-" if row.context is None else f"{row.context:,}",
        key,
        row.reachable or "-",
        state,
        ", ".join(row.fallback_of),
    )


def _price(price: float | None) -> str:
    return "-" if price is None else f"{price:.10f}".rstrip("0").rstrip(".")
