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
