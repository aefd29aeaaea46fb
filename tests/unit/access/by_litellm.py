"""What LiteLLM's own checks say of a key, a team, a user and an end user; slow to import."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import HTTPException
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

from unit.access.people import TOKEN


class Router:
    """What LiteLLM's checks ask its router, for the same configuration."""

    def __init__(
        self,
        configured: Sequence[str],
        groups: Mapping[str, tuple[str, ...]],
        aliases: Mapping[str, tuple[str, bool]],
    ) -> None:
        self.model_group_alias = {name: target for name, (target, _) in aliases.items()}
        self.model_name_to_deployment_indices = dict.fromkeys(configured, (0,))
        self._configured, self._groups = configured, groups

    def get_model_access_groups(self, model_name: str, **_: Any) -> dict[str, list[str]]:
        """Return the groups that a model is in."""
        name = self.model_group_alias.get(model_name, model_name)
        return {group: [name] for group, members in self._groups.items() if name in members}

    def get_model_from_alias(self, model: str) -> str | None:
        """Return what a name of the router's stands for."""
        return self.model_group_alias.get(model)

    def get_model_names(self) -> list[str]:
        """Return the configured names."""
        return [*self._configured, *self.model_group_alias]

    def get_deployment_by_model_group_name(self, **_: Any) -> None:
        """Return the deployment that belongs to a team: none does."""


@dataclass(frozen=True)
class Asks:
    """A key with what it belongs to, each with the models that it may ask for."""

    token: UserAPIKeyAuth
    team: LiteLLM_TeamTable | None
    user: LiteLLM_UserTable | None
    member: list[str]
    end_user: LiteLLM_EndUserTable

    @classmethod
    def of(
        cls,
        *,
        key: Mapping[str, Any],
        team: list[str] | None,
        team_aliases: Mapping[str, str],
        user: list[str] | None,
        member: list[str],
        end_user: list[str],
    ) -> Asks:
        """Return it in LiteLLM's own types."""
        return cls(
            UserAPIKeyAuth(
                token=TOKEN, **key, team_models=team or [], team_model_aliases=team_aliases or None
            ),
            None if team is None else LiteLLM_TeamTable(team_id="t", models=team),
            None if user is None else LiteLLM_UserTable(user_id="u", models=user),
            member,
            LiteLLM_EndUserTable(user_id="e", models=end_user, blocked=False),
        )

    async def denied(self, model: str, router: Router) -> str | None:
        """Return the type of the error with which LiteLLM denies a model, None for none."""
        token, team, user = self.token, self.team, self.user
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
                        litellm_budget_table=LiteLLM_BudgetTable(allowed_models=self.member),
                    )  # fmt: skip
                    await auth_checks.check_team_member_model_access(
                        model, team, token, router, None, None, None, membership,
                        team_membership_loaded=True, key_model_aliases=mine,
                    )  # fmt: skip
            elif user is not None:
                await auth_checks.can_user_call_model(model, router, user, mine)
            if self.end_user.models:
                auth_checks.can_customer_access_model(model, self.end_user, router, token)
        except ProxyException as error:
            return str(getattr(error.type, "value", error.type))
        return None


def may_ask(route: str, allowed: list[str]) -> bool:
    """Return whether LiteLLM lets a key with these allowed_routes ask a route."""
    with no_pass_through():
        try:
            return bool(
                RouteChecks.is_virtual_key_allowed_to_call_route(
                    route, UserAPIKeyAuth(token=TOKEN, allowed_routes=allowed)
                )
            )
        except HTTPException:
            return False


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
