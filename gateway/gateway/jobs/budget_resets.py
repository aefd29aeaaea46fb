"""Reset budgets: LiteLLM's reset job, as statements.

A row whose budget_reset_at has passed gets a spend of 0 and the next budget_reset_at. A row of
LiteLLM_BudgetTable has no spend itself; instead everything linked to it gets a spend of 0. The rows
are the same as in LiteLLM 1.106.2 (proxy/common_utils/reset_budget_job.py, and `get_data` in
proxy/utils.py), plus members of organisations, whose spend LiteLLM counts but never resets.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from psycopg import sql

from gateway.jobs.durations import next_reset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.jobs.election import AsyncConnection

LOG = logging.getLogger(__name__)

BATCH = 500
BUDGETS_BATCH = 50
"""Rows of LiteLLM_BudgetTable in one transaction; any number of rows may be linked to each."""

WRITES = {
    "LiteLLM_UserTable": ("spend", "budget_reset_at", "updated_at"),
    "LiteLLM_VerificationToken": ("spend", "budget_reset_at", "updated_at"),
    "LiteLLM_TeamTable": ("spend", "budget_reset_at", "updated_at"),
    "LiteLLM_BudgetTable": ("budget_reset_at", "updated_at"),
    "LiteLLM_OrganizationTable": ("spend", "updated_at"),
    "LiteLLM_ProjectTable": ("spend", "updated_at"),
    "LiteLLM_TagTable": ("spend", "updated_at"),
    "LiteLLM_ModelAccessGroupBudgetTable": ("spend", "updated_at"),
    "LiteLLM_EndUserTable": ("spend",),
    "LiteLLM_TeamMembership": ("spend",),
    "LiteLLM_OrganizationMembership": ("spend", "updated_at"),
}
"""Every column that is written."""

READS = {
    "LiteLLM_UserTable": ("user_id", "budget_duration"),
    "LiteLLM_VerificationToken": ("token", "budget_duration", "expires", "budget_id"),
    "LiteLLM_TeamTable": ("team_id", "budget_duration"),
    "LiteLLM_BudgetTable": ("budget_id", "budget_duration"),
    **{
        table: ("budget_id",)
        for table in WRITES
        if table.endswith(("Membership", "TagTable", "ProjectTable", "OrganizationTable"))
    },
    "LiteLLM_ModelAccessGroupBudgetTable": ("budget_id",),
    "LiteLLM_EndUserTable": ("budget_id",),
}
"""Every other column that is read."""


@dataclass(frozen=True)
class _Owner:
    """A table whose rows have a budget that is reset, and usually a spend."""

    table: str
    column: str
    is_due: str
    has_spend: bool = True


_SINCE_EVER = "(budget_reset_at IS NULL OR budget_reset_at < %(now)s)"
_OWNERS = (
    _Owner("LiteLLM_UserTable", "user_id", _SINCE_EVER),
    _Owner(
        "LiteLLM_VerificationToken",
        "token",
        "budget_reset_at < %(now)s AND (expires IS NULL OR expires > %(now)s)",
    ),
    _Owner("LiteLLM_TeamTable", "team_id", _SINCE_EVER),
)

# In the order in which the journal's applier locks these tables, to avoid deadlocks with it.
_LINKED = (
    ("LiteLLM_VerificationToken", "budget_duration IS NULL"),
    ("LiteLLM_OrganizationTable", "true"),
    ("LiteLLM_ProjectTable", "true"),
    ("LiteLLM_TagTable", "true"),
    ("LiteLLM_ModelAccessGroupBudgetTable", "true"),
    ("LiteLLM_EndUserTable", "true"),
    ("LiteLLM_TeamMembership", "true"),
    ("LiteLLM_OrganizationMembership", "true"),
)

_DUE = """
SELECT {column}, budget_duration FROM {table}
WHERE budget_duration IS NOT NULL AND {is_due} AND {column} > %(after)s
ORDER BY {column} LIMIT %(most)s FOR UPDATE
"""
_RESET = """
UPDATE {table} AS t SET {spend} budget_reset_at = s.at, updated_at = %(now)s
FROM unnest(%(ids)s::text[], %(ats)s::timestamp[]) AS s(id, at) WHERE t.{column} = s.id
"""
_CLEAR = "UPDATE {table} SET spend = 0 {updated} WHERE spend <> 0 AND {extra} AND {linked}"
_LINK = "budget_id = ANY(%(ids)s)"
_LINK_OR_NONE = "(budget_id = ANY(%(ids)s) OR budget_id IS NULL)"


async def reset_budgets(
    connection: AsyncConnection, now: datetime, default_end_user_budget: str | None = None
) -> int:
    """Reset all budgets that are due; return how many there were.

    Each batch is a transaction. A budget whose duration is unknown stays as it is, and the log says
    so, as in LiteLLM.

    Args:
        connection: a connection that commits each statement by itself.
        now: the time, in UTC.
        default_end_user_budget: litellm_settings.max_end_user_budget_id: the budget of end users
            that have none of their own.

    Raises:
        psycopg.Error: an error; budgets whose reset was not committed stay due.
    """
    moment = now.astimezone(timezone.utc)
    done = 0
    for owner in _OWNERS:
        after: str | None = ""
        while after is not None:
            count, after = await _reset_batch(connection, owner, after, moment)
            done += count
    after = ""
    while after is not None:
        count, after = await _reset_linked(connection, after, moment, default_end_user_budget)
        done += count
    return done


async def _reset_batch(
    connection: AsyncConnection, owner: _Owner, after: str, now: datetime
) -> tuple[int, str | None]:
    """Return how many budgets were reset, and the last id if more may follow, else None."""
    async with connection.transaction():
        await _bound(connection)
        rows = await _due(connection, owner, after, BATCH, now)
        count = len(await _advance(connection, owner, rows, now))
    return count, rows[-1][0] if len(rows) == BATCH else None


async def _reset_linked(
    connection: AsyncConnection, after: str, now: datetime, default_end_user_budget: str | None
) -> tuple[int, str | None]:
    budgets = _Owner("LiteLLM_BudgetTable", "budget_id", _SINCE_EVER, has_spend=False)
    async with connection.transaction():
        await _bound(connection)
        rows = await _due(connection, budgets, after, BUDGETS_BATCH, now)
        ids = list(_next_resets(rows, now))
        for table, extra in _LINKED if ids else ():
            is_default = table == "LiteLLM_EndUserTable" and default_end_user_budget in ids
            updated = ", updated_at = %(now)s" if "updated_at" in WRITES[table] else ""
            statement = sql.SQL(_CLEAR).format(
                table=sql.Identifier(table),
                updated=sql.SQL(updated),
                extra=sql.SQL(extra),
                linked=sql.SQL(_LINK_OR_NONE if is_default else _LINK),
            )
            await connection.execute(statement, {"ids": ids, "now": _stored(now)})
        count = len(await _advance(connection, budgets, rows, now))
    return count, rows[-1][0] if len(rows) == BUDGETS_BATCH else None


async def _bound(connection: AsyncConnection) -> None:
    await connection.execute("SET LOCAL statement_timeout = '60s'")
    await connection.execute("SET LOCAL lock_timeout = '10s'")


async def _due(
    connection: AsyncConnection, owner: _Owner, after: str, most: int, now: datetime
) -> list[tuple[Any, ...]]:
    statement = sql.SQL(_DUE).format(
        table=sql.Identifier(owner.table),
        column=sql.Identifier(owner.column),
        is_due=sql.SQL(owner.is_due),
    )
    values = {"now": _stored(now), "after": after, "most": most}
    return await (await connection.execute(statement, values)).fetchall()


async def _advance(
    connection: AsyncConnection,
    owner: _Owner,
    rows: Iterable[tuple[Any, ...]],
    now: datetime,
) -> list[str]:
    resets = _next_resets(rows, now)
    if resets:
        statement = sql.SQL(_RESET).format(
            table=sql.Identifier(owner.table),
            column=sql.Identifier(owner.column),
            spend=sql.SQL("spend = 0,") if owner.has_spend else sql.SQL(""),
        )
        ats = [_stored(at) for at in resets.values()]
        values = {"ids": list(resets), "ats": ats, "now": _stored(now)}
        await connection.execute(statement, values)
    return list(resets)


def _next_resets(rows: Iterable[tuple[Any, ...]], now: datetime) -> dict[str, datetime]:
    """Return the next reset of each row, without rows whose duration is unknown."""
    found: dict[str, datetime] = {}
    for identity, duration in rows:
        try:
            found[identity] = next_reset(duration, now)
        except (ValueError, OverflowError) as error:
            LOG.warning("a budget is not reset, its duration is unknown: %s", error)
    return found


def _stored(moment: datetime) -> datetime:
    """Return a time as LiteLLM's columns store it: in UTC, without a time zone."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None)
