"""Deployments as the router knows them, and where metrics of them are collected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import pytest
from prometheus_client import CollectorRegistry

from gateway.config import deployment
from gateway.config.deployment import Deployment, Models
from gateway.routing.router import Router
from gateway.routing.settings import FailoverSettings

OLLAMA = Deployment(
    "o" * 64,
    "extraction",
    "ollama_chat",
    "llama3.2",
    deployment.Protocol.OLLAMA,
    "http://ollama:11434",
)
OPENAI = Deployment(
    "spare-1",
    "spare",
    "openai",
    "gpt-4o-mini",
    deployment.Protocol.OPENAI,
    "https://api.openai.com/v1",
)


class Value(Protocol):
    """Reads one sample."""

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return its value; None when there is no such series."""
        ...


@pytest.fixture
def collected() -> CollectorRegistry:
    """Return an empty registry of collectors."""
    return CollectorRegistry()


@pytest.fixture
def models() -> Models:
    """Return two deployments: `extraction` at Ollama, `spare` at OpenAI."""
    return Models((OLLAMA, OPENAI))


@pytest.fixture
def router(models: Models) -> Router:
    """Return the router in front of them; nobody is asked."""
    asked = dict.fromkeys(deployment.Protocol, cast("Any", None))
    return Router(models, asked, FailoverSettings(), cast("Any", None), lambda _: None)


@pytest.fixture
def value(collected: CollectorRegistry) -> Value:
    """Return a function that reads a sample."""
    read: Callable[[str, dict[str, str]], float | None] = collected.get_sample_value
    return lambda name, **labels: read(name, labels)
