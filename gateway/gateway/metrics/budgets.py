"""What keys with a budget have spent: asked of the database when Prometheus comes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from gateway.database.url import for_psycopg

if TYPE_CHECKING:
    from collections.abc import Callable

FRESH_SECONDS = 10.0
MAX_KEYS = 100
"""The most keys reported, those nearest to their budget: a label for each key has no bound."""

# The start of its hash stands for a key without a name, as in `./run status`; never a part of it.
QUERY = """
SELECT coalesce(key_alias, left(token, 8)), spend, max_budget, extract(epoch FROM budget_reset_at)
FROM "LiteLLM_VerificationToken"
WHERE max_budget > 0
ORDER BY spend / max_budget DESC
LIMIT %s
"""
CONNECTION: dict[str, Any] = {
    "connect_timeout": 2,
    "options": "-c statement_timeout=2000",
    "application_name": "gateway-metrics",
}


@dataclass(frozen=True)
class KeyBudget:
    """A key with a budget.

    Attributes:
        name: its alias.
        spent: USD since the count began.
        budget: USD.
        resets_at: when the budget is reset, seconds since 1970; None for never.
    """

    name: str
    spent: float
    budget: float
    resets_at: float | None


class KeyBudgets:
    """Asks the database, and remembers the answer for a moment.

    Args:
        url: of the database.
        clock: seconds of a monotonic clock.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = for_psycopg(url)
        self._clock = clock
        self._asked_at = float("-inf")
        self._known: list[KeyBudget] = []

    def __call__(self) -> list[KeyBudget]:
        """Return the keys; while the database does not answer, as they were seen last."""
        if self._clock() - self._asked_at > FRESH_SECONDS:
            self._asked_at = self._clock()
            try:
                self._known = self._ask()
            except psycopg.Error:  # that it is away is the health's to tell
                return self._known
        return self._known

    def _ask(self) -> list[KeyBudget]:
        with psycopg.connect(self._url, autocommit=True, **CONNECTION) as connection:
            rows = connection.execute(QUERY, [MAX_KEYS]).fetchall()
        return [
            KeyBudget(name, spent, budget, None if resets is None else float(resets))
            for name, spent, budget, resets in rows
        ]
