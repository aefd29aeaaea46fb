"""A fake Ollama, and a model server's settings that point at it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina

from model_server.server import Ollama
from model_server.settings import Settings
from support.fake_ollama import FakeOllama, FakeRegistry


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Retry come at once."""
    stamina.set_testing(True, attempts=50, cap=True)
    yield
    stamina.set_testing(False)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Put the root logger back, which `serve` sets up."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this machine decides a test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def fake() -> Iterator[FakeOllama]:
    """Yield a running fake Ollama that has no model."""
    with FakeOllama() as running:
        yield running


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """Yield a running registry that has no model."""
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def server(fake: FakeOllama) -> Iterator[Ollama]:
    """Yield the client under test, talking to the fake."""
    with Ollama(fake.url) as client:
        yield client


@pytest.fixture
def make_settings(fake: FakeOllama, tmp_path: Path) -> Callable[..., Settings]:
    """Return a function that makes settings; the model is tiny:latest, with one attempt a pull."""

    def make(**values: object) -> Settings:
        (tmp_path / "gguf").mkdir(exist_ok=True)
        return Settings.model_validate(
            {
                "ollama_model": "tiny",
                "ollama_pull_attempts": 1,
                "ollama_host": f"127.0.0.1:{fake.port}",
                "ollama_models": tmp_path / "store",
                "ollama_gguf_dir": tmp_path / "gguf",
                "model_server_state": tmp_path / "run" / "state.json",
            }
            | values
        )

    return make
