"""The backend's virtual key: keeps its row in LiteLLM's table as the settings say.

The backend never gets the master key, which no budget limits. The row is the one that LiteLLM's
/key/generate makes when the master key asks for it (1.106.2,
management_endpoints/key_management_endpoints.py, `generate_key_helper_fn`). LiteLLM, too, leaves
every column that is not named here at its default.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from gateway.jobs.durations import next_reset
from gateway.jobs.election import LOCKS, Job

if TYPE_CHECKING:
    from gateway.jobs.election import AsyncConnection

ALIAS = "backend-stub"
CREATOR = "default_user_id"
"""LiteLLM's user behind the master key."""

SHORTEST_SHOWN = 16
"""LiteLLM shows no characters of a shorter key (auth_utils.py, `abbreviate_api_key`)."""

WRITES = {
    "LiteLLM_VerificationToken": (
        *("token", "key_name", "key_alias", "key_type", "models", "spend"),
        *("max_budget", "budget_duration", "budget_reset_at"),
        *("created_at", "created_by", "updated_at", "updated_by", "settings_updated_at"),
    ),
}
"""Every column that is written; rows with the alias are deleted when the secret has changed."""

_FIND = """
SELECT token, key_alias, max_budget, budget_duration, models FROM "LiteLLM_VerificationToken"
WHERE token = %(token)s OR key_alias = %(alias)s ORDER BY token FOR UPDATE
"""
_DELETE = """
DELETE FROM "LiteLLM_VerificationToken" WHERE key_alias = %(alias)s AND token <> %(token)s
"""
_INSERT = """
INSERT INTO "LiteLLM_VerificationToken" (token, key_name, key_alias, key_type, models, spend,
    max_budget, budget_duration, budget_reset_at, created_at, created_by, updated_at, updated_by)
VALUES (%(token)s, %(masked)s, %(alias)s, 'default', %(models)s, 0,
    %(budget)s, %(period)s, %(reset_at)s, %(now)s, %(creator)s, %(now)s, %(creator)s)
"""
_UPDATE = """
UPDATE "LiteLLM_VerificationToken" SET key_alias = %(alias)s, models = %(models)s,
    max_budget = %(budget)s, budget_duration = %(period)s,
    budget_reset_at = CASE WHEN budget_duration IS DISTINCT FROM %(period)s
        OR budget_reset_at IS NULL THEN %(reset_at)s ELSE budget_reset_at END,
    updated_at = %(now)s, updated_by = %(creator)s, settings_updated_at = %(now)s
WHERE token = %(token)s
"""


@dataclass(frozen=True)
class BackendKey:
    """The key as it should be.

    Attributes:
        value: the key itself.
        budget: US dollars in each period.
        period: LiteLLM's notation, 30d.
        models: the aliases that it may ask for.
    """

    value: str
    budget: float
    period: str
    models: tuple[str, ...]

    def __repr__(self) -> str:
        return f"BackendKey({self.masked})"

    @property
    def token(self) -> str:
        """The key's sha256, which LiteLLM stores and looks the key up by."""
        return hashlib.sha256(self.value.encode()).hexdigest()

    @property
    def masked(self) -> str:
        """The masked form of the key, as LiteLLM's pages show it."""
        return f"sk-...{self.value[-4:]}" if len(self.value) >= SHORTEST_SHOWN else "sk-..."


async def ensure(connection: AsyncConnection, key: BackendKey, now: datetime) -> str:
    """Create or update the key's row, with its limits; return what was done, for the log.

    The row's spend is kept. A row of another key with the same alias is deleted: it shows that the
    secrets were generated again, and the old key must not stay valid.

    Raises:
        psycopg.Error: nothing was changed.
        ValueError: a budget cannot be reset after such a period.
    """
    moment = now.astimezone(timezone.utc)
    values: dict[str, Any] = {
        "token": key.token,
        "masked": key.masked,
        "alias": ALIAS,
        "creator": CREATOR,
        "models": list(key.models),
        "budget": key.budget,
        "period": key.period,
        "reset_at": next_reset(key.period, moment).replace(tzinfo=None),
        "now": moment.replace(tzinfo=None),
    }
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        # If two gateways start at once, the second waits and then finds the first one's row.
        await connection.execute(
            "SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS, Job.BACKEND_KEY.value]
        )
        rows = await (await connection.execute(_FIND, values)).fetchall()
        others = [row for row in rows if row[0] != key.token]
        present = next((row for row in rows if row[0] == key.token), None)
        if others:
            await connection.execute(_DELETE, values)
        if present is None:
            await connection.execute(_INSERT, values)
            done = "created"
        elif _differs(present, key):
            await connection.execute(_UPDATE, values)
            done = "updated"
        else:
            done = "ready"
    return f"{done}, {key.budget:g} USD each {key.period}"


def _differs(present: tuple[Any, ...], key: BackendKey) -> bool:
    _, alias, budget, period, models = present
    return (alias, budget, period, set(models or ())) != (
        ALIAS,
        key.budget,
        key.period,
        set(key.models),
    )
