"""A caller, made from its rows, and the rows whose change makes it stale."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway.access import refusals
from gateway.access.allowlist import Allowlist, Catalogue, ModelRules
from gateway.access.caller import Caller, Position
from gateway.access.entities import UI_TEAM, increase, key_name, of_caller, of_end_user
from gateway.access.granted import rules_of
from gateway.access.litellm_only import GROUP_BUDGET, PROVIDER_WILDCARD, TAG_BUDGET, json_object
from gateway.access.litellm_only import found as found_litellm_only
from gateway.access.rows import FOREVER, Common, Found, Row, Wanted, moment, names
from gateway.config.deployment import LiteLLMOnly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.access.memory import Dependency
    from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class KnownCaller(Caller):
    """A caller with the rules that say which list denies a refused model."""

    rules: ModelRules = field(default_factory=ModelRules)


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of the configuration that matters here.

    Attributes:
        catalogue: the configured names.
        journal_id: the id of the journal whose position is read.
        user_budget_on_team_keys: LiteLLM's apply_user_budget_to_team_keys.
    """

    catalogue: Catalogue
    journal_id: str = ""
    user_budget_on_team_keys: bool = False


@dataclass(slots=True)
class Identity:
    """What is kept in memory about a key.

    Attributes:
        caller: the caller, without an end user.
        refusal: makes the error for a key that may not be used, for example because the key or its
            team is blocked; None for a key that may be used.
        expires: when the key expires, in seconds since the epoch.
        reload_at: when the key has to be read again because a temporary budget increase, or the
            time of a rotated key, ends; in seconds since the epoch.
        routes: the key's allowed_routes; () for all.
        end_user_default: the budget of the key's end users that have none of their own.
        depends_on: the rows whose change makes this stale.
        is_stale: whether one of these rows has changed since they were read.
        used: whether a request came with the key since `KnownCallers.reload_used` last ran.
    """

    caller: KnownCaller
    refusal: Callable[[], GatewayError] | None = None
    expires: float = FOREVER
    reload_at: float = FOREVER
    routes: tuple[str, ...] = ()
    end_user_default: Row = field(default_factory=dict)
    depends_on: frozenset[Dependency] = frozenset()
    is_stale: bool = False
    used: bool = True


def make_identity(
    wanted: Wanted, found: Found, common: Common, settings: Settings, now: float
) -> Identity | None:
    """Return the caller behind a key; None when there is no key, and no user or team either.

    Args:
        wanted: the key, or the session, that was looked up.
        found: the rows.
        common: what holds for all callers.
        settings: the configuration.
        now: seconds since the epoch.
    """
    key = found["key"]
    if not key and wanted.user_id is None and wanted.team_id is None:
        return None
    user_id = key.get("user_id") if key else wanted.user_id
    team_id = key.get("team_id") if key else wanted.team_id
    position = Position(settings.journal_id, found.position)
    rules = rules_of(found, team_id)
    ends = [
        moment(found["rotated"].get("revoke_at")),
        increase(json_object(key.get("metadata")), now)[1],
        increase(found["member_budget"], now)[1],
    ]
    caller = KnownCaller(
        key_hash=key.get("token") or wanted.token,
        key_name=key_name(key),
        team_id=team_id,
        team_alias=found["team"].get("team_alias"),
        user_id=user_id,
        user_email=found["owner"].get("user_email"),
        organization_id=found["organization"].get("organization_id"),
        project_id=key.get("project_id"),
        agent_id=key.get("agent_id"),
        models=rules.allowed(settings.catalogue),
        aliases=rules.aliases(),
        entities=tuple(
            of_caller(found, position, now, user_id=user_id, team_id=team_id,
                      user_budget_on_team_keys=settings.user_budget_on_team_keys)
        ),
        litellm_only=tuple(_litellm_only(found, rules, common)),
        metadata=_recorded(found),
        rules=rules,
    )  # fmt: skip
    return Identity(
        caller=caller,
        refusal=_refusal(found, user_id, team_id),
        expires=moment(key.get("expires")) or FOREVER,
        reload_at=min(end for end in ends if end is not None),
        routes=names(key.get("allowed_routes")),
        end_user_default=found["end_user_default"],
        depends_on=frozenset(_dependencies(wanted, found, user_id, team_id)),
    )


def with_end_user(
    identity: Identity, end_user_id: str, found: Found, common: Common, settings: Settings
) -> KnownCaller:
    """Return a caller that makes its request for an end user."""
    caller, row = identity.caller, found["end_user"]
    position = Position(settings.journal_id, found.position)
    defaults = (identity.end_user_default, common.end_user_default)
    entity = of_end_user(end_user_id, found, position, *defaults)
    rules = caller.rules
    listed = names(row.get("models"))
    if listed:
        own = Allowlist("customer", listed, team_aliases="follow")
        rules = replace(rules, lists=(*rules.lists, own))
    rows = {**found.rows, "end_user_default": common.end_user_default}
    needed = (*caller.litellm_only, *found_litellm_only(rows))
    return replace(
        caller,
        end_user_id=end_user_id,
        entities=(*caller.entities, entity),
        models=rules.allowed(settings.catalogue) if listed else caller.models,
        rules=rules,
        litellm_only=tuple(dict.fromkeys(needed)),
    )


def _refusal(
    found: Found, user_id: str | None, team_id: str | None
) -> Callable[[], GatewayError] | None:
    if found["key"].get("blocked") is True:
        return refusals.key_blocked
    if user_id and json_object(found["owner"].get("metadata")).get("scim_active") is False:
        return lambda: refusals.user_deactivated(user_id)
    if team_id is not None and not found["team"] and team_id != UI_TEAM:
        return lambda: refusals.team_missing(team_id)
    if team_id is not None and found["team"].get("blocked") is True:
        return lambda: refusals.team_blocked(team_id)
    return None


def _litellm_only(found: Found, rules: ModelRules, common: Common) -> Iterator[LiteLLMOnly]:
    yield from found_litellm_only(found.rows)
    for tag in _tags(found):
        if tag in common.budgeted_tags:
            yield LiteLLMOnly(f"tag {tag}", TAG_BUDGET)
    for allowed in rules.lists:
        for name in (name for models in (allowed.models, *allowed.instead) for name in models):
            if name in common.budgeted_groups:
                yield LiteLLMOnly(f"access group {name}", GROUP_BUDGET)
            if "*" in name and name != "*":
                yield LiteLLMOnly(f"{allowed.kind}.models: {name}", PROVIDER_WILDCARD)


def _tags(found: Found) -> tuple[str, ...]:
    """Return the tags of key and team, which every spend log of theirs has."""
    ours = (json_object(found[name].get("metadata")).get("tags") for name in ("key", "team"))
    return tuple(dict.fromkeys(tag for tags in ours for tag in names(tags)))


def _recorded(found: Found) -> dict[str, Any]:
    """Return what LiteLLM copies from key and team into spend logs."""
    team, key = (
        json_object(json_object(found[name].get("metadata")).get("spend_logs_metadata"))
        for name in ("team", "key")
    )
    recorded = {"tags": list(_tags(found)), "spend_logs_metadata": {**team, **key}}
    return {name: value for name, value in recorded.items() if value}


def _dependencies(
    wanted: Wanted, found: Found, user_id: str | None, team_id: str | None
) -> Iterator[Dependency]:
    """Yield the rows that a caller depends on, including those that do not exist yet."""
    key, team = found["key"], found["team"]
    organization_id = key.get("organization_id") or team.get("organization_id")
    rows = (
        ("common",),
        ("key", wanted.token),
        ("key", key.get("token")),
        ("team", team_id),
        ("user", user_id),
        ("member", team_id, user_id),
        ("organization", organization_id),
        ("organization_member", organization_id, user_id),
        ("team_aliases", team.get("model_id")),
        *(("budget", found[name].get("budget_id")) for name in ("key", "member", "organization")),
        ("budget", json_object(key.get("metadata")).get("end_user_budget_id")),
        ("budget", json_object(team.get("metadata")).get("team_member_budget_id")),
        *(("access_group", each) for each in names(key.get("access_group_ids"))),
        *(("access_group", each) for each in names(team.get("access_group_ids"))),
    )
    for row in rows:
        if None not in row:
            yield tuple(map(str, row))
