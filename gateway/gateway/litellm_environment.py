"""The environment in which LiteLLM runs: its secrets, and what it would else do unasked.

Each switch was found in the source of 1.106.2. The gateway makes no call that no request caused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.config.checked import LOOPBACK
from gateway.database.prisma_cli import engine_variables
from gateway.database.url import for_prisma

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.render import EffectiveConfig
    from gateway.config.settings import Settings

NO_CALLS_HOME = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price map, from GitHub at every start
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # a list of headers, from GitHub at start
    "LITELLM_LOCAL_BLOG_POSTS": "True",  # news for the admin UI
    "LITELLM_LOCAL_POLICY_TEMPLATES": "true",  # the same, for its policy page
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",  # the same, for its router page
    "HF_HUB_OFFLINE": "1",  # tokenizers, from Hugging Face's hub
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}

RECOVERY = {
    # A stopped container's address leads nowhere, and a connection to it hangs for the whole
    # request timeout; its name is refused at once. The engine's resolver takes a millisecond.
    "AIOHTTP_TTL_DNS_CACHE": "0",
    # LiteLLM asks the database every so many seconds, and reconnects when it does not answer. Its
    # own 30 s and 15 s leave virtual keys refused for up to a minute after an outage.
    "PRISMA_HEALTH_WATCHDOG_INTERVAL_SECONDS": "5",
    "PRISMA_HEALTH_WATCHDOG_PROBE_TIMEOUT_SECONDS": "3",
    "PRISMA_RECONNECT_COOLDOWN_SECONDS": "5",
    "PRISMA_WATCHDOG_RECONNECT_TIMEOUT_SECONDS": "15",
}

QUIET_SETTINGS: dict[str, dict[str, Any]] = {
    "litellm_settings": {"disable_hf_tokenizer_download": True},
    "general_settings": {
        "disable_model_info_refresh": True,  # asks every provider each 5 min
        # sends the start of a hash of each password of the admin page to haveibeenpwned.com
        "password_policy_check_breached_passwords": False,
        "trusted_proxy_ranges": [],  # no proxy's word is taken for a caller's address
    },
}
"""What is added to the configuration, unless the user says otherwise there."""


def litellm_environment(
    settings: Settings, effective: EffectiveConfig, config_path: Path, url: str | None
) -> dict[str, str]:
    """Returns the variables to set before LiteLLM is imported."""
    environment = {
        **NO_CALLS_HOME,
        **RECOVERY,
        **engine_variables(settings.prisma_engine_dir),
        **effective.variables,
        "CONFIG_FILE_PATH": str(config_path),
        "DISABLE_ADMIN_UI": str(settings.disable_admin_ui).lower(),  # it knows one spelling
        "DISABLE_SCHEMA_UPDATE": "true",  # `gateway migrate` does that
        "GRACEFUL_SHUTDOWN_TIMEOUT": f"{settings.graceful_shutdown_timeout:g}",
        "JSON_LOGS": str(settings.json_logs).lower(),
        "LITELLM_LOG": settings.litellm_log,
        "LITELLM_MODE": "PRODUCTION",  # reads no .env by itself
    }
    if settings.litellm_master_key is not None:
        environment["LITELLM_MASTER_KEY"] = settings.litellm_master_key.get_secret_value()
    if settings.litellm_salt_key is not None:
        environment["LITELLM_SALT_KEY"] = settings.litellm_salt_key.get_secret_value()
    if settings.host in LOOPBACK:  # nobody else can reach it
        environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    if url is not None:
        environment["DATABASE_URL"] = for_prisma(url, pool_size=settings.db_pool_size)
    return environment


def add_quiet_settings(config: dict[str, Any]) -> None:
    """Adds QUIET_SETTINGS to a configuration where it says nothing about them."""
    for section, values in QUIET_SETTINGS.items():
        config[section] = {**values, **(config.get(section) or {})}
