"""Every setting of the gateway itself, typed; all that is wrong is reported at once.

What belongs to a provider (keys, model ids, base URLs) is in `providers.py`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.config.environment import Environment
from gateway.config.problems import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

IMAGE_CONFIG = Path("/etc/litellm/litellm_config.yaml")
SOURCE_CONFIG = Path(__file__).parents[3] / "litellm" / "litellm_config.yaml"


def _split_names(value: object) -> object:
    """Returns a comma-separated list as a tuple; `none` is the empty one."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "none":
        return ()
    return tuple(name.strip() for name in value.split(",") if name.strip())


Names = Annotated[tuple[str, ...], BeforeValidator(_split_names)]
RoutingStrategy = Literal[
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "cost-based-routing",
    "usage-based-routing",
    "usage-based-routing-v2",
    "provider-budget-routing",
]


class Settings(BaseSettings):
    """The gateway's settings; each field's upper-case name is its variable.

    None means that the variable is unset and litellm_config.yaml, or LiteLLM, decides.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    # where it listens and what it reads
    host: str = "127.0.0.1"
    port: int = Field(4000, ge=1, le=65535)
    metrics_port: int | None = Field(None, ge=1, le=65535)
    litellm_config: Path = Field(
        default_factory=lambda: IMAGE_CONFIG if IMAGE_CONFIG.exists() else SOURCE_CONFIG
    )
    gateway_state_dir: Path = Path("/tmp/gateway")  # noqa: S108 -- a tmpfs of its own in the container
    gateway_public_url: str | None = None
    golden_results: Path = Path("/golden-results")

    # routing; these override router_settings in litellm_config.yaml
    routing_strategy: RoutingStrategy | None = None
    num_retries: int | None = Field(None, ge=0, le=20)
    request_timeout: float | None = Field(None, gt=0, le=3600)
    connect_timeout: float = Field(5.0, gt=0, le=600)
    allowed_fails: int | None = Field(None, ge=0)
    cooldown_time: float | None = Field(None, ge=0)
    probe_calls: Literal["all", "free", "off"] = "all"
    schema_repair: bool = True
    extraction_fallbacks: Names | None = None
    explanation_fallbacks: Names | None = None

    # keys
    litellm_master_key: SecretStr | None = None
    litellm_salt_key: SecretStr | None = None
    backend_virtual_key: SecretStr | None = None
    backend_budget: float = Field(10.0, gt=0)
    backend_budget_duration: str = Field("30d", pattern=r"^\d+(s|m|h|d|w|mo)$")

    # LiteLLM's proxy: where it is, when it runs, and where it asks for models
    litellm_proxy_url: str | None = None
    litellm_proxy: Literal["always", "on-demand"] = "always"
    litellm_idle_seconds: float = Field(900.0, ge=10)
    internal_host: str | None = None
    internal_port: int = Field(4001, ge=1, le=65535)
    gateway_internal_url: str | None = None
    gateway_internal_key: SecretStr | None = None  # a native start without a master key makes it
    disable_admin_ui: bool = False

    # database: DATABASE_URL, or its parts; none of them means no database
    database_url: SecretStr | None = None
    db_host: str | None = None
    db_port: int = Field(5432, ge=1, le=65535)
    db_name: str = "litellm"
    db_user: str = "gateway"
    gateway_db_password: SecretStr | None = None
    db_pool_size: int = Field(10, ge=1, le=200)
    db_wait: float = Field(60.0, ge=1, le=3600)

    # while the database is away, and how long rows are kept; None for ever
    database_down_policy: Literal["serve", "refuse"] = "serve"
    spend_retention: str | None = Field(None, pattern=r"^[1-9]\d{0,4}(h|d|w|mo)$")
    spend_retention_cron: str = Field("17 * * * *", pattern=r"^\S+( \S+){4}$")

    # prices; those of a provider's model are in config_render.py
    allow_unpriced_models: bool = False

    # the spend journal
    journal_dir: Path | None = None
    journal_max_mb: int = Field(512, ge=4, le=1_000_000)
    journal_sync: bool = True

    # Prisma's engines and command line
    prisma_engine_dir: Path = Path("/opt/prisma-engine")

    # logs and stopping
    json_logs: bool = False
    litellm_log: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "WARNING"
    graceful_shutdown_timeout: float = Field(30.0, ge=0, le=600)

    # traces, under OpenTelemetry's own names; checked in traces/settings.py
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_headers: SecretStr | None = None
    otel_service_name: str = "litellm-gateway"

    @property
    def journal_root(self) -> Path:
        """Where every gateway's spend journal has its folder."""
        return self.journal_dir or self.gateway_state_dir / "journal"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leaves one source: what `load_settings` passes in, read by `Environment`."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings(variables: Mapping[str, str] | None = None) -> Settings:
    """Returns the settings that the environment describes.

    Raises:
        ConfigurationError: names every variable that is wrong.
    """
    environment = Environment(os.environ if variables is None else variables)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field in Settings.model_fields:
        try:
            value = environment.get(field.upper())
        except ConfigurationError as error:
            problems.extend(error.problems)
            continue
        if value is not None:
            values[field] = value
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems.extend(_problem(detail) for detail in error.errors())
        raise ConfigurationError(problems) from None
    if problems:
        raise ConfigurationError(problems)
    return settings


def _problem(detail: ErrorDetails) -> Problem:
    # A secret is any text, so a value shown here never is one.
    found = f"'{detail['input']}' cannot be used"
    return Problem(str(detail["loc"][0]).upper(), found, detail["msg"].lower())
