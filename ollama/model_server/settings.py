"""What the environment says, checked once at start. An empty value counts as unset."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from model_server.names import ModelName
from model_server.state import DEFAULT_MODEL, STATE_FILE

EXIT_CONFIGURATION = 2
"""What every command ends with when a variable has a value that cannot be used."""

# Go's durations, or whole seconds. https://pkg.go.dev/time#ParseDuration
_UNIT_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|s|us|µs|ns)")

_WHAT_TO_SET: Mapping[str, str] = {
    "OLLAMA_MODEL": "set it to a name of Ollama's library, for example llama3.2 or smollm2:135m",
    "OLLAMA_REGISTRY": "set it to host[:port][/namespace], for example mirror.example:5000",
    "OLLAMA_REGISTRY_INSECURE": "set it to true or false",
    "OLLAMA_KEEP_ALIVE": "set it to -1 (always loaded), or to a time such as 30m or 24h",
    "OLLAMA_CONTEXT_LENGTH": "set it to a number of tokens, for example 4096",
    "OLLAMA_PULL_ATTEMPTS": "set it to a number from 1 to 50",
    "OLLAMA_RETRY_SECONDS": "set it to seconds from 1 to 86400",
    "OLLAMA_HOST": "set it to address:port, for example 0.0.0.0:11434",
    "JSON_LOGS": "set it to true or false",
}


class SettingsError(Exception):
    """The environment cannot be used; a line for each variable: what is wrong, what to set."""


def _mirror(value: str) -> str:
    """Return host[:port][/namespace] without a trailing slash or https://."""
    if value.startswith("http://"):
        raise ValueError(
            "leave http:// out; plain http is used when OLLAMA_REGISTRY_INSECURE is true"
        )
    value = value.removeprefix("https://").rstrip("/")
    if value:
        ModelName("model").on(value)
    return value


def _duration(value: str) -> str:
    keep_alive_seconds(value)
    return value


def keep_alive_seconds(value: str) -> float:
    """Return what OLLAMA_KEEP_ALIVE means, in seconds; infinity for a negative one.

    Raises:
        ValueError: it is neither whole seconds nor a duration such as 1h30m.
    """
    text = value.removeprefix("-")
    if text.isascii() and text.isdigit():
        seconds = float(text)
    elif text and not _DURATION.sub("", text):
        seconds = sum(
            float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text)
        )
    else:
        raise ValueError("it is not a time")
    return float("inf") if value.startswith("-") and seconds else seconds


class Settings(BaseSettings):
    """Every knob; a field's name in capitals is its environment variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    ollama_model: str = DEFAULT_MODEL
    ollama_registry: Annotated[str, AfterValidator(_mirror)] = ""
    """A mirror of Ollama's library: host[:port][/namespace]."""
    ollama_registry_insecure: bool = False
    """Whether the mirror is spoken to over plain http."""
    ollama_keep_alive: Annotated[str, AfterValidator(_duration)] = "-1"
    """How long the model stays loaded after a request; negative: for ever."""
    ollama_context_length: int = Field(default=4096, ge=256, le=1_048_576)
    ollama_pull_attempts: int = Field(default=5, ge=1, le=50)
    """How often a download is tried before the state is failed."""
    ollama_retry_seconds: float = Field(default=60, ge=1, le=86_400)
    """How long after that it is tried again."""

    ollama_host: str = Field(default="0.0.0.0:11434", pattern=r"^[\w.-]+:\d{1,5}$")
    ollama_models: Path = Path("/var/lib/ollama/models")
    """Where Ollama stores models."""
    ollama_gguf_dir: Path = Path("/models")
    """Where GGUF files to import lie."""
    model_server_state: Path = STATE_FILE
    json_logs: bool = False

    @field_validator("ollama_model")
    @classmethod
    def _a_name(cls, value: str) -> str:
        return str(ModelName.parse(value))

    @model_validator(mode="after")
    def _insecure_needs_a_mirror(self) -> Self:
        if self.ollama_registry_insecure and not self.ollama_registry:
            raise ValueError(
                "OLLAMA_REGISTRY_INSECURE is true, but OLLAMA_REGISTRY is not set: Ollama's own "
                "library is never asked over plain http; set OLLAMA_REGISTRY, or unset both"
            )
        return self

    @property
    def name(self) -> ModelName:
        """The model that is to be served."""
        return ModelName.parse(self.ollama_model)

    @property
    def source(self) -> ModelName:
        """The model's name where it is pulled from: the mirror's, when one is set."""
        return self.name.on(self.ollama_registry)

    @property
    def insecure(self) -> bool:
        """Whether the source is asked over plain http: only ever a mirror, only on request."""
        return self.ollama_registry_insecure and self.source != self.name

    @property
    def always_loaded(self) -> bool:
        """Whether the model never leaves memory by itself."""
        return keep_alive_seconds(self.ollama_keep_alive) == float("inf")

    @property
    def url(self) -> str:
        """Ollama's address from inside this container."""
        return f"http://127.0.0.1:{self.ollama_host.rpartition(':')[2]}"

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings.

        Raises:
            SettingsError: a variable has a value that cannot be used.
        """
        try:
            return cls()
        except ValidationError as error:
            raise SettingsError("\n".join(_lines(error))) from None


def _lines(error: ValidationError) -> list[str]:
    lines = []
    for found in error.errors(include_url=False):
        message = found["msg"].removeprefix("Value error, ")
        if not found["loc"]:
            lines.append(message)
            continue
        variable = str(found["loc"][0]).upper()
        hint = _WHAT_TO_SET.get(variable, "correct it, or leave it unset")
        value = os.environ.get(variable, "")
        lines.append(f"{variable} is {value!r}: {message[0].lower()}{message[1:]}; {hint}")
    return lines
