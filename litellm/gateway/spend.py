"""What the requests cost: read from LiteLLM's table, summed by day, model and key."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.database import Connection

# Cost is stored in double precision; as numeric it is summed exactly and no digit is invented.
QUERY = """
SELECT date("startTime")::text AS day,
       coalesce(nullif(logs.model_group, ''), logs.model) AS model,
       coalesce(keys.key_alias, CASE WHEN logs.api_key = ANY(%(master)s) THEN 'master key'
                ELSE 'unknown key ' || left(nullif(logs.api_key, ''), 8) END, 'no key') AS key,
       count(*) AS requests,
       count(*) FILTER (WHERE logs.status = 'failure') AS failed,
       sum(prompt_tokens) AS prompt_tokens,
       sum(completion_tokens) AS completion_tokens,
       sum(logs.spend::numeric) AS cost
FROM "LiteLLM_SpendLogs" AS logs
LEFT JOIN "LiteLLM_VerificationToken" AS keys ON keys.token = logs.api_key
WHERE "startTime" >= date_trunc('day', now() AT TIME ZONE 'UTC') - make_interval(days => %(days)s)
GROUP BY 1, 2, 3
ORDER BY 1 DESC, cost DESC, 2, 3
"""


@dataclass(frozen=True)
class SpendRow:
    """One day's requests to one model with one key; cost in US dollars."""

    day: str
    model: str
    key: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal


def read_spend(connection: Connection, days: int, master_hashes: Sequence[str]) -> list[SpendRow]:
    """Returns the rows of today and the `days` - 1 days before it, in UTC, newest first.

    Args:
        connection: to LiteLLM's database.
        days: how many days.
        master_hashes: what stands for the master key in the table.
    """
    parameters = {"days": days - 1, "master": list(master_hashes)}
    return [SpendRow(*row) for row in connection.execute(QUERY, parameters)]


def total(rows: Iterable[SpendRow]) -> SpendRow:
    """Returns the sums over all rows, under the name `total`."""
    rows = list(rows)
    return SpendRow(
        "total",
        "",
        "",
        sum(row.requests for row in rows),
        sum(row.failed for row in rows),
        sum(row.prompt_tokens for row in rows),
        sum(row.completion_tokens for row in rows),
        sum((row.cost for row in rows), Decimal(0)),
    )


def dollars(cost: Decimal) -> str:
    """Returns a cost with all its digits, and never as 1E-7."""
    text = f"{cost:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
