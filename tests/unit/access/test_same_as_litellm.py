"""Which models and routes a key may ask for: the same as LiteLLM says, for generated keys."""

from __future__ import annotations

import asyncio
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.allowlist import Catalogue
from gateway.access.caller import Caller
from gateway.access.identity import Identity, Settings, make_identity, with_end_user
from gateway.access.routes import is_allowed
from gateway.access.rows import Common, Wanted
from support.litellm_library import litellm
from unit.access.people import TOKEN, found, identity, key, models

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


@pytest.fixture(scope="module")
def by_litellm() -> ModuleType:
    """Return what asks LiteLLM's own checks."""
    litellm()
    return import_module("unit.access.by_litellm")


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
def test_a_caller_may_ask_for_what_litellm_lets_it_ask_for(  # noqa: PLR0917 -- one list after the other
    by_litellm: ModuleType,
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
    """A caller may use the same models as in LiteLLM, and other models give the same error."""
    team_id, user_id = (None if of_team is None else "t"), ("u" if has_user else None)
    if of_team is None:
        team_aliases = {}
    of_the_key = {
        "models": of_key, "aliases": key_aliases, "team_id": team_id, "user_id": user_id,
    }  # fmt: skip
    asks = by_litellm.Asks.of(
        key=of_the_key, team=of_team, team_aliases=team_aliases,
        user=of_user if has_user else None, member=of_member, end_user=of_end_user,
    )  # fmt: skip
    router = by_litellm.Router(CONFIGURED, GROUPS, ROUTER)
    rows = found(
        key=key(**of_the_key),
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
            model: await asks.denied(model, router)
            for model in (*ASKED, *key_aliases, *team_aliases)
        }

    denied = asyncio.run(all_of_theirs())
    assert {model: ours(caller, caller.rules, model) for model in denied} == denied


SERVED = (
    *("/chat/completions", "/v1/chat/completions", "/completions", "/v1/embeddings", "/models"),
    *("/v1/models", "/moderations", "/v1/audio/speech", "/audio/transcriptions"),
    *("/engines/small/chat/completions", "/openai/deployments/small/embeddings"),
)


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
def test_a_key_may_ask_the_routes_that_litellm_lets_it_ask(
    by_litellm: ModuleType, route: str, allowed: list[str]
) -> None:
    """A key's `allowed_routes` admit exactly the routes that LiteLLM admits."""
    assert is_allowed(route, tuple(allowed)) == by_litellm.may_ask(route, allowed)


def test_a_keys_group_grants_what_its_team_does_not_only_where_it_is_assigned() -> None:
    """An access group adds models to a team's key only if assigned to the key or the team."""
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
