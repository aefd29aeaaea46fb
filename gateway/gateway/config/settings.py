"""Every setting of the gateway itself, typed; all mistakes are reported at once.

What belongs to a provider (keys, model ids, base URLs) is in `providers.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gateway.config.environment import Environment
from gateway.config.problems import ConfigurationError, Problem
from gateway.config.values import (
    READER,
    SecretStr,
    WrongValueError,
    choice,
    flag,
    matching,
    names,
    processes,
    real,
    setting,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGE_CONFIG = Path("/etc/litellm/litellm_config.yaml")
SOURCE_CONFIG = Path(__file__).parents[3] / "litellm" / "litellm_config.yaml"

PORT = whole(1, 65535)
STRATEGIES = (
    "simple-shuffle",
    "least-busy",
    "latency-based-routing",
    "cost-based-routing",
    "usage-based-routing",
    "usage-based-routing-v2",
    "provider-budget-routing",
)


def _shipped_config() -> Path:
    return IMAGE_CONFIG if IMAGE_CONFIG.exists() else SOURCE_CONFIG


@dataclass(frozen=True)
class Settings:
    """The gateway's settings; each field's upper-case name is its variable.

    None means that the variable is unset and litellm_config.yaml, or LiteLLM, decides.
    """

    # where it listens and what it reads
    host: str = setting(str, "127.0.0.1")
    port: int = setting(PORT, 4000)
    metrics_port: int | None = setting(PORT, None)
    gateway_processes: int = setting(processes, 1)
    litellm_config: Path = field(default_factory=_shipped_config, metadata={READER: Path})
    gateway_state_dir: Path = setting(Path, Path("/tmp/gateway"))  # noqa: S108 -- a tmpfs of its own in the container
    gateway_public_url: str | None = setting(str, None)
    evaluation_results: Path = setting(Path, Path("/golden-results"))

    # routing; these override router_settings in litellm_config.yaml
    routing_strategy: str | None = setting(choice(*STRATEGIES), None)
    num_retries: int | None = setting(whole(0, 20), None)
    request_timeout: float | None = setting(real(0, 3600, above=True), None)
    connect_timeout: float = setting(real(0, 600, above=True), 5.0)
    allowed_fails: int | None = setting(whole(0), None)
    cooldown_time: float | None = setting(real(0), None)
    probe_calls: Literal["all", "free", "off"] = setting(choice("all", "free", "off"), "all")
    schema_repair: bool = setting(flag, default=True)
    extraction_fallbacks: tuple[str, ...] | None = setting(names, None)
    explanation_fallbacks: tuple[str, ...] | None = setting(names, None)

    # keys
    litellm_master_key: SecretStr | None = setting(SecretStr, None)
    litellm_salt_key: SecretStr | None = setting(SecretStr, None)
    backend_virtual_key: SecretStr | None = setting(SecretStr, None)
    backend_budget: float = setting(real(0, above=True), 10.0)
    backend_budget_duration: str = setting(matching(r"\d+(s|m|h|d|w|mo)"), "30d")

    # LiteLLM's proxy: where it is, when it runs, and where it asks for models
    litellm_proxy_url: str | None = setting(str, None)
    litellm_proxy: Literal["always", "on-demand"] = setting(choice("always", "on-demand"), "always")
    litellm_idle_seconds: float = setting(real(10), 900.0)
    internal_host: str | None = setting(str, None)
    internal_port: int = setting(PORT, 4001)
    gateway_internal_url: str | None = setting(str, None)
    gateway_internal_key: SecretStr | None = setting(SecretStr, None)  # of a native start
    disable_admin_ui: bool = setting(flag, default=False)

    # database: DATABASE_URL, or its parts; none of them means no database
    database_url: SecretStr | None = setting(SecretStr, None)
    db_host: str | None = setting(str, None)
    db_port: int = setting(PORT, 5432)
    db_name: str = setting(str, "litellm")
    db_user: str = setting(str, "gateway")
    gateway_db_password: SecretStr | None = setting(SecretStr, None)
    db_pool_size: int = setting(whole(1, 200), 10)
    db_wait: float = setting(real(1, 3600), 60.0)

    # while the database is away, and how long rows are kept; None for ever
    database_down_policy: Literal["serve", "refuse"] = setting(choice("serve", "refuse"), "serve")
    spend_retention: str | None = setting(matching(r"[1-9]\d{0,4}(h|d|w|mo)"), None)
    spend_retention_cron: str = setting(matching(r"\S+( \S+){4}"), "17 * * * *")

    # prices; those of a provider's model are in render.py
    allow_unpriced_models: bool = setting(flag, default=False)

    # the spend journal
    journal_dir: Path | None = setting(Path, None)
    journal_max_mb: int = setting(whole(4, 1_000_000), 512)
    journal_sync: bool = setting(flag, default=True)

    # Prisma's engines and command line
    prisma_engine_dir: Path = setting(Path, Path("/opt/prisma-engine"))

    # logs and stopping
    json_logs: bool = setting(flag, default=False)
    litellm_log: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = setting(
        choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "WARNING"
    )
    graceful_shutdown_timeout: float = setting(real(0, 600), 30.0)

    # traces, under OpenTelemetry's own names; checked in traces/settings.py
    otel_exporter_otlp_endpoint: str | None = setting(str, None)
    otel_exporter_otlp_headers: SecretStr | None = setting(SecretStr, None)
    otel_service_name: str = setting(str, "litellm-gateway")

    @property
    def journal_root(self) -> Path:
        """Where every gateway's spend journal has its folder."""
        return self.journal_dir or self.gateway_state_dir / "journal"


def load_settings(variables: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that the environment describes.

    Raises:
        ConfigurationError: names every variable that is wrong.
    """
    environment = Environment(os.environ if variables is None else variables)
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for each in fields(Settings):
        variable = each.name.upper()
        text = None
        try:
            text = environment.get(variable)
            if text is not None:
                values[each.name] = each.metadata[READER](text)
        except ConfigurationError as error:
            problems.extend(error.problems)
        except WrongValueError as error:
            # A secret is any text, so a value shown here never is one.
            problems.append(Problem(variable, f"'{text}' cannot be used", str(error)))
    if problems:
        raise ConfigurationError(problems)
    return Settings(**values)
