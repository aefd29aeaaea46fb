"""Which models and routes a key may ask for: the same as LiteLLM says, for generated keys."""

# ruff: noqa: ANN401 -- columns hold anything
from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from fastapi import HTTPException
from hypothesis import given, settings
from hypothesis import strategies as st
from litellm.proxy._types import (
    LiteLLM_BudgetTable,
    LiteLLM_EndUserTable,
    LiteLLM_TeamMembership,
    LiteLLM_TeamTable,
    LiteLLM_UserTable,
    ProxyException,
    UserAPIKeyAuth,
)
from litellm.proxy.auth import auth_checks
from litellm.proxy.auth.route_checks import RouteChecks

from gateway.access.allowlist import Catalogue
from gateway.access.identity import Identity, Settings, make_identity, with_end_user
from gateway.access.routes import is_allowed
from gateway.access.rows import Common, Wanted
from unit.access.people import TOKEN, found, identity, key, models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.access.caller import Caller

CONFIGURED = ("small", "large", "x/one")
GROUPS = {"cheap": ("small",), "all-of-x": ("x/one", "large")}
ROUTER = {"best": ("large", False)}
MODELS = models(*CONFIGURED, groups=GROUPS, router=ROUTER)
CATALOGUE = Catalogue(MODELS)
ASKED = (*CONFIGURED, "best")

names = st.lists(
    st.sampled_from(
        (*CONFIGURED, "best", "cheap", "all-of-x", "*", "x/*", "lar*", "unknown",
         "all-proxy-models", "all-team-models", "no-default-models", "mine", "ours")
    ),
    max_size=3, unique=True,
)  # fmt: skip
aliases = st.dictionaries(
    st.sampled_from(("mine", "ours", "small")),
    st.sampled_from((*CONFIGURED, "best", "unknown")),
    max_size=2,
)


class Router:
    """What LiteLLM's checks ask its router, for the same configuration."""

    model_group_alias: ClassVar = {name: target for name, (target, _) in ROUTER.items()}
    model_name_to_deployment_indices = dict.fromkeys(CONFIGURED, (0,))

    def get_model_access_groups(self, model_name: str, **_: Any) -> dict[str, list[str]]:
        """Return the groups that a model is in."""
        name = self.model_group_alias.get(model_name, model_name)
        return {group: [name] for group, members in GROUPS.items() if name in members}

    def get_model_from_alias(self, model: str) -> str | None:
        """Return what a name of the router's stands for."""
        return self.model_group_alias.get(model)

    def get_model_names(self) -> list[str]:
        """Return the configured names."""
        return [*CONFIGURED, *self.model_group_alias]

    def get_deployment_by_model_group_name(self, **_: Any) -> None:
        """Return the deployment that belongs to a team: none does."""


async def theirs(  # noqa: PLR0917 -- one list after the other
    token: UserAPIKeyAuth,
    team: LiteLLM_TeamTable | None,
    user: LiteLLM_UserTable | None,
    member: list[str],
    end_user: LiteLLM_EndUserTable | None,
    model: str,
) -> str | None:
    """Return the type of the error with which LiteLLM denies a model, None for none."""
    router = Router()
    mine = auth_checks.key_model_aliases_for_auth_check(token)
    try:
        if "all-team-models" not in token.models:
            await auth_checks.can_key_call_model(model, [], token, router)
        if team is not None:
            await auth_checks.can_team_access_model(
                model, team, router, token.team_model_aliases, mine
            )
            if token.user_id:
                membership = LiteLLM_TeamMembership(
                    user_id="u", team_id="t", budget_id="b",
                    litellm_budget_table=LiteLLM_BudgetTable(allowed_models=member),
                )  # fmt: skip
                await auth_checks.check_team_member_model_access(
                    model, team, token, router, None, None, None, membership,
                    team_membership_loaded=True, key_model_aliases=mine,
                )  # fmt: skip
        elif user is not None:
            await auth_checks.can_user_call_model(model, router, user, mine)
        if end_user is not None and end_user.models:
            auth_checks.can_customer_access_model(model, end_user, router, token)
    except ProxyException as error:
        return str(getattr(error.type, "value", error.type))
    return None


def ours(caller: Caller, rules: Any, model: str) -> str | None:
    """Return the same for what was made of the rows."""
    if caller.models is None or model in caller.models:
        return None
    kind = rules.denied_by(model, CATALOGUE)
    return f"{kind}_model_access_denied" if kind else None


@given(
    of_key=names, of_team=st.none() | names, of_user=names, of_member=names, of_end_user=names,
    key_aliases=aliases, team_aliases=aliases, has_user=st.booleans(),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_a_caller_may_ask_for_what_litellm_lets_it_ask_for(  # noqa: PLR0917 -- as above
    of_key: list[str],
    of_team: list[str] | None,
    of_user: list[str],
    of_member: list[str],
    of_end_user: list[str],
    key_aliases: dict[str, str],
    team_aliases: dict[str, str],
    *,
    has_user: bool,
) -> None:
    """The same models, and the same type of error for the others."""
    team_id, user_id = (None if of_team is None else "t"), ("u" if has_user else None)
    if of_team is None:
        team_aliases = {}
    token = UserAPIKeyAuth(
        token=TOKEN, models=of_key, aliases=key_aliases, team_id=team_id, user_id=user_id,
        team_models=of_team or [], team_model_aliases=team_aliases or None,
    )  # fmt: skip
    team = None if of_team is None else LiteLLM_TeamTable(team_id="t", models=of_team)
    user = LiteLLM_UserTable(user_id="u", models=of_user) if has_user else None
    customer = LiteLLM_EndUserTable(user_id="e", models=of_end_user, blocked=False)
    rows = found(
        key=key(models=of_key, aliases=key_aliases, team_id=team_id, user_id=user_id),
        team={} if of_team is None else {"team_id": "t", "models": of_team, "model_id": 1},
        team_aliases={"id": 1, "aliases": team_aliases},
        owner={"user_id": "u", "models": of_user} if has_user else {},
        member_budget={"allowed_models": of_member} if has_user and of_team is not None else {},
    )
    made = make_identity(Wanted(TOKEN), rows, Common(), Settings(CATALOGUE), 0.0)
    assert made is not None
    caller = with_end_user(
        made, "e", found(end_user={"user_id": "e", "models": of_end_user}), Common(),
        Settings(CATALOGUE),
    )  # fmt: skip

    async def all_of_theirs() -> dict[str, str | None]:
        return {
            model: await theirs(token, team, user, of_member, customer, model)
            for model in (*ASKED, *key_aliases, *team_aliases)
        }

    denied = asyncio.run(all_of_theirs())
    assert {model: ours(caller, caller.rules, model) for model in denied} == denied


SERVED = (
    *("/chat/completions", "/v1/chat/completions", "/completions", "/v1/embeddings", "/models"),
    *("/v1/models", "/moderations", "/v1/audio/speech", "/audio/transcriptions"),
    *("/engines/small/chat/completions", "/openai/deployments/small/embeddings"),
)


@contextmanager
def no_pass_through() -> Iterator[None]:
    """Let LiteLLM know of no pass-through endpoints, without loading its whole proxy."""
    name = "litellm.proxy.pass_through_endpoints.pass_through_endpoints"
    fake = SimpleNamespace(
        InitPassThroughEndpointHelpers=SimpleNamespace(
            is_registered_pass_through_route=lambda **_: False
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, fake)
        patch.setattr(RouteChecks, "is_auth_enforced_pass_through_route", lambda **_: False)
        yield


@given(
    route=st.sampled_from(SERVED),
    allowed=st.lists(
        st.sampled_from(
            (*SERVED, "openai_routes", "llm_api_routes", "info_routes", "management_routes",
             "/v1", "/v1/*", "/chat*", "*", "/key/generate", "anthropic_routes", "/chat")
        ),
        max_size=3,
    ),
)  # fmt: skip
@settings(deadline=None)
def test_a_key_may_ask_the_routes_that_litellm_lets_it_ask(route: str, allowed: list[str]) -> None:
    """allowed_routes holds paths, their beginnings, wildcards and LiteLLM's groups."""
    with no_pass_through():
        try:
            theirs_says = RouteChecks.is_virtual_key_allowed_to_call_route(
                route, UserAPIKeyAuth(token=TOKEN, allowed_routes=allowed)
            )
        except HTTPException:
            theirs_says = False
    assert is_allowed(route, tuple(allowed)) == theirs_says


def test_a_keys_group_grants_what_its_team_does_not_only_where_it_is_assigned() -> None:
    """An access group of the database, for a team's key."""
    group = {"access_group_id": "g", "access_model_names": ["large"], "assigned_team_ids": [],
             "assigned_key_ids": []}  # fmt: skip

    def made(**assigned: list[str]) -> Identity:
        rows = found(
            key=key(team_id="t", access_group_ids=["g"]),
            team={"team_id": "t", "models": ["small"]},
            access_groups=[{**group, **assigned}],
        )
        return identity(rows)

    assert made().caller.models == frozenset({"small"})
    assert made(assigned_team_ids=["t"]).caller.models == frozenset({"small", "large", "best"})
    assert made(assigned_key_ids=[TOKEN]).caller.models == frozenset({"small", "large", "best"})
