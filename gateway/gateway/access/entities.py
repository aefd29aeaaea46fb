"""Budgets and limits that hold for a caller, by LiteLLM's rules.

auth_checks.py, 1.106.2: key 5853, team 6364, member 6209, user 1228, organization 6695, end user
1660 and 1737; limits: hooks/parallel_request_limiter_v3.py 3191, where only a key has a limit of
parallel requests. A soft budget only alerts, so it is not read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.access.caller import Entity, Kind, Position
from gateway.access.litellm_only import json_object
from gateway.access.rows import FOREVER, NOTHING, Found, Row, budget, first, moment

if TYPE_CHECKING:
    from collections.abc import Iterator

PROXY_ADMIN = "proxy_admin"
UI_TEAM = "litellm-dashboard"
"""The team of the keys that LiteLLM's pages create for a session; no table has a row for it."""


def member_id(whose: str, user_id: str) -> str:
    """Return the id of a member of a team or an organization."""
    return f"{quote(whose, safe='')}::{quote(user_id, safe='')}"


def increase(row: Row, now: float) -> tuple[float, float]:
    """Return the temporary increase of a budget and its end; 0.0 and FOREVER when there is none."""
    amount, until = budget(row.get("temp_budget_increase")), moment(row.get("temp_budget_expiry"))
    if not amount or until is None or until <= now:
        return 0.0, FOREVER
    return amount, until


def of_caller(  # noqa: PLR0913 -- one value after the other
    found: Found,
    position: Position,
    now: float,
    *,
    user_id: str | None,
    team_id: str | None,
    user_budget_on_team_keys: bool,
) -> Iterator[Entity]:
    """Yield every entity that is charged, except the end user.

    Args:
        found: the rows.
        position: the journal's position in the snapshot that the rows come from.
        now: seconds since the epoch.
        user_id: the user of the key or of the session.
        team_id: the team of the key or of the session.
        user_budget_on_team_keys: LiteLLM's apply_user_budget_to_team_keys.
    """
    if found["key"]:
        yield _key(found, position, now)
    has_team = team_id is not None and team_id != UI_TEAM
    if team_id is not None and has_team:
        yield _entity(Kind.TEAM, team_id, found["team"], position, found["team"],
                      name=str(found["team"].get("team_alias") or team_id))  # fmt: skip
        if user_id is not None:
            yield _member(found, position, now, team_id, user_id)
    if user_id is not None:
        owner = found["owner"]
        is_held = owner.get("user_role") != PROXY_ADMIN and (
            team_id is None or user_budget_on_team_keys
        )
        limits = owner if is_held else {**owner, "max_budget": None}
        yield _entity(Kind.USER, user_id, owner, position, limits)
    organization_id = found["organization"].get("organization_id")
    if organization_id is not None:
        yield _entity(Kind.ORGANIZATION, organization_id, found["organization"], position,
                      found["organization_budget"])  # fmt: skip
        if user_id is not None:
            yield _entity(Kind.ORGANIZATION_MEMBER, member_id(organization_id, user_id),
                          found["organization_member"], position, NOTHING)  # fmt: skip


def of_end_user(end_user_id: str, found: Found, position: Position, *defaults: Row) -> Entity:
    """Return an end user with its own budget, or else with the first default that exists."""
    held = next((row for row in (found["end_user_budget"], *defaults) if row), NOTHING)
    return _entity(Kind.END_USER, end_user_id, found["end_user"], position, held)


def _key(found: Found, position: Position, now: float) -> Entity:
    key, shared = found["key"], found["key_budget"]
    limits = {
        name: first(key.get(name), shared.get(name))
        for name in ("max_budget", "rpm_limit", "tpm_limit")
    }
    most = budget(limits["max_budget"])
    if most is not None:
        limits["max_budget"] = most + increase(json_object(key.get("metadata")), now)[0]
    entity = _entity(Kind.KEY, key["token"], key, position, limits, name=key_name(key))
    return replace(entity, max_parallel=key.get("max_parallel_requests"))


def key_name(key: Row) -> str:
    """Return a key's alias, or its masked form."""
    return str(key.get("key_alias") or key.get("key_name") or "")


def _member(found: Found, position: Position, now: float, team_id: str, user_id: str) -> Entity:
    own, default = found["member_budget"], found["member_default"]
    most, shared = budget(own.get("max_budget")), budget(default.get("max_budget"))
    more, _ = increase(own, now)
    # A member whose own budget is 0 is shut out; a team's default of 0 means no budget.
    held = most + more if most is not None else shared + more if shared else None
    limits = {**own, "max_budget": held}
    return _entity(
        Kind.TEAM_MEMBER, member_id(team_id, user_id), found["member"], position, limits,
        name=f"{user_id} in {team_id}",
    )  # fmt: skip


def _entity(  # noqa: PLR0913 -- one value after the other
    kind: Kind, identity: str, row: Row, position: Position, limits: Row, *, name: str = ""
) -> Entity:
    return Entity(
        kind=kind,
        id=identity,
        name=name or identity,
        spend=float(row.get("spend") or 0.0),
        position=position,
        max_budget=budget(limits.get("max_budget")),
        rpm=limits.get("rpm_limit"),
        tpm=limits.get("tpm_limit"),
    )
