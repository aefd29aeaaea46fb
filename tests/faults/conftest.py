"""The stacks that the tests of faults share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.scripted import SCRIPTED_PROVIDERS, TRANSLATED_PROVIDER
from support.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Yield a running stack like the others' one, whose health is checked more often."""
    if project := os.environ.get("TEST_PROJECT"):
        yield Stack.running(project)
        return
    checks = {"COMPOSE_FILE": "docker-compose.yml:tests/faults/quick-checks.yml"}
    with Stack(checks) as running:
        running.run("up")
        yield running


@pytest.fixture(scope="session")
def spending() -> Iterator[Stack]:
    """Yield a gateway with a worker on the scripted upstream; Ollama falls back to OpenAI there."""
    fallback = {"EXTRACTION_FALLBACKS": "extraction-model-openai"}
    with Stack(SCRIPTED_PROVIDERS | TRANSLATED_PROVIDER | fallback) as running:
        running.compose("up", "--detach", "--no-build", "--wait", "gateway", "scripted-upstream")
        yield running
