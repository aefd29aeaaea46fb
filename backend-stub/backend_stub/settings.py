"""What the environment says, checked once at start.

Each setting is read from VAR, or from the file that VAR_FILE names (less one trailing newline).
An empty value counts as unset, so a compose file may pass every variable through.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from backend_stub.provider import ProviderName

__all__ = ["Settings", "SettingsError"]

_WHAT_TO_SET: Mapping[str, str] = {
    "EXTRACTION_PROVIDER": "set it to litellm, or leave it unset",
    "EXPLANATION_PROVIDER": "set it to litellm, or leave it unset",
    "LITELLM_BASE_URL": "set it to the gateway's address, for example http://localhost:4000",
    "LITELLM_API_KEY": (
        "set LITELLM_API_KEY, or LITELLM_API_KEY_FILE to a file that holds it: "
        "the gateway's virtual key for this service"
    ),
    "LITELLM_TIMEOUT": "set it to seconds, more than 0 and at most 3600",
    "PORT": "set it to a port, 1 to 65535",
    "JSON_LOGS": "set it to true or false",
}


class SettingsError(Exception):
    """The environment cannot be used; the text names each variable, what is wrong, what to set."""


class _VariablesAndFiles(PydanticBaseSettingsSource):
    """Reads VAR and VAR_FILE for each field.

    Raises:
        SettingsError: both are set to different values, or the file cannot be read.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value (None when unset), the field's name, and that it is not JSON."""
        del field
        variable = field_name.upper()
        value = os.environ.get(variable) or None
        path = os.environ.get(f"{variable}_FILE") or None
        if path is None:
            return value, field_name, False
        content = _read_secret_file(variable, Path(path))
        if value is not None and content is not None and value != content:
            raise SettingsError(
                f"{variable} and {variable}_FILE are both set, to different values; unset one"
            )
        return value or content, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the fields that are set."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


def _read_secret_file(variable: str, path: Path) -> str | None:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            f"{variable}_FILE names {path}, which cannot be read ({reason}): "
            f"set it to a file that uid {os.getuid()} may read, or set {variable}"
        ) from None
    return content.removesuffix("\n") or None


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _fits_a_header(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
        raise ValueError("holds a space or another character that no HTTP header can carry")
    return key


_Key = Annotated[SecretStr, AfterValidator(_fits_a_header)]
_Flag = Annotated[bool, BeforeValidator(_lower)]


class Settings(BaseSettings):
    """The service's settings; a field's name in capitals is its environment variable."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    extraction_provider: ProviderName = "litellm"
    explanation_provider: ProviderName = "litellm"

    litellm_base_url: HttpUrl = HttpUrl("http://localhost:4000")
    litellm_api_key: _Key
    litellm_extraction_model: str = "extraction-model"
    litellm_explanation_model: str = "explanation-model"
    litellm_timeout: float = Field(default=60, gt=0, le=3600)
    """Seconds that a caller waits for a whole answer, or for the next piece of a streamed one."""

    host: str = "0.0.0.0"  # noqa: S104 -- the container's own interface; compose publishes loopback only
    port: int = Field(default=8000, ge=1, le=65535)
    json_logs: _Flag = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def gateway_url(self) -> str:
        """The gateway's root, without a trailing slash and without the API's /v1."""
        return str(self.litellm_base_url).rstrip("/").removesuffix("/v1")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return our one source instead of pydantic's own, after arguments of the constructor."""
        del env_settings, dotenv_settings, file_secret_settings
        return init_settings, _VariablesAndFiles(settings_cls)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings.

        Raises:
            SettingsError: a variable is missing or has a value that cannot be used.
        """
        try:
            return cls()  # type: ignore[call-arg]  # what is missing comes from the environment
        except ValidationError as error:
            raise SettingsError("\n".join(_lines(error))) from None


def _lines(error: ValidationError) -> list[str]:
    """Return a line for each variable: its name, what was found (never a secret), what to set."""
    lines = []
    for problem in error.errors(include_url=False):
        variable = str(problem["loc"][0]).upper()
        reason = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "missing":
            found = "is not set"
        elif variable.endswith("_KEY"):
            found = reason
        else:
            found = f"is {problem['input']!r}: {reason[0].lower()}{reason[1:]}"
        hint = _WHAT_TO_SET.get(variable, "correct it, or leave it unset")
        lines.append(f"{variable} {found}; {hint}")
    return lines
