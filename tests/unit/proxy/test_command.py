"""What LiteLLM's process is given, and what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.config.deployment import Deployment, Models, Protocol
from gateway.config.settings import load_settings
from gateway.proxy import command
from gateway.proxy.handover import OtherVersionError, models_document, models_from

KEY = "sk-0a1b2c3d4e5f6071829304a5b6c7d8e9"
CONFIG = """
model_list:
  - model_name: m
    litellm_params: { model: openai/gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY }
"""


def test_secrets_of_the_proxy_reach_litellm_and_providers_keys_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteLLM is given the master key and the database, but no provider's key."""
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


@pytest.mark.parametrize("version", [None, "0.0.1"], ids=["none", "older"])
async def test_models_are_taken_from_a_gateway_of_the_same_version_alone(
    monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    """LiteLLM waits until a gateway of its own version tells it the models."""
    monkeypatch.setattr(command, "POLL_SECONDS", 0.01)
    models = Models((Deployment("d", "a", "openai", "m", Protocol.OPENAI),))
    new = models_document(models)
    answers = [{**new, "version": version}, {**new, "version": version}, new]

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(answers.pop(0))

    app = web.Application()
    app.router.add_get("/v1/models", answer)
    async with TestServer(app) as server:
        found = await command._models(f"http://127.0.0.1:{server.port}/v1", b"secret")

    assert found.deployments[0].alias == "a"
    assert answers == []


def test_a_gateway_that_stays_another_version_is_reported() -> None:
    """The error about a gateway of another version names that version."""
    with pytest.raises(OtherVersionError, match=r"the gateway has version 0\.0\.1"):
        models_from({"version": "0.0.1"})
