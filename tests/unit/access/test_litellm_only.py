"""What only LiteLLM's proxy does for a key is found, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.access.columns import TABLES
from gateway.access.litellm_only import COLUMNS, METADATA, Rule, is_set
from unit.access.people import found, identity, key

NULLS: dict[str, Any] = {"routing_strategy": None, "fallbacks": [], "model_group_alias": {}}


@pytest.mark.parametrize("rule", COLUMNS, ids=lambda rule: rule.field)
def test_a_column_of_the_list_is_read(rule: Rule) -> None:
    """A column that only LiteLLM acts on is read from each table that its rule names."""
    for name in rule.rows:
        assert rule.field in TABLES[name][1]


@pytest.mark.parametrize("rule", METADATA, ids=lambda rule: rule.field)
def test_metadata_of_the_list_sends_a_key_to_litellm(rule: Rule) -> None:
    """Metadata that only LiteLLM acts on sends its key to LiteLLM, with the reason."""
    what = found(key=key(metadata={rule.field: rule.only or ["x"]}))
    (setting,) = identity(what).caller.litellm_only
    assert (setting.what, setting.why) == (f"key.metadata.{rule.field}", rule.why)


def test_a_team_sends_its_keys_there() -> None:
    """A team's columns and metadata send the team's keys to LiteLLM, too."""
    team = {"team_id": "t", "metadata": {"guardrails": ["g"]}, "object_permission_id": "o"}
    what = found(key=key(team_id="t"), team=team)
    assert [each.what for each in identity(what).caller.litellm_only] == [
        "team.object_permission_id",
        "team.metadata.guardrails",
    ]


def test_a_wildcard_of_a_provider_is_litellms() -> None:
    """A key whose models hold a provider's wildcard is sent to LiteLLM."""
    what = found(key=key(models=["openai/*"]))
    caller = identity(what).caller
    assert [each.what for each in caller.litellm_only] == ["key.models: openai/*"]
    assert caller.models == frozenset({"small", "large", "best"})


@pytest.mark.parametrize("nothing", [None, "", [], {}, NULLS, False])
def test_what_says_nothing_is_not_set(nothing: object) -> None:
    """A setting that is null, false, empty or full of nulls counts as unset."""
    assert not is_set(nothing)
    assert identity(found(key=key(router_settings=nothing))).caller.litellm_only == ()


@pytest.mark.parametrize("something", [0, "x", ["x"], {"a": {"b": 0}}, True])
def test_what_says_something_is_set(something: object) -> None:
    """A setting with any other value counts as set, a limit of 0 included."""
    assert is_set(something)


def test_other_metadata_changes_nothing() -> None:
    """A key's notes, its tags and the usual type of limit do not send it to LiteLLM."""
    metadata = {"customer": "ACME", "rpm_limit_type": "best_effort_throughput", "tags": ["a"]}
    assert identity(found(key=key(metadata=metadata))).caller.litellm_only == ()
