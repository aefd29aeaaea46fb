"""Settings: VAR, VAR_FILE, and start-up errors that name the variable and what to set."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend_stub.settings import Settings, SettingsError

BACKEND = Path(__file__).resolve().parents[3] / "backend-stub"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing of the caller's environment but the key."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.setenv("LITELLM_API_KEY", "sk-key")


def problem() -> str:
    """Return what the start complains about."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment()
    return str(caught.value)


def test_defaults() -> None:
    """With nothing but a key, the service looks for the gateway of the README on localhost."""
    settings = Settings.from_environment()

    assert settings.gateway_url == "http://localhost:4000"
    assert settings.extraction_provider == settings.explanation_provider == "litellm"
    assert settings.litellm_extraction_model == "extraction-model"
    assert settings.litellm_explanation_model == "explanation-model"
    assert settings.litellm_timeout == 60
    assert settings.json_logs is False


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting comes from the variable of its name."""
    monkeypatch.setenv("LITELLM_BASE_URL", "https://gateway.example/llm")
    monkeypatch.setenv("LITELLM_TIMEOUT", "2.5")
    monkeypatch.setenv("LITELLM_EXPLANATION_MODEL", "explanation-model-gemini")
    monkeypatch.setenv("JSON_LOGS", "TRUE")

    settings = Settings.from_environment()

    assert settings.gateway_url == "https://gateway.example/llm"
    assert settings.litellm_timeout == 2.5
    assert settings.litellm_explanation_model == "explanation-model-gemini"
    assert settings.json_logs is True


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as unset, so that compose may hand on what nobody set."""
    monkeypatch.setenv("EXTRACTION_PROVIDER", "")
    monkeypatch.setenv("LITELLM_TIMEOUT", "")
    monkeypatch.setenv("LITELLM_API_KEY_FILE", "")

    assert Settings.from_environment().litellm_timeout == 60


@pytest.mark.parametrize("url", ["http://g:4000", "http://g:4000/", "http://g:4000/v1"])
def test_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The gateway's address may end in a slash or in /v1."""
    monkeypatch.setenv("LITELLM_BASE_URL", url)

    assert Settings.from_environment().gateway_url == "http://g:4000"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("sk-f", "sk-f"),
        ("sk-f\n", "sk-f"),
        ("sk-f \n\n", "sk-f \n"),
        ("sk ö'\"$%`\\", "sk ö'\"$%`\\"),
    ],
)
def test_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, value: str) -> None:
    """VAR_FILE names a file with the value, which loses one trailing newline and nothing else."""
    (tmp_path / "model").write_text(content, encoding="utf-8")
    monkeypatch.setenv("LITELLM_EXTRACTION_MODEL_FILE", str(tmp_path / "model"))

    assert Settings.from_environment().litellm_extraction_model == value


def test_key_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So the key may come from a file alone."""
    monkeypatch.delenv("LITELLM_API_KEY")
    (tmp_path / "key").write_text("sk-file\n", encoding="utf-8")
    monkeypatch.setenv("LITELLM_API_KEY_FILE", str(tmp_path / "key"))

    assert Settings.from_environment().litellm_api_key.get_secret_value() == "sk-file"


@pytest.mark.parametrize("key", ["sk-geheim\n", "sk-gehe im", "sk-gehéim"])
def test_key_that_fits_no_header(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """A key that no HTTP header can carry is refused at start, without being shown."""
    monkeypatch.setenv("LITELLM_API_KEY", key)

    assert "LITELLM_API_KEY holds a space" in problem()
    assert "sk-" not in problem()


def test_both_equal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """VAR and VAR_FILE may both be set as long as they agree."""
    (tmp_path / "key").write_text("sk-key\n", encoding="utf-8")
    monkeypatch.setenv("LITELLM_API_KEY_FILE", str(tmp_path / "key"))

    assert Settings.from_environment().litellm_api_key.get_secret_value() == "sk-key"


def test_both_different(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If they differ, the error names both, and neither value."""
    (tmp_path / "key").write_text("sk-other", encoding="utf-8")
    monkeypatch.setenv("LITELLM_API_KEY_FILE", str(tmp_path / "key"))

    assert "LITELLM_API_KEY and LITELLM_API_KEY_FILE" in problem()
    assert "sk-" not in problem()


def test_unreadable_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file that cannot be read is named, with the reason."""
    monkeypatch.setenv("LITELLM_API_KEY_FILE", str(tmp_path / "nothing"))

    assert f"LITELLM_API_KEY_FILE names {tmp_path}/nothing" in problem()
    assert "No such file" in problem()


@pytest.mark.parametrize("file", [None, "/dev/null"])
def test_no_key(monkeypatch: pytest.MonkeyPatch, file: str | None) -> None:
    """A missing key, or an empty file, is named with both ways to set it."""
    monkeypatch.delenv("LITELLM_API_KEY")
    if file:
        monkeypatch.setenv("LITELLM_API_KEY_FILE", file)

    assert problem().startswith("LITELLM_API_KEY is not set; set LITELLM_API_KEY, or")


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("EXTRACTION_PROVIDER", "openai", "'litellm'"),
        ("EXPLANATION_PROVIDER", "mock", "'litellm'"),
        ("LITELLM_BASE_URL", "litellm:4000", "for example http://localhost:4000"),
        ("LITELLM_TIMEOUT", "0", "seconds, more than 0"),
        ("LITELLM_TIMEOUT", "soon", "seconds, more than 0"),
        ("PORT", "99999", "1 to 65535"),
        ("JSON_LOGS", "maybe", "true or false"),
    ],
)
def test_unusable_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """A value that cannot be used is named with what was found and what to set."""
    monkeypatch.setenv(variable, value)

    assert problem().startswith(f"{variable} is '{value}': ")
    assert says in problem()


def test_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems are reported at once, a line each."""
    monkeypatch.delenv("LITELLM_API_KEY")
    monkeypatch.setenv("PORT", "x")

    assert [line.split()[0] for line in problem().splitlines()] == ["LITELLM_API_KEY", "PORT"]


def test_start_fails() -> None:
    """The process then ends with code 2 and those lines, without a trace."""
    done = subprocess.run(
        [sys.executable, "-m", "backend_stub"],
        env={"PYTHONPATH": str(BACKEND), "EXTRACTION_PROVIDER": "openai", "LITELLM_API_KEY": "k"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "EXTRACTION_PROVIDER is 'openai'" in done.stderr
    assert "Traceback" not in done.stderr


def test_key_is_hidden() -> None:
    """The key does not show when settings are printed."""
    assert "sk-key" not in repr(Settings.from_environment())
