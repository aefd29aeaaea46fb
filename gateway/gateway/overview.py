"""`gateway overview`: what `./run status` says below its table, about today (UTC)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from gateway import __version__
from gateway.journal.waiting import waiting_journals
from gateway.spend.query import dollars

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from gateway.database.connection import Connection
    from gateway.journal.waiting import WaitingJournal

MIB = 1024**2
SHOWN_ERRORS = 3
LONGEST = 140

TODAY = """
SELECT count(*), count(*) FILTER (WHERE failed), coalesce(sum(cost_usd), 0)
FROM gateway_reports.requests
WHERE started_at >= date_trunc('day', now() AT TIME ZONE 'UTC')
"""
BLOCKED = """
SELECT coalesce(key_alias, left(token, 8)) FROM "LiteLLM_VerificationToken"
WHERE blocked ORDER BY 1
"""
ERRORS = """
SELECT "startTime", coalesce(nullif(model_group, ''), 'no model'),
       coalesce(metadata #>> '{error_information,error_message}', 'no reason is known')
FROM "LiteLLM_SpendLogs"
WHERE status = 'failure' AND "startTime" >= date_trunc('day', now() AT TIME ZONE 'UTC')
ORDER BY "startTime" DESC LIMIT %s
"""


@dataclass(frozen=True)
class FailedRequest:
    """A request that failed: when (UTC), which alias was asked, why in one line."""

    at: datetime
    alias: str
    reason: str

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.alias}: {self.reason}"


@dataclass(frozen=True)
class Overview:
    """The state of the database and of today's requests.

    Attributes:
        size: of the database, in bytes.
        requests: of today; `failed` of them.
        cost: of today, in USD.
        blocked: the names of the keys that are blocked.
        errors: the last failed requests of today, the newest first.
        versions: of what serves, by name.
        journals: those that wait to be brought into the database.
    """

    size: int
    requests: int
    failed: int
    cost: Decimal
    blocked: tuple[str, ...]
    errors: tuple[FailedRequest, ...]
    versions: dict[str, str]
    journals: tuple[WaitingJournal, ...] = ()

    def lines(self) -> list[str]:
        """Return the lines for people, in the same order; of journals only those that wait."""
        blocked = f"{len(self.blocked)} blocked"
        if self.blocked:
            blocked += f" ({', '.join(self.blocked)})"
        last = f"the last at {self.errors[0]}" if self.errors else "none today"
        return [
            f"today     {self.requests} requests, {self.failed} failed, {dollars(self.cost)} USD",
            f"database  {self.size / MIB:.0f} MB; keys: {blocked}",
            f"versions  {', '.join(f'{name} {number}' for name, number in self.versions.items())}",
            f"errors    {last}",
            *(f"journals  {each}" for each in self.journals),
        ]

    def as_json(self) -> str:
        """Return an object for programs; cost in USD as text, so that no digit is lost."""
        document: dict[str, Any] = {
            "database_bytes": self.size,
            "requests_today": self.requests,
            "failed_today": self.failed,
            "cost_usd_today": str(self.cost),
            "keys_blocked": self.blocked,
            "last_errors": [
                {"at": f"{each.at.isoformat()}Z", "alias": each.alias, "reason": each.reason}
                for each in self.errors
            ],
            "versions": self.versions,
            "journals_waiting": [each.document() for each in self.journals],
        }
        return json.dumps(document, ensure_ascii=False)


def overview(connection: Connection, journals: Path) -> Overview:
    """Return what a migrated database says of itself and of today.

    Args:
        connection: a connection to it.
        journals: the folder of the journals.
    """
    requests, failed, cost = _row(connection, TODAY)
    size, server = _row(
        connection, "SELECT pg_database_size(current_database()), current_setting('server_version')"
    )
    return Overview(
        size=size,
        requests=requests,
        failed=failed,
        cost=cost,
        blocked=tuple(row[0] for row in connection.execute(BLOCKED)),
        errors=tuple(
            FailedRequest(at, alias, one_line(reason))
            for at, alias, reason in connection.execute(ERRORS, [SHOWN_ERRORS])
        ),
        versions={
            "gateway": __version__,
            "LiteLLM": version("litellm"),
            "PostgreSQL": server.split()[0],
        },
        journals=tuple(waiting_journals(connection, journals)),
    )


def one_line(text: str) -> str:
    """Return a message's beginning; LiteLLM's may be long and of many lines."""
    words = " ".join(text.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def _row(connection: Connection, query: str) -> Sequence[Any]:
    row = connection.execute(query.encode()).fetchone()
    if row is None:  # an aggregate without GROUP BY has one row
        raise AssertionError(query)
    return row
