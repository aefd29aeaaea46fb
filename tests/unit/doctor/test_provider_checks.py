"""What is found about providers, their keys and addresses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.doctor.examine import examine
from gateway.doctor.seen import WrongSetting
from unit.doctor.healthy import HEALTHY, OBSERVED, OPENAI, given, only, seen


def test_a_setting_that_stops_the_start_is_passed_on() -> None:
    """What `gateway check` says is a finding with its place and its fix."""
    wrong = WrongSetting("REQUEST_TIMEOUT", "'soon' cannot be used", "give a number")
    finding = only("settings_right", seen(wrong=(wrong,)))

    assert finding.what == "REQUEST_TIMEOUT stops the start"
    assert finding.fix == "give a number"


def test_an_alias_without_a_key_names_the_variable() -> None:
    """The backend asks an alias that was left out: the key to set is named."""
    facts = given("backend-stub", LITELLM_EXTRACTION_MODEL="extraction-model-claude")

    assert "ANTHROPIC_API_KEY=" in only("aliases_exist", facts).fix


def test_a_misspelt_alias_is_offered_the_nearest() -> None:
    """An alias that nobody has is reported, with the one that was meant."""
    facts = given("backend-stub", LITELLM_EXTRACTION_MODEL="extraction-modle")

    assert "LITELLM_EXTRACTION_MODEL=extraction-model " in only("aliases_exist", facts).fix


@pytest.mark.parametrize(
    ("key", "seen_in_it"),
    [
        ("sk-...", "is an example"),
        ("your-key-here", "is an example"),
        ("sk-abc def", "blanks"),
        ("hf_abcdefgh", "does not start with sk-"),
    ],
)
def test_a_key_that_cannot_be_one_is_found(key: str, seen_in_it: str) -> None:
    """An example, a slip of the clipboard and another provider's key are reported, never shown."""
    finding = only("keys_look_right", given("gateway", OPENAI_API_KEY=key))

    assert seen_in_it in finding.evidence
    assert key not in str(finding)


def test_what_env_says_now_is_judged_before_it_is_started() -> None:
    """A key that was put into .env while the stack runs is looked at, not the one in use."""
    services = {**HEALTHY.services}
    environment = {**services["gateway"].environment, "OPENAI_API_KEY": "sk-..."}
    services["gateway"] = replace(services["gateway"], environment=environment)
    found = {name for name, _ in examine(replace(HEALTHY, services=services))}

    assert found == {"keys_look_right", "settings_are_used"}


def test_a_server_of_ones_own_may_have_any_key() -> None:
    """How a key begins is only known for the provider itself."""
    facts = given(
        "gateway", OPENAI_API_KEY="abcdefgh", OPENAI_API_BASE="https://llm.example.org/v1"
    )

    assert examine(facts) == []


@pytest.mark.parametrize(
    "refused",
    [
        replace(OPENAI, reachable="key refused"),
        replace(OPENAI, reachable="key refused", condition="left out", reason="set it"),
        replace(OPENAI, condition="unauthorised", reason="401 invalid_api_key"),
    ],
)
def test_a_refused_key_is_named_by_its_variable(refused: object) -> None:
    """A 401, seen now or recorded by the gateway, names the variable and what answered."""
    deployments = (*OBSERVED.deployments[:2], refused)
    finding = only("keys_accepted", seen(deployments=deployments))

    assert "OPENAI_API_KEY" in finding.fix
    assert "401" in finding.evidence


def test_an_unreachable_provider_in_use_is_found() -> None:
    """A fallback that cannot be reached matters; what nobody asks does not."""
    deployments = (*OBSERVED.deployments[:2], replace(OPENAI, reachable="no"))
    finding = only("providers_reachable", seen(deployments=deployments))

    assert "https://api.openai.com/v1" in finding.what
    assert "firewall" in finding.fix


def test_behind_a_proxy_the_fix_is_dockers_own_setting() -> None:
    """A user with a proxy in the shell is told where containers get theirs from."""
    deployments = (replace(OPENAI, reachable="no"),)
    exported = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "localhost,127.0.0.1"}
    facts = replace(HEALTHY, exported=exported, observed=replace(OBSERVED, deployments=deployments))

    assert "config.json" in only("providers_reachable", facts).fix


def test_an_address_of_the_container_itself_is_found() -> None:
    """Localhost of a container is not this machine; the name that works is written out."""
    facts = given("gateway", LM_STUDIO_API_BASE="http://localhost:1234/v1")

    assert (
        "LM_STUDIO_API_BASE=http://host.docker.internal:1234/v1"
        in only("bases_from_inside", facts).fix
    )
