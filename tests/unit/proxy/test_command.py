"""What LiteLLM's process is given, and what it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.settings import load_settings
from gateway.proxy import command

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

KEY = "sk-0a1b2c3d4e5f6071829304a5b6c7d8e9"
CONFIG = """
model_list:
  - model_name: m
    litellm_params: { model: openai/gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY }
"""


def test_secrets_of_the_proxy_reach_litellm_and_providers_keys_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The master key from its file, the database by its address, and nothing of a provider's."""
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-a-provider")
    settings = load_settings(
        {
            "LITELLM_MASTER_KEY_FILE": str(tmp_path / "key"),
            "LITELLM_CONFIG": str(tmp_path / "config.yaml"),
            "DATABASE_URL": "postgresql://u:p@db.example.org/d",
            "GATEWAY_INTERNAL_URL": "http://gateway-internal:4001/v1",
        }
    )
    assert settings.litellm_master_key is not None

    given = command._environment(settings, settings.litellm_master_key, b"secret")

    assert given["LITELLM_MASTER_KEY"] == KEY
    assert given["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert given["DATABASE_URL"].startswith("postgresql://u:p@gateway-internal:4002/d?")
    assert "sslservername=db.example.org" in given["DATABASE_URL"]
    assert "sk-of-a-provider" not in given.values()
