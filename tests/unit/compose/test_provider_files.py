"""Each of providers/*.env is a short .env that makes one provider answer everything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.config.document import read_config
from gateway.config.problems import ConfigurationError
from gateway.config.providers import PROVIDERS
from gateway.config.render import EffectiveConfig, render
from gateway.config.settings import load_settings
from support.provider_files import PROVIDER_FILES, active, shown
from support.stack import REPOSITORY

LONGEST = 25
GIVEN = {"_API_KEY": "sk-made-up", "_COST_PER_1M_TOKENS": "0.02,0.05"}
"""What a user puts in: the value of a variable that a file leaves empty, by its name's end."""

each_file = pytest.mark.parametrize("name", PROVIDER_FILES)


def rendered(variables: Mapping[str, str]) -> EffectiveConfig:
    """Return what the gateway would be started with."""
    config = read_config(Path(REPOSITORY / "litellm/litellm_config.yaml"))
    return render(config, load_settings(variables), variables)


def filled(name: str) -> dict[str, str]:
    """Return a file's variables with everything put in that it leaves empty."""
    return {
        variable: value or next(GIVEN[end] for end in GIVEN if variable.endswith(end))
        for variable, value in active(name).items()
    }


def test_every_provider_has_a_file() -> None:
    """The seven kinds of provider are there, and no other."""
    assert set(PROVIDER_FILES) == {
        "ollama",
        "openai",
        "gemini",
        "anthropic",
        "huggingface",
        "lmstudio",
        "openai-compatible",
    }


@each_file
def test_every_variable_is_described_in_the_reference(name: str) -> None:
    """A variable of a provider's file, commented out or not, is one of .env.example."""
    example = (REPOSITORY / ".env.example").read_text()
    described = set(re.findall(r"^#(\w+)=", example, re.MULTILINE))

    assert active(name).keys() | shown(name).keys() <= described


@each_file
def test_a_file_is_short_and_says_how_it_is_used(name: str) -> None:
    """It fits a screen and begins with the copy command."""
    text = PROVIDER_FILES[name].read_text()

    assert len(text.splitlines()) <= LONGEST
    assert f"cp providers/{name}.env .env" in text.split("\n\n")[0]


@each_file
def test_both_tasks_are_answered_by_an_alias_that_the_file_switches_on(name: str) -> None:
    """With its blanks filled, the alias that the backend asks is served."""
    variables = filled(name)
    served = rendered(variables).aliases

    assert variables["LITELLM_EXTRACTION_MODEL"] in served
    assert variables["LITELLM_EXPLANATION_MODEL"] in served


@each_file
def test_a_blank_left_empty_takes_the_alias_out_or_stops_the_start(name: str) -> None:
    """No blank is for show: without any of them the provider does not answer."""
    for blank in [variable for variable, value in active(name).items() if not value]:
        variables = filled(name) | {blank: ""}
        try:
            served = rendered(variables).aliases
        except ConfigurationError as error:
            assert blank in str(error)  # noqa: PT017 -- either is right, by the kind of blank
        else:
            assert variables["LITELLM_EXTRACTION_MODEL"] not in served


@each_file
def test_a_model_shown_is_the_default(name: str) -> None:
    """What a file shows as the model is what the gateway takes when it is unset."""
    defaults = {f"{provider.name}_MODEL": provider.model for provider in PROVIDERS}
    models = {
        variable: value
        for variable, value in (active(name) | shown(name)).items()
        if variable in defaults
    }

    assert models
    assert models == {variable: defaults[variable] for variable in models}
