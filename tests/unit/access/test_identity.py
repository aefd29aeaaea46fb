"""A caller is made of its rows as LiteLLM judges them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.access.caller import Kind, Position
from gateway.access.identity import Settings, make_identity, with_end_user
from gateway.access.rows import FOREVER, Common, Found, Wanted
from gateway.errors import GatewayError
from unit.access.people import CATALOGUE, NOW, TOKEN, entity, found, identity, key

TEAM = {"team_id": "t", "team_alias": "Team", "models": [], "metadata": {}, "spend": 2.0}
OWNER = {"user_id": "u", "user_email": "u@example.org", "models": [], "metadata": {}, "spend": 3.0}
SETTINGS = Settings(CATALOGUE, "j")
LATER = datetime.fromtimestamp(NOW, timezone.utc) + timedelta(hours=1)
EARLIER = LATER - timedelta(hours=2)


def refusal(what: Found) -> GatewayError:
    """Return the error of a caller that is refused."""
    make = identity(what).refusal
    assert make is not None
    return make()


def test_a_key_without_anything_is_charged_alone_and_may_ask_for_all() -> None:
    """A key without settings has no limits, may use every model, and alone is charged."""
    caller = identity(found(key=key(key_alias="one", spend=0.5), position=7)).caller
    (only,) = caller.entities
    assert (only.kind, only.id, only.name, only.spend) == (Kind.KEY, TOKEN, "one", 0.5)
    assert only.position == Position("j", 7)
    assert (only.max_budget, only.rpm, only.tpm, only.max_parallel) == (None, None, None, None)
    assert (caller.models, caller.aliases, caller.litellm_only) == (None, {}, ())


def test_nobody_is_made_of_nothing() -> None:
    """A key that is in no table has no identity."""
    assert make_identity(Wanted(TOKEN), Found({}), Common(), SETTINGS, NOW) is None


def test_a_keys_own_limits_come_before_those_of_its_shared_budget() -> None:
    """A key's own limits win, and its shared budget sets those that the key leaves open."""
    what = found(
        key=key(max_budget=1.0, rpm_limit=None, tpm_limit=9, max_parallel_requests=4),
        key_budget={"max_budget": 5.0, "rpm_limit": 6, "tpm_limit": 7},
    )
    only = entity(identity(what), Kind.KEY)
    assert (only.max_budget, only.rpm, only.tpm, only.max_parallel) == (1.0, 6, 9, 4)


@pytest.mark.parametrize(
    ("until", "most", "again"), [(LATER, 3.0, LATER.timestamp()), (EARLIER, 1.0, FOREVER)]
)
def test_a_temporary_increase_counts_while_it_lasts(
    until: datetime, most: float, again: float
) -> None:
    """A temporary budget increase counts until it expires, when the key is read again."""
    metadata = {"temp_budget_increase": 2.0, "temp_budget_expiry": until.isoformat()}
    made = identity(found(key=key(max_budget=1.0, metadata=metadata)))
    assert entity(made, Kind.KEY).max_budget == most
    assert made.reload_at == again


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), "x", True])
def test_a_budget_that_is_no_finite_number_is_none(nonsense: Any) -> None:
    """A budget that is not a finite number counts as no budget, as in LiteLLM."""
    made = identity(found(key=key(max_budget=nonsense)))
    assert entity(made, Kind.KEY).max_budget is None


def test_everybody_behind_a_key_is_charged() -> None:
    """A key's team, user, organization and memberships are each charged, as well as the key."""
    what = found(
        key=key(team_id="t", user_id="u/1"),
        team={**TEAM, "organization_id": "o", "max_budget": 10.0, "rpm_limit": 1, "tpm_limit": 2},
        owner={**OWNER, "rpm_limit": 3},
        member={"user_id": "u/1", "team_id": "t", "spend": 4.0},
        organization={"organization_id": "o", "spend": 5.0},
        organization_budget={"max_budget": 20.0, "rpm_limit": 5},
        organization_member={"organization_id": "o", "user_id": "u/1", "spend": 6.0},
    )
    made = identity(what)
    charged = [(each.kind, each.id, each.spend) for each in made.caller.entities]
    assert charged == [
        (Kind.KEY, TOKEN, 0.0),
        (Kind.TEAM, "t", 2.0),
        (Kind.TEAM_MEMBER, "t::u%2F1", 4.0),
        (Kind.USER, "u/1", 3.0),
        (Kind.ORGANIZATION, "o", 5.0),
        (Kind.ORGANIZATION_MEMBER, "o::u%2F1", 6.0),
    ]
    assert entity(made, Kind.TEAM).max_budget == 10.0
    assert entity(made, Kind.ORGANIZATION).max_budget == 20.0
    assert entity(made, Kind.USER).rpm == 3
    assert made.caller.organization_id == "o"


def test_a_users_budget_holds_for_its_own_keys_only() -> None:
    """A user's limits hold for team keys, too; the budget only if the configuration says so."""
    owner = {**OWNER, "max_budget": 1.0, "rpm_limit": 5}
    own = identity(found(key=key(user_id="u"), owner=owner))
    teams = found(key=key(user_id="u", team_id="t"), owner=owner, team=TEAM)
    assert entity(own, Kind.USER).max_budget == 1.0
    assert entity(identity(teams), Kind.USER).max_budget is None
    assert entity(identity(teams), Kind.USER).rpm == 5
    applied = identity(teams, user_budget_on_team_keys=True)
    assert entity(applied, Kind.USER).max_budget == 1.0


def test_no_budget_holds_an_administrator() -> None:
    """A user with LiteLLM's role `proxy_admin` has no budget and no list of models."""
    owner = {**OWNER, "max_budget": 1.0, "models": ["small"], "user_role": "proxy_admin"}
    made = identity(found(key=key(user_id="u"), owner=owner))
    assert entity(made, Kind.USER).max_budget is None
    assert made.caller.models is None


@pytest.mark.parametrize(
    ("own", "default", "most"),
    [
        ({"max_budget": 1.0}, {"max_budget": 5.0}, 1.0),
        ({"max_budget": 0.0}, {"max_budget": 5.0}, 0.0),  # shuts the member out
        ({"max_budget": None, "rpm_limit": 1}, {"max_budget": 5.0}, 5.0),
        ({}, {"max_budget": 5.0}, 5.0),
        ({}, {"max_budget": 0.0}, None),  # as the team's default, 0 is no budget
        ({}, {}, None),
        (
            {"max_budget": 1.0, "temp_budget_increase": 2.0, "temp_budget_expiry": LATER},
            {},
            3.0,
        ),
    ],
)
def test_a_members_budget_is_its_own_or_the_teams_default(
    own: dict[str, Any], default: dict[str, Any], most: float | None
) -> None:
    """A team member's own budget wins, even 0; without one the team's default applies."""
    what = found(
        key=key(team_id="t", user_id="u"), team=TEAM, member_budget=own, member_default=default
    )
    assert entity(identity(what), Kind.TEAM_MEMBER).max_budget == most


def test_a_session_of_litellms_pages_has_a_team_without_a_row() -> None:
    """A session of LiteLLM's pages is not refused because its team has no row."""
    made = identity(found(key=key(team_id="litellm-dashboard", user_id="u"), owner=OWNER))
    assert [each.kind for each in made.caller.entities] == [Kind.KEY, Kind.USER]
    assert (made.refusal, made.caller.team_id) == (None, "litellm-dashboard")


def test_a_session_without_a_key_is_its_users() -> None:
    """A session without a key is charged to its user alone."""
    wanted = Wanted("session", "u", None)
    made = identity(found(owner=OWNER), wanted=wanted)
    assert [(each.kind, each.id) for each in made.caller.entities] == [(Kind.USER, "u")]
    assert made.caller.key_hash == "session"


def test_who_is_blocked_is_refused_in_litellms_words() -> None:
    """A blocked key or team, a deleted team and a deactivated user get LiteLLM's errors."""
    blocked = refusal(found(key=key(blocked=True)))
    assert (blocked.status, blocked.type) == (401, "auth_error")
    assert blocked.message.endswith("Key is blocked. Update via `/key/unblock` if you're an admin.")
    team = refusal(found(key=key(team_id="t"), team={**TEAM, "blocked": True}))
    assert (team.status, "Team=t is blocked" in team.message) == (401, True)
    gone = refusal(found(key=key(team_id="t")))
    assert (gone.status, "Team doesn't exist in db" in gone.message) == (404, True)
    left = {**OWNER, "metadata": {"scim_active": False}}
    user = refusal(found(key=key(user_id="u"), owner=left))
    assert (user.status, "deactivated via SCIM" in user.message) == (401, True)


def test_an_expiry_without_a_zone_is_utc() -> None:
    """An expiry time without a time zone is read as UTC, as Prisma writes it."""
    made = identity(found(key=key(expires=LATER.replace(tzinfo=None))))
    assert made.expires == LATER.timestamp()


def test_a_rotated_key_is_read_again_when_its_grace_ends() -> None:
    """A rotated key counts as its successor until its grace period ends."""
    made = identity(
        found(key=key(), rotated={"token": "old", "revoke_at": LATER}), wanted=Wanted("old")
    )
    assert (made.caller.key_hash, made.reload_at) == (TOKEN, LATER.timestamp())


def test_rows_that_do_not_exist_yet_are_followed() -> None:
    """An identity also depends on rows that do not exist yet, so that making one refreshes it."""
    metadata = {"team_member_budget_id": "d"}
    what = found(
        key=key(
            team_id="t", user_id="u", organization_id="o", budget_id="b", access_group_ids=["g"],
            metadata={"end_user_budget_id": "e"},
        ),
        team={**TEAM, "model_id": 5, "metadata": metadata, "access_group_ids": ["h"]},
    )  # fmt: skip
    assert identity(what, wanted=Wanted("old")).depends_on == {
        ("common",), ("key", "old"), ("key", TOKEN), ("team", "t"), ("user", "u"),
        ("member", "t", "u"), ("organization", "o"), ("organization_member", "o", "u"),
        ("team_aliases", "5"), ("budget", "b"), ("budget", "d"), ("budget", "e"),
        ("access_group", "g"), ("access_group", "h"),
    }  # fmt: skip


def test_tags_and_notes_of_key_and_team_are_recorded() -> None:
    """Tags and spend notes of a key and its team are recorded, and no other metadata."""
    what = found(
        key=key(team_id="t", metadata={"tags": ["a", "b"], "secret": 1,
                                       "spend_logs_metadata": {"x": 1}}),
        team={**TEAM, "metadata": {"tags": ["b", "c"],
                                   "spend_logs_metadata": {"x": 2, "y": 3}}},
    )  # fmt: skip
    caller = identity(what).caller
    assert caller.metadata == {
        "tags": ["a", "b", "c"],
        "spend_logs_metadata": {"x": 1, "y": 3},
    }
    assert caller.litellm_only == ()


def test_a_tag_or_group_with_a_budget_is_litellms() -> None:
    """A key with a tag or access group that has a budget is sent to LiteLLM."""
    common = Common(budgeted_tags=frozenset({"a"}), budgeted_groups=frozenset({"cheap"}))
    tagged = identity(found(key=key(metadata={"tags": ["a"]})), common=common)
    grouped = identity(found(key=key(models=["cheap"])), common=common)
    assert [each.what for each in tagged.caller.litellm_only] == ["tag a"]
    assert [each.what for each in grouped.caller.litellm_only] == ["access group cheap"]


@pytest.mark.parametrize(
    ("row", "keys_default", "everybodys", "most"),
    [
        ({"max_budget": 1.0, "rpm_limit": 2}, {"max_budget": 3.0}, {"max_budget": 4.0}, 1.0),
        ({}, {"max_budget": 3.0}, {"max_budget": 4.0}, 3.0),
        ({}, {}, {"max_budget": 4.0}, 4.0),
        ({}, {}, {}, None),
    ],
)
def test_an_end_users_budget_is_its_own_the_keys_default_or_everybodys(
    row: dict[str, Any],
    keys_default: dict[str, Any],
    everybodys: dict[str, Any],
    most: float | None,
) -> None:
    """An end user's budget is their own, else the key's default, else everybody's."""
    made = identity(found(key=key(), end_user_default=keys_default))
    what = found(end_user={"user_id": "e", "spend": 9.0}, end_user_budget=row)
    common = Common(end_user_default=everybodys)
    caller = with_end_user(made, "e", what, common, SETTINGS)
    last = caller.entities[-1]
    assert (last.kind, last.id, last.spend, last.max_budget) == (Kind.END_USER, "e", 9.0, most)
    assert caller.end_user_id == "e"


def test_an_end_users_models_narrow_the_keys() -> None:
    """An end user may use only models that both their own list and the key's allow."""
    made = identity(found(key=key(models=["large"])))
    what = found(end_user={"user_id": "e", "models": ["small", "best"]})
    caller = with_end_user(made, "e", what, Common(), SETTINGS)
    assert caller.models == frozenset({"best"})
