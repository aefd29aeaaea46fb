"""Deployments as failover knows them, and where metrics of them are collected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from unittest.mock import AsyncMock

import pytest
from gateway.failover.registry import Registry
from gateway.failover.settings import FailoverSettings
from gateway.failover.target import Target
from prometheus_client import CollectorRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

OLLAMA = Target("o" * 64, "extraction", "ollama_chat", "llama3.2", "http://ollama:11434")
OPENAI = Target("spare-1", "spare", "openai", "gpt-4o-mini", "https://api.openai.com/v1")


class Value(Protocol):
    """Reads one sample."""

    def __call__(self, name: str, **labels: str) -> float | None:
        """Returns its value; None when there is no such series."""
        ...


@pytest.fixture
def collected() -> CollectorRegistry:
    """Returns an empty registry of collectors."""
    return CollectorRegistry()


@pytest.fixture
def deployments() -> Registry:
    """Returns two deployments in use: `extraction` at Ollama, `spare` at OpenAI."""
    registry = Registry(FailoverSettings(), lambda _: None, AsyncMock())
    registry.learn([OLLAMA, OPENAI])
    return registry


@pytest.fixture
def value(collected: CollectorRegistry) -> Value:
    """Returns a function that reads a sample."""
    read: Callable[[str, dict[str, str]], float | None] = collected.get_sample_value
    return lambda name, **labels: read(name, labels)
