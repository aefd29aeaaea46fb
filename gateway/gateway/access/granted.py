"""The lists of models that hold for a caller, made from the caller's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from gateway.access import allowlist
from gateway.access.allowlist import Allowlist, ModelRules
from gateway.access.entities import PROXY_ADMIN
from gateway.access.rows import name_map, names

if TYPE_CHECKING:
    from gateway.access.rows import Found


def rules_of(found: Found, team_id: str | None) -> ModelRules:
    """Return the lists of models that hold, in LiteLLM's order."""
    key, team, owner = found["key"], found["team"], found["owner"]
    lists = []
    models = names(key.get("models"))
    if allowlist.ALL_TEAM_MODELS not in models:
        groups = _of_groups(found, names(key.get("access_group_ids")))
        lists.append(Allowlist("key", models, (groups,) if groups else (), team_aliases="grant"))
    if team:
        models = names(team.get("models"))
        groups = _of_groups(found, names(team.get("access_group_ids")))
        granted = _granted_by_key(found, team_id)
        instead = tuple(each for each in (groups, granted) if each)
        lists.append(_of_team(models, instead, "grant"))
        lists.append(_of_team(names(found["member_budget"].get("allowed_models"))))
    if team_id is None and owner and owner.get("user_role") != PROXY_ADMIN:
        models = names(owner.get("models"))
        if allowlist.NO_DEFAULT_MODELS in models:
            lists.append(Allowlist("key", (), none=True))  # LiteLLM's error says "key" here, too
        else:
            lists.append(Allowlist("user", models))
    return ModelRules(
        lists=tuple(each for each in lists if not each.is_open),
        team_aliases=name_map(found["team_aliases"].get("aliases")),
        key_aliases=name_map(key.get("aliases")),
    )


def _of_team(
    models: tuple[str, ...],
    instead: tuple[tuple[str, ...], ...] = (),
    team_aliases: Literal["grant", "ignore"] = "ignore",
) -> Allowlist:
    return Allowlist(
        "team",
        tuple(name for name in models if name != allowlist.ALL_TEAM_MODELS),
        instead,
        team_aliases=team_aliases,
        all_configured=allowlist.ALL_TEAM_MODELS in models,
    )


def _of_groups(found: Found, ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        name
        for group in found.access_groups
        if group["access_group_id"] in ids
        for name in names(group["access_model_names"])
    )


def _granted_by_key(found: Found, team_id: str | None) -> tuple[str, ...]:
    """Return the models that the key's access groups grant beyond what its team allows.

    Only groups that are assigned to the team or to the key count.
    """
    key = found["key"]
    ids = names(key.get("access_group_ids"))
    return tuple(
        name
        for group in found.access_groups
        if group["access_group_id"] in ids
        and (
            team_id in names(group["assigned_team_ids"])
            or key.get("token") in names(group["assigned_key_ids"])
        )
        for name in names(group["access_model_names"])
    )
