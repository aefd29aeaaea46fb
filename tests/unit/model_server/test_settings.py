"""The environment: what is accepted, what is refused and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_server.settings import Settings, SettingsError, keep_alive_seconds

FOREVER = float("inf")


def test_the_defaults_serve_llama() -> None:
    """With nothing set, llama3.2 comes from Ollama's library over TLS and stays loaded."""
    settings = Settings.from_environment()

    assert settings.source.full == "registry.ollama.ai/library/llama3.2:latest"
    assert settings.always_loaded
    assert not settings.insecure


def test_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is as good as none, so that compose may pass each one through."""
    for name in (
        "OLLAMA_MODEL",
        "OLLAMA_REGISTRY",
        "OLLAMA_REGISTRY_INSECURE",
        "OLLAMA_KEEP_ALIVE",
    ):
        monkeypatch.setenv(name, "")

    assert Settings.from_environment() == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("OLLAMA_MODEL", "a b", "cannot be the model"),
        ("OLLAMA_REGISTRY", "http://box", "OLLAMA_REGISTRY_INSECURE"),
        ("OLLAMA_REGISTRY", "box/a/b", "host[:port][/namespace]"),
        ("OLLAMA_REGISTRY_INSECURE", "maybe", "true or false"),
        ("OLLAMA_KEEP_ALIVE", "soon", "such as 30m"),
        ("OLLAMA_CONTEXT_LENGTH", "many", "number of tokens"),
        ("OLLAMA_CONTEXT_LENGTH", "0", "number of tokens"),
        ("OLLAMA_PULL_ATTEMPTS", "0", "from 1 to 50"),
        ("OLLAMA_RETRY_SECONDS", "0", "from 1 to 86400"),
        ("OLLAMA_HOST", "11434", "address:port"),
        ("JSON_LOGS", "2", "true or false"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """The error names the variable, shows its value and says what to set."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as raised:
        Settings.from_environment()

    assert str(raised.value).startswith(f"{variable} is '{value}': ")
    assert says in str(raised.value)


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two mistakes give two lines."""
    monkeypatch.setenv("OLLAMA_KEEP_ALIVE", "soon")
    monkeypatch.setenv("OLLAMA_CONTEXT_LENGTH", "many")

    with pytest.raises(SettingsError) as raised:
        Settings.from_environment()

    assert len(str(raised.value).splitlines()) == 2


def test_insecure_without_a_mirror_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ollama's own library is never asked over plain http."""
    monkeypatch.setenv("OLLAMA_REGISTRY_INSECURE", "true")

    with pytest.raises(SettingsError, match="OLLAMA_REGISTRY is not set"):
        Settings.from_environment()


def test_insecure_is_for_the_mirror_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that names another registry is asked over TLS, even with an insecure mirror."""
    monkeypatch.setenv("OLLAMA_REGISTRY", "box:5000")
    monkeypatch.setenv("OLLAMA_REGISTRY_INSECURE", "true")
    mirrored = Settings.from_environment().insecure
    monkeypatch.setenv("OLLAMA_MODEL", "hf.co/org/model")

    assert mirrored
    assert not Settings.from_environment().insecure


def test_a_mirror_may_be_written_as_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading https:// and a trailing slash are taken off."""
    monkeypatch.setenv("OLLAMA_REGISTRY", "https://box.example/ai/")

    assert Settings.from_environment().source.full == "box.example/ai/llama3.2:latest"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("-1", FOREVER), ("-1m", FOREVER), ("0", 0), ("-0", 0), ("90", 90), ("1h30m", 5400),
     ("1.5h", 5400), ("200ms", 0.2)],
)  # fmt: skip
def test_keep_alive_means_what_it_means_to_ollama(value: str, seconds: float) -> None:
    """Whole seconds and Go's durations are understood; negative ones last for ever."""
    assert keep_alive_seconds(value) == pytest.approx(seconds)


def test_every_setting_is_described() -> None:
    """The README of ollama/ has each variable that a person may set."""
    text = (Path(__file__).parents[3] / "ollama" / "README.md").read_text(encoding="utf-8")
    fixed_by_the_image = {
        "ollama_host",
        "ollama_models",
        "ollama_gguf_dir",
        "model_server_state",
    }

    missing = {
        name.upper()
        for name in Settings.model_fields.keys() - fixed_by_the_image
        if f"`{name.upper()}`" not in text
    }

    assert not missing
