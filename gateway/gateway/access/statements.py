"""The statements that read LiteLLM's tables: all rows of many callers at once, in one snapshot.

One statement has the joins of proxy/utils.py:5522 (1.106.2), and those with which auth_checks.py
reads team, member, user and organization. It reads no column that is not in `columns.py`.
"""

# ruff: noqa: S608 -- every name is a constant of ours; values are parameters
from __future__ import annotations

from gateway.access.columns import selected, table

POSITION_TABLE = "gateway_data.journal_position"
"""How much of each journal is in the database; the applier writes this with the spend."""

_NOW = "(now() AT TIME ZONE 'UTC')"
_POSITION = f"LEFT JOIN {POSITION_TABLE} AS position ON position.journal = %(journal)s"

KEY_ROWS = (
    *("key", "key_budget", "team", "team_aliases", "owner", "member", "member_budget"),
    *("member_default", "organization", "organization_budget", "organization_member"),
    *("end_user_default", "rotated"),
)
_KEY_SELECTED, KEY_VALUES = selected(*KEY_ROWS)

# The wanted user and team count only where there is no key, as for a session of LiteLLM's pages.
_CALLERS = f"""
SELECT wanted.number, {{position}}, {_KEY_SELECTED},
    (SELECT jsonb_agg(jsonb_build_object(
            'access_group_id', access_group."access_group_id",
            'access_model_names', access_group."access_model_names",
            'assigned_team_ids', access_group."assigned_team_ids",
            'assigned_key_ids', access_group."assigned_key_ids"))
        FROM {table("access_group")}
        WHERE access_group."access_group_id"
            = ANY(key."access_group_ids" || team."access_group_ids")
    ) AS access_groups
FROM unnest(%(keys)s::text[], %(users)s::text[], %(teams)s::text[])
    WITH ORDINALITY AS wanted (token, user_id, team_id, number)
LEFT JOIN {table("rotated")} ON rotated."token" = wanted.token AND rotated."revoke_at" > {_NOW}
    AND NOT EXISTS (
        SELECT FROM "LiteLLM_VerificationToken" AS same WHERE same."token" = wanted.token)
LEFT JOIN {table("key")} ON key."token" = coalesce(rotated."active_token_id", wanted.token)
LEFT JOIN {table("key_budget")} ON key_budget."budget_id" = key."budget_id"
CROSS JOIN LATERAL (SELECT
    CASE WHEN key."token" IS NULL THEN wanted.user_id ELSE key."user_id" END AS user_id,
    CASE WHEN key."token" IS NULL THEN wanted.team_id ELSE key."team_id" END AS team_id) AS whose
LEFT JOIN {table("team")} ON team."team_id" = whose.team_id
LEFT JOIN {table("team_aliases")} ON team_aliases."id" = team."model_id"
LEFT JOIN {table("owner")} ON owner."user_id" = whose.user_id
LEFT JOIN {table("member")}
    ON member."team_id" = whose.team_id AND member."user_id" = whose.user_id
LEFT JOIN {table("member_budget")} ON member_budget."budget_id" = member."budget_id"
LEFT JOIN {table("member_default")}
    ON member_default."budget_id" = team."metadata" ->> 'team_member_budget_id'
LEFT JOIN {table("organization")}
    ON organization."organization_id" = coalesce(key."organization_id", team."organization_id")
LEFT JOIN {table("organization_budget")}
    ON organization_budget."budget_id" = organization."budget_id"
LEFT JOIN {table("organization_member")}
    ON organization_member."organization_id" = organization."organization_id"
    AND organization_member."user_id" = whose.user_id
LEFT JOIN {table("end_user_default")}
    ON end_user_default."budget_id" = key."metadata" ->> 'end_user_budget_id'
{{joined}}
"""

END_USER_ROWS = ("end_user", "end_user_budget")
_END_USER_SELECTED, END_USER_VALUES = selected(*END_USER_ROWS)

_END_USERS = f"""
SELECT wanted.number, {{position}}, {_END_USER_SELECTED}
FROM unnest(%(end_users)s::text[]) WITH ORDINALITY AS wanted (user_id, number)
LEFT JOIN {table("end_user")} ON end_user."user_id" = wanted.user_id
LEFT JOIN {table("end_user_budget")} ON end_user_budget."budget_id" = end_user."budget_id"
{{joined}}
"""

_DEFAULT_SELECTED, DEFAULT_VALUES = selected("end_user_default")

COMMON = f"""
SELECT
    ARRAY(SELECT tag."tag_name" FROM {table("tag")} WHERE tag."budget_id" IS NOT NULL),
    ARRAY(SELECT group_budget."access_group_name" FROM {table("group_budget")}
        WHERE group_budget."budget_id" IS NOT NULL),
    {_DEFAULT_SELECTED}
FROM (VALUES (%(default_budget)s::text)) AS wanted (budget_id)
LEFT JOIN {table("end_user_default")} ON end_user_default."budget_id" = wanted.budget_id
"""
"""What holds for all callers: tags and groups with a budget, and end users' default budget."""

OTHERS = f"SELECT coalesce(sum(at), 0) FROM {POSITION_TABLE} WHERE journal <> %(journal)s"
"""The sum of all other journals' positions: it changes with each cost that another one brings."""

HAS_POSITIONS = f"SELECT to_regclass('{POSITION_TABLE}') IS NOT NULL"


def callers(*, with_position: bool) -> str:
    """Return the statement for keys: one row for each, numbered from 1 in their order."""
    return _with_position(_CALLERS, with_position=with_position)


def end_users(*, with_position: bool) -> str:
    """Return the statement for end users, numbered likewise."""
    return _with_position(_END_USERS, with_position=with_position)


def _with_position(statement: str, *, with_position: bool) -> str:
    if with_position:
        return statement.format(position='position."at"', joined=_POSITION)
    return statement.format(position="NULL::bigint", joined="")
