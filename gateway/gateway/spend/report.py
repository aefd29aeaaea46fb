"""`gateway spend`: the costs as a table for people, or as JSON or CSV for programs."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from dataclasses import asdict
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.config.problems import ConfigurationError, Problem
from gateway.database.connection import DatabaseUnavailableError, connect
from gateway.database.url import database_url, redacted
from gateway.spend.query import BY, Spend, Sums, dollars, read_cells, summed
from gateway.terminal import print_table as print_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config.settings import Settings
    from gateway.spend.period import Period

BARS = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH = 60
COUNTS = ("requests", "failed", "prompt", "completion", "USD", "marks")


def parse_by(given: Sequence[str]) -> tuple[str, ...]:
    """Return what to sum by, from --by options that may hold commas.

    Raises:
        ConfigurationError: one of them is not known.
    """
    names = tuple(name.strip() for text in given for name in text.split(",") if name.strip())
    wrong = [name for name in names if name not in BY]
    if wrong or not names:
        found = f"'{wrong[0] if wrong else ''}' is not known"
        raise ConfigurationError([Problem("--by", found, f"give some of: {', '.join(BY)}")])
    return tuple(dict.fromkeys(names))


def load(settings: Settings, period: Period, by: tuple[str, ...]) -> Spend:
    """Return the report.

    Raises:
        ConfigurationError: no database is configured.
        DatabaseUnavailableError: it does not answer, or was not migrated.
    """
    url = database_url(settings)
    if url is None:
        raise ConfigurationError(
            [
                Problem(
                    "DATABASE_URL", "is unset, and without a database nothing is recorded", "set it"
                )
            ]
        )
    with connect(url, read_only=True) as connection:
        try:
            cells = read_cells(connection, period, _master_hashes(settings))
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            raise DatabaseUnavailableError(
                f"the database at {redacted(url)} has no report views yet\n"
                "    run `gateway migrate`, which the stack does at every start"
            ) from None
    return summed(cells, period, by)


def today() -> datetime:
    """Return now, in UTC, by which LiteLLM's days go."""
    return datetime.now(timezone.utc)


def as_json(spend: Spend) -> str:
    """Return the rows and their total; a cost is a string, so that no digit is lost."""
    return json.dumps(
        {
            "from": str(spend.period.first),
            "to": str(spend.period.last),
            "by": list(spend.by),
            "rows": [
                {**dict(zip(spend.by, row.names, strict=True)), **_plain(row.sums)}
                for row in spend.rows
            ],
            "total": _plain(spend.total),
        },
        indent=2,
    )


def as_csv(spend: Spend) -> str:
    """Return the rows for a spreadsheet, without a total, which would be summed with them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*spend.by, *_plain(Sums())])
    for row in spend.rows:
        writer.writerow([*map(_no_formula, row.names), *_plain(row.sums).values()])
    return text.getvalue().rstrip("\n")


def print_table(spend: Spend) -> None:
    """Print the rows, their total and the cost of each day as a line of bars."""
    if not spend.rows:
        print(  # noqa: T201 -- a command's answer
            f"no request was recorded in {spend.period}; a request's cost appears within a second"
        )
        return
    footer = ("total", *[""] * (len(spend.by) - 1), *_cells(spend.total))
    print_rows(
        (*spend.by, *COUNTS),
        [(*row.names, *_cells(row.sums)) for row in spend.rows],
        left=(*BY, "marks"),
        footer=footer,
    )
    highest = max(spend.daily.values())
    print(  # noqa: T201 -- as above
        f"  per day {sparkline(list(spend.daily.values()))} {spend.period} (UTC),"
        f" at most {dollars(highest)} USD"
    )


def sparkline(values: Sequence[Decimal]) -> str:
    """Return a bar for each value, or for each few values in a row where there are many."""
    step = -(-len(values) // SPARKLINE_WIDTH)
    sums = [sum(values[i : i + step], Decimal(0)) for i in range(0, len(values), step)]
    highest = max(sums, default=Decimal(0))
    if highest == 0:
        return BARS[0] * len(sums)
    # A cost above 0 is visible, however small compared with the highest.
    top = len(BARS) - 1
    return "".join(BARS[math.ceil(value * top / highest)] for value in sums)


def _cells(sums: Sums) -> tuple[str, ...]:
    counts = (sums.requests, sums.failed, sums.prompt_tokens, sums.completion_tokens)
    return (*(f"{count:,}" for count in counts), dollars(sums.cost), sums.marks())


def _plain(sums: Sums) -> dict[str, Any]:
    return {**asdict(sums), "cost": dollars(sums.cost)}


def _no_formula(cell: str) -> str:
    """Defuse a cell that a spreadsheet would run as a formula: anybody may choose a key's name."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _master_hashes(settings: Settings) -> list[str]:
    """Return the names that LiteLLM writes for the master key; older versions write its hash."""
    if settings.litellm_master_key is None:
        return []
    key = settings.litellm_master_key.get_secret_value()
    return [hashlib.sha256(key.encode()).hexdigest()]
