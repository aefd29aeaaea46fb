"""The gateway's own settings."""

from __future__ import annotations

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings


def test_defaults_need_no_variable() -> None:
    """Without any variable the gateway listens on this machine alone."""
    settings = load_settings({})
    assert (settings.host, settings.port) == ("127.0.0.1", 4000)
    assert settings.backend_budget == 10


def test_every_wrong_variable_is_reported_at_once() -> None:
    """One start tells all that is wrong, each by variable, value and what is allowed."""
    variables = {
        "ROUTING_STRATEGY": "round-robin",
        "REQUEST_TIMEOUT": "a minute",
        "DB_PORT": "0",
        "GATEWAY_DB_PASSWORD_FILE": "/nowhere",
    }
    with pytest.raises(ConfigurationError) as raised:
        load_settings(variables)
    text = str(raised.value)
    assert "ROUTING_STRATEGY: 'round-robin'" in text
    assert "'least-busy'" in text
    assert "REQUEST_TIMEOUT: 'a minute'" in text
    assert "DB_PORT: '0'" in text
    assert "GATEWAY_DB_PASSWORD_FILE: cannot read /nowhere" in text


def test_fallbacks_are_a_list_of_names() -> None:
    """Commas separate names, blanks around them do not matter, and none means none."""
    settings = load_settings({"EXTRACTION_FALLBACKS": " a , b", "EXPLANATION_FALLBACKS": "none"})
    assert settings.extraction_fallbacks == ("a", "b")
    assert settings.explanation_fallbacks == ()
    assert load_settings({}).extraction_fallbacks is None


def test_secrets_are_never_shown() -> None:
    """Neither text nor error of the settings holds a secret's value."""
    settings = load_settings({"LITELLM_MASTER_KEY": "sk-very-secret", "DATABASE_URL": "hidden"})
    assert "very-secret" not in repr(settings)
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "text", "advice"),
    [
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "4000.5", "a whole number"),
        ("ALLOWED_FAILS", "-1", "a whole number of at least 0"),
        ("REQUEST_TIMEOUT", "0", "a valid number above 0 and at most 3600"),
        ("COOLDOWN_TIME", "nan", "a valid number of at least 0"),
        ("BACKEND_BUDGET", "0", "a valid number above 0"),
        ("JSON_LOGS", "maybe", "true or false"),
        ("LITELLM_PROXY", "never", "'always' or 'on-demand'"),
        ("BACKEND_BUDGET_DURATION", "30 d", "a text of the form"),
        ("SPEND_RETENTION", "90d\n", "a text of the form"),
    ],
)
def test_what_a_setting_takes_is_said(variable: str, text: str, advice: str) -> None:
    """A value out of bounds, or of another kind, is refused with what could be set."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings({variable: text})
    (problem,) = raised.value.problems
    assert problem.where == variable
    assert advice in problem.fix


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "on"])
def test_yes_has_several_words(text: str) -> None:
    """A flag takes the words that LiteLLM's own settings take, in any case of letters."""
    assert load_settings({"JSON_LOGS": text}).json_logs is True
    assert load_settings({"SCHEMA_REPAIR": "off"}).schema_repair is False
