"""DATABASE_DOWN_POLICY and SPEND_RETENTION in LiteLLM's settings."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.settings import load_settings
from gateway.database_policy import add_database_policy


def general(config: dict[str, Any] | None = None, **variables: str) -> dict[str, Any]:
    """Returns general_settings as LiteLLM gets them."""
    config = {} if config is None else {"general_settings": config}
    add_database_policy(config, load_settings(variables))
    settings: dict[str, Any] = config["general_settings"]
    return settings


def test_by_default_keys_outlive_an_outage_and_rows_are_kept() -> None:
    """Keys stay in memory for long, budgets are counted there, and nothing is deleted."""
    settings = general()
    assert settings["user_api_key_cache_ttl"] == 86_400
    assert "fail_closed_budget_enforcement" not in settings
    assert not [name for name in settings if name.startswith("maximum_spend_logs")]


def test_refuse_looks_into_the_database_and_fails_closed() -> None:
    """A key is trusted for seconds, and a budget that cannot be read is a refusal."""
    settings = general(DATABASE_DOWN_POLICY="refuse")
    assert settings["user_api_key_cache_ttl"] <= 5
    assert settings["fail_closed_budget_enforcement"] is True


def test_no_policy_lets_strangers_in() -> None:
    """LiteLLM's own switch for outages admits every key, so neither policy sets it."""
    for policy in ("serve", "refuse"):
        assert "allow_requests_on_db_unavailable" not in general(DATABASE_DOWN_POLICY=policy)


def test_retention_wins_over_the_file_and_the_file_over_the_policy() -> None:
    """A variable is set on purpose; a default is not."""
    file = {
        "user_api_key_cache_ttl": 60,
        "maximum_spend_logs_retention_period": "1d",
        "maximum_spend_logs_cleanup_batch_size": 50,
    }
    settings = general(file, SPEND_RETENTION="90d", SPEND_RETENTION_CRON="0 3 * * *")
    assert settings["user_api_key_cache_ttl"] == 60
    assert settings["maximum_spend_logs_retention_period"] == "90d"
    assert settings["maximum_spend_logs_cleanup_cron"] == "0 3 * * *"
    assert settings["maximum_spend_logs_cleanup_batch_size"] == 50


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SPEND_RETENTION", "90"),
        ("SPEND_RETENTION", "0d"),
        ("SPEND_RETENTION", "ever"),
        ("SPEND_RETENTION_CRON", "hourly"),
        ("DATABASE_DOWN_POLICY", "allow"),
    ],
)
def test_what_cannot_be_is_refused_by_name(variable: str, value: str) -> None:
    """A start stops, where LiteLLM would warn and keep rows for ever."""
    with pytest.raises(ConfigurationError, match=f"{variable}: '{value}'"):
        load_settings({variable: value})
