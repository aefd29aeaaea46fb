"""The settings of a start without a container, and what it says about Ollama and ports."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.config.problems import ConfigurationError
from gateway.config.render import EffectiveConfig
from gateway.http.loopback_guard import is_from_here
from gateway.native.embedded_postgres import embedded_postgres
from gateway.native.environment import Folders, native_environment, ollama_address
from gateway.native.preflight import check_ollama_models
from gateway.ollama_api import Ollama, OllamaUnreachableError, nearest
from gateway.port_owner import is_taken, owner
from support.fake_ollama import FakeOllama


def environment(root: Path, shell: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a checkout in `root`."""
    folders = Folders(root, root / ".data", root / ".venv")
    return native_environment(shell or {}, folders, host=None, port=None)


def test_the_shell_wins_over_dotenv_and_empty_is_unset(tmp_path: Path) -> None:
    """A variable of the shell replaces the file's; an empty value is not a value."""
    (tmp_path / ".env").write_text("NUM_RETRIES=1\nOPENAI_API_KEY=\nREQUEST_TIMEOUT=7\n")

    found = environment(tmp_path, {"NUM_RETRIES": "4"})

    assert (found["NUM_RETRIES"], found["REQUEST_TIMEOUT"]) == ("4", "7")
    assert "OPENAI_API_KEY" not in found


def test_where_it_listens_is_not_taken_from_the_shells_own_names(tmp_path: Path) -> None:
    """HOST and PORT, which shells and build tools export, change nothing; LITELLM_PORT does."""
    found = environment(tmp_path, {"HOST": "0.0.0.0", "PORT": "80", "LITELLM_PORT": "4001"})

    assert (found["HOST"], found["PORT"]) == ("127.0.0.1", "4001")


def test_the_containers_name_for_the_host_is_the_host(tmp_path: Path) -> None:
    """An address written for compose reaches the same server without a container."""
    (tmp_path / ".env").write_text("OLLAMA_API_BASE=http://host.docker.internal:11434\n")

    assert environment(tmp_path)["OLLAMA_API_BASE"] == "http://localhost:11434"


def test_a_secrets_file_is_found_from_any_folder(tmp_path: Path) -> None:
    """A relative VAR_FILE of .env is relative to .env, as for compose."""
    (tmp_path / ".env").write_text("LITELLM_MASTER_KEY_FILE=keys/master\n")

    assert environment(tmp_path)["LITELLM_MASTER_KEY_FILE"] == str(tmp_path / "keys/master")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "http://localhost:11434"),
        ("0.0.0.0", "http://localhost:11434"),
        ("127.0.0.1:11500", "http://127.0.0.1:11500"),
        (":11500", "http://localhost:11500"),
        ("https://gpu.example", "https://gpu.example:443"),
    ],
)
def test_ollamas_own_variable_says_where_it_is(given: str, expected: str) -> None:
    """OLLAMA_HOST in any of its forms becomes a base URL."""
    assert ollama_address(given) == expected


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [(b"A=1\nnot a line\n", ":2", "is not NAME=value"), (b"A=\xff\n", "", "is not UTF-8")],
)
def test_a_broken_dotenv_is_named(tmp_path: Path, content: bytes, where: str, found: str) -> None:
    """A line or a file that cannot be read stops the start, with its place."""
    (tmp_path / ".env").write_bytes(content)

    with pytest.raises(ConfigurationError, match=found) as raised:
        environment(tmp_path)
    assert f"{tmp_path / '.env'}{where}" in str(raised.value)


def test_a_listening_port_has_an_owner() -> None:
    """A port that a process listens on is taken, by that process; a free one is not."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        assert is_taken("127.0.0.1", port)
        assert (owner(port) or "").startswith(f"pid {os.getpid()} (")
    assert not is_taken("127.0.0.1", port)
    assert owner(port) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({b"host": b"localhost:4000"}, True),
        ({b"host": b"[::1]:4000"}, True),
        ({b"host": b"127.0.0.1:4000", b"origin": b"http://localhost:3000"}, True),
        ({b"host": b"evil.example:4000"}, False),
        ({b"host": b"localhost:4000", b"origin": b"https://evil.example"}, False),
        ({b"host": b"localhost:4000", b"origin": b"null"}, False),
        ({b"host": b"[", b"origin": b"http://localhost"}, False),
        ({}, False),
    ],
)
def test_only_this_machine_is_served_without_a_key(
    headers: dict[bytes, bytes], *, expected: bool
) -> None:
    """Host, and Origin where there is one, must name this machine."""
    assert is_from_here(headers) is expected


def test_a_missing_model_is_named_with_its_like_and_the_command(
    rendered: Callable[..., EffectiveConfig], caplog: pytest.LogCaptureFixture
) -> None:
    """What Ollama lacks is said with the nearest name it has; what it has is not asked for."""
    with (
        FakeOllama(models={"llama3.2:latest": "0"}) as ollama,
        caplog.at_level(logging.INFO, "gateway"),
    ):
        for model in ("lama3.2", "llama3.2"):
            effective = rendered(OLLAMA_API_BASE=ollama.url, OLLAMA_MODEL=model)
            check_ollama_models(effective, pull=False)
        assert not ollama.asked("/api/pull")

    assert "ollama pull lama3.2" in caplog.messages[0]
    assert "OLLAMA_MODEL=llama3.2" in caplog.messages[0]
    assert caplog.messages[1] == f"Ollama at {ollama.url} has llama3.2"


def test_a_missing_model_is_pulled_when_asked(
    rendered: Callable[..., EffectiveConfig], caplog: pytest.LogCaptureFixture
) -> None:
    """With --pull the model is downloaded; a failure is reported in Ollama's words."""
    with FakeOllama(pulls=[[], [{"error": "no such model"}]]) as ollama:
        for model in ("qwen3", "nothing"):
            effective = rendered(OLLAMA_API_BASE=ollama.url, OLLAMA_MODEL=model)
            check_ollama_models(effective, pull=True)
        assert "qwen3:latest" in ollama.models

    assert "could not be downloaded: no such model" in caplog.messages[-1]


def test_what_is_not_ollama_is_said(
    rendered: Callable[..., EffectiveConfig], caplog: pytest.LogCaptureFixture
) -> None:
    """An address where something else answers, or nothing, is not an Ollama."""
    with FakeOllama(errors={"/api/tags": "broken"}) as ollama:
        effective = rendered(OLLAMA_API_BASE=ollama.url)
        check_ollama_models(effective, pull=False)
    assert "it answered 500" in caplog.messages[0]
    with pytest.raises(OllamaUnreachableError):
        Ollama(ollama.url).models()


@pytest.mark.parametrize(
    ("uid", "depth", "found"),
    [(0, 1, "as root"), (1000, 90, "too long"), (54_321, 1, "user 54321 has no entry")],
)
def test_an_embedded_postgres_that_could_not_run_is_refused(
    monkeypatch: pytest.MonkeyPatch, uid: int, depth: int, found: str
) -> None:
    """Root, a nameless user and too long a path are reported before anything is installed."""
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    folders = Folders(data=Path("/") / ("d" * depth))

    with pytest.raises(ConfigurationError, match=found), embedded_postgres(folders):
        pass


def test_the_nearest_name_is_one_that_is_alike() -> None:
    """A typing error finds its model; a name like none finds nothing."""
    assert nearest("qwen3:1.7", ["qwen3:1.7b", "llama3.2:latest"]) == "qwen3:1.7b"
    assert nearest("mistral", ["qwen3:1.7b"]) is None
