"""Downloading: what is asked, how often, from where, and what can go wrong."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from model_server import registry as registry_module
from model_server.problem import Problem
from model_server.pull import pull
from model_server.server import Ollama
from model_server.settings import Settings
from support.fake_ollama import FakeOllama, FakeRegistry

UNREACHABLE = {"error": 'pull model manifest: Get "https://x/v2/": dial tcp: connection refused'}
MISSING = {"error": "pull model manifest: file does not exist"}


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Keep these tests off the net: the library does not say how large a model is."""
    if "registry" not in request.fixturenames:
        monkeypatch.setattr(registry_module, "missing_bytes", lambda *_, **__: None)


def quiet(_percent: int | None, _detail: str) -> None:
    """Take no notice of progress."""


def layer(done: int, total: int = 1000, digest: str = "sha256:aa") -> dict[str, object]:
    """Return a line of Ollama's progress."""
    return {"status": "pulling aa", "digest": digest, "completed": done, "total": total}


def test_progress_is_reported_in_percent(
    fake: FakeOllama, server: Ollama, make_settings: Callable[..., Settings]
) -> None:
    """The percentage of all bytes known so far is reported with what is being done."""
    fake.pulls = [[{"status": "pulling manifest"}, layer(250), layer(1000)]]
    seen: list[tuple[int | None, str]] = []

    pull(server, make_settings(), lambda percent, detail: seen.append((percent, detail)))

    assert seen == [
        (None, "asking registry.ollama.ai"),
        (None, "pulling manifest"),
        (25, "pulling aa"),
        (100, "pulling aa"),
        (100, "success"),
    ]


def test_a_broken_download_is_tried_again(
    fake: FakeOllama,
    server: Ollama,
    make_settings: Callable[..., Settings],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A download that breaks off is started again; log and status count the attempts."""
    fake.pulls = [[layer(10), {"error": "unexpected EOF"}], [UNREACHABLE], []]

    told: list[str] = []

    with caplog.at_level(logging.INFO):
        settings = make_settings(ollama_pull_attempts=5)
        pull(server, settings, lambda _, detail: told.append(detail))

    assert len(fake.asked("/api/pull")) == 3
    assert "attempt 1 of 5 failed" in caplog.text
    assert "attempt 2 of 5 failed" in caplog.text
    assert len([each for each in told if each.startswith("attempt")]) == 2


def test_attempts_are_bounded(
    fake: FakeOllama, server: Ollama, make_settings: Callable[..., Settings]
) -> None:
    """After OLLAMA_PULL_ATTEMPTS attempts the problem is raised, to be tried again later."""
    fake.pulls = [[UNREACHABLE]]

    with pytest.raises(Problem, match="cannot be reached") as raised:
        pull(server, make_settings(ollama_pull_attempts=3), quiet)

    assert len(fake.asked("/api/pull")) == 3
    assert raised.value.again == "soon"


def test_a_lasting_error_is_not_tried_again(
    fake: FakeOllama, server: Ollama, make_settings: Callable[..., Settings]
) -> None:
    """A model that does not exist is asked for once."""
    fake.pulls = [[MISSING]]

    with pytest.raises(Problem, match="there is no model tiny:latest"):
        pull(server, make_settings(ollama_pull_attempts=5), quiet)

    assert len(fake.asked("/api/pull")) == 1


def test_a_mirror_is_asked_in_place_of_the_library(
    fake: FakeOllama,
    server: Ollama,
    make_settings: Callable[..., Settings],
    registry: FakeRegistry,
) -> None:
    """The model is pulled under the mirror's name and ends under its plain one only."""
    settings = make_settings(ollama_registry=registry.host, ollama_registry_insecure=True)

    pull(server, settings, quiet)

    assert fake.asked("/api/pull")[0]["model"] == f"{registry.host}/library/tiny:latest"
    assert list(fake.models) == ["tiny:latest"]


@pytest.mark.parametrize("insecure", [False, True])
def test_plain_http_is_used_on_request_only(
    fake: FakeOllama,
    server: Ollama,
    make_settings: Callable[..., Settings],
    registry: FakeRegistry,
    *,
    insecure: bool,
) -> None:
    """Ollama may speak plain http to a mirror only with OLLAMA_REGISTRY_INSECURE, and so do we."""
    settings = make_settings(ollama_registry=registry.host, ollama_registry_insecure=insecure)

    pull(server, settings, quiet)

    assert fake.asked("/api/pull")[0]["insecure"] is insecure
    assert bool(registry.requests) is insecure


def test_a_model_too_large_for_the_disk_is_not_begun(
    fake: FakeOllama,
    server: Ollama,
    make_settings: Callable[..., Settings],
    registry: FakeRegistry,
) -> None:
    """Free disk is compared with the size in the manifest before anything is downloaded."""
    registry.has("tiny", weights=10**18)

    with pytest.raises(
        Problem, match=r"pulling tiny:latest needs 1000000000\.3 GB of disk"
    ) as raised:
        pull(
            server,
            make_settings(ollama_registry=registry.host, ollama_registry_insecure=True),
            quiet,
        )

    assert not fake.asked("/api/pull")
    assert raised.value.again == "later"


def test_a_size_that_nobody_knows_needs_a_minimum(
    fake: FakeOllama,
    server: Ollama,
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the registry does not say the size, 2 GiB have to be free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2 * 1024**3))

    with pytest.raises(Problem, match=r"needs 2\.4 GB of disk space, 2\.1 GB is free"):
        pull(server, make_settings(), quiet)

    assert not fake.asked("/api/pull")


def test_what_a_kill_left_half_written_is_mended_before_ollama_reads_it(
    fake: FakeOllama, server: Ollama, make_settings: Callable[..., Settings]
) -> None:
    """An empty note of a part would end every later attempt with "EOF"."""
    settings = make_settings()
    blobs = settings.ollama_models / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "sha256-ab-partial-0").write_text("")
    fake.pulls = [[layer(1000)]]

    pull(server, settings, quiet)

    assert list(blobs.iterdir()) == []
