"""The calls of the document that the project began with, with a key."""

from __future__ import annotations

import openai
import pytest
import requests

from support.stack import Stack


def test_chat_completions(client: openai.OpenAI) -> None:
    """POST /v1/chat/completions answers in OpenAI's form, with usage."""
    answer = client.chat.completions.create(
        model="extraction-model",
        messages=[
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Hello!"},
        ],
        temperature=0.7,
        max_tokens=20,
    )

    assert answer.choices[0].message.content
    assert answer.usage
    assert answer.usage.completion_tokens > 0


def test_models(stack: Stack) -> None:
    """GET /models lists the app's two aliases, asking nobody."""
    listed = requests.get(
        f"{stack.gateway_url}/models",
        headers={"Authorization": f"Bearer {stack.secret('litellm_master_key')}"},
        timeout=10,
    ).json()

    assert {"extraction-model", "explanation-model"} <= {model["id"] for model in listed["data"]}


@pytest.mark.parametrize("with_key", [True, False])
def test_health(stack: Stack, *, with_key: bool) -> None:
    """GET /health says healthy, with and without a key, and calls no provider."""
    key = stack.secret("litellm_master_key")
    before = stack.compose("logs", "--no-log-prefix", "ollama").stdout.count("/api/chat")

    answer = requests.get(
        f"{stack.gateway_url}/health",
        headers={"Authorization": f"Bearer {key}"} if with_key else {},
        timeout=10,
    )

    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert stack.compose("logs", "--no-log-prefix", "ollama").stdout.count("/api/chat") == before


def test_without_a_key_nobody_is_served(stack: Stack) -> None:
    """A chat or a model list without a key is refused with 401."""
    chat = requests.post(
        f"{stack.gateway_url}/v1/chat/completions",
        json={"model": "extraction-model", "messages": [{"role": "user", "content": "Hi"}]},
        timeout=10,
    )

    assert chat.status_code == 401
    assert requests.get(f"{stack.gateway_url}/models", timeout=10).status_code == 401


def test_the_key_command_prints_what_a_client_needs(stack: Stack) -> None:
    """`./run key` prints shell lines with which the official client works at once."""
    printed = dict(
        line.removeprefix("export ").split("=", 1)
        for line in stack.run("key").stdout.splitlines()
        if line.startswith("export ")
    )

    with openai.OpenAI(
        base_url=printed["OPENAI_BASE_URL"], api_key=printed["OPENAI_API_KEY"], max_retries=0
    ) as client:
        assert "extraction-model" in {model.id for model in client.models.list()}


def test_the_backends_key_is_a_virtual_key_with_a_budget(stack: Stack) -> None:
    """The backend never holds the master key; its own has a budget, a duration and its models."""
    key = stack.execute("backend-stub", "cat", "/run/backend-secrets/backend_virtual_key")
    found = stack.administer("GET", "/key/info", params={"key": key})["info"]

    assert key != stack.secret("litellm_master_key")
    assert found["max_budget"] == 10
    assert found["budget_duration"] == "30d"
    assert found["key_alias"] == "backend-stub"
    assert {"extraction-model", "explanation-model"} <= set(found["models"])
