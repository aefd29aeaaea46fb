"""No user notices when the local model dies: the fallback answers, and Ollama comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from support.stack import MODEL, Stack
from support.wait import until

ANSWER_SECONDS = 60
# Probed every 2 s, and in use again within 10 s of Ollama's own recovery.
RECOVERY_SECONDS = 10


@pytest.fixture(scope="module")
def two_providers() -> Iterator[Stack]:
    """Yield a stack whose OpenAI is the scripted upstream of profile faults."""
    with Stack(
        {
            "COMPOSE_PROFILES": "faults",
            "OLLAMA_MODEL": MODEL,
            "OPENAI_API_KEY": "sk-scripted-0123456789",
            "OPENAI_API_BASE": "http://scripted-upstream:9000/v1",
        }
    ) as running:
        running.compose("up", "--detach", "--no-build", "gateway", "ollama", "scripted-upstream")
        running.wait_for("gateway", "healthy", seconds=120)
        running.wait_for("ollama", "healthy", seconds=120)
        running.wait_for("scripted-upstream", "healthy", seconds=60)
        yield running


def ask(stack: Stack, **body: Any) -> requests.Response:
    """Ask the extraction model one thing with the backend's key."""
    message = {"role": "user", "content": "Hallo"}
    return requests.post(
        f"{stack.gateway_url}/v1/chat/completions",
        json={"model": "extraction-model", "messages": [message], "max_tokens": 5, **body},
        headers={"Authorization": f"Bearer {stack.secret('backend_virtual_key')}"},
        timeout=ANSWER_SECONDS,
    )


def test_while_ollama_lives_it_answers_and_the_headers_say_so(two_providers: Stack) -> None:
    """The headers name alias, model, one attempt and no fallback."""
    answer = ask(two_providers)

    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-alias"] == "extraction-model"
    assert MODEL in answer.headers["x-gateway-model"]
    assert answer.headers["x-gateway-attempts"] == "1"
    assert answer.headers["x-gateway-fallback"] == "false"


@pytest.mark.parametrize("stream", [False, True])
def test_with_ollama_dead_only_the_first_request_finds_out(
    two_providers: Stack, *, stream: bool
) -> None:
    """Later requests go straight to the fallback; after its recovery Ollama answers again."""
    two_providers.compose("stop", "ollama")
    try:
        first = ask(two_providers, stream=stream)
        assert first.status_code == 200, first.text
        assert first.headers["x-gateway-fallback"] == "true; from=extraction-model"
        for _ in range(5):
            later = ask(two_providers, stream=stream)
            assert later.status_code == 200, later.text
            assert later.headers["x-gateway-alias"] == "extraction-model-openai"
            assert later.headers["x-gateway-attempts"] == "1"
    finally:
        two_providers.compose("start", "ollama")
        two_providers.wait_for("ollama", "healthy", seconds=120)
    until(
        lambda: ask(two_providers).headers["x-gateway-alias"] == "extraction-model",
        seconds=RECOVERY_SECONDS,
        what="Ollama to be in use again",
    )


def test_with_everybody_down_the_error_is_clear(two_providers: Stack) -> None:
    """No provider left: an error in OpenAI's form with 503, not a trace and no hanging."""
    two_providers.compose("stop", "ollama", "scripted-upstream")
    try:
        ask(two_providers)
        answer = ask(two_providers)
        assert answer.status_code == 503, answer.text
        assert answer.json()["error"]["message"]
        assert "Traceback" not in answer.text
    finally:
        two_providers.compose("start", "ollama", "scripted-upstream")
