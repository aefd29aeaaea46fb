"""The check before every start: file and environment together, without importing LiteLLM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config.document import read_config
from gateway.config.key_strength import weakness
from gateway.config.problems import ConfigurationError, Problem
from gateway.config.render import EffectiveConfig, render
from gateway.config.settings import load_settings
from gateway.database.url import database_problems
from gateway.traces.settings import trace_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.config.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def checked_config(variables: Mapping[str, str]) -> tuple[Settings, EffectiveConfig]:
    """Return the settings and the effective configuration.

    Raises:
        ConfigurationError: names everything that is wrong with either.
    """
    try:
        settings = load_settings(variables)
    except ConfigurationError as error:
        others = _other_problems(error.problems, variables)
        raise ConfigurationError([*error.problems, *others]) from None
    effective, problems = _judged(settings, variables)
    if effective is None or problems:
        raise ConfigurationError(problems)
    return settings, effective


def _judged(
    settings: Settings, variables: Mapping[str, str]
) -> tuple[EffectiveConfig | None, list[Problem]]:
    """Return the effective configuration, if there can be one, and every problem."""
    problems = [
        *_key_problems(settings),
        *database_problems(settings),
        *_trace_problems(settings),
    ]
    try:
        return render(read_config(settings.litellm_config), settings, variables), problems
    except ConfigurationError as error:
        return None, [*error.problems, *problems]


def _other_problems(known: Sequence[Problem], variables: Mapping[str, str]) -> list[Problem]:
    """Return what else is wrong, judged as if the variables that cannot be read were unset."""
    names = {problem.where.removesuffix("_FILE") for problem in known}
    rest = {
        name: value for name, value in variables.items() if name.removesuffix("_FILE") not in names
    }
    try:
        settings = load_settings(rest)
    except ConfigurationError:
        return []
    _, problems = _judged(settings, rest)
    return [problem for problem in problems if problem.where.removesuffix("_FILE") not in names]


def _trace_problems(settings: Settings) -> list[Problem]:
    try:
        trace_settings(settings)
    except ConfigurationError as error:
        return list(error.problems)
    return []


def _key_problems(settings: Settings) -> list[Problem]:
    """Require a strong key of a gateway that others can reach or that keeps keys in a database."""
    key = settings.litellm_master_key.get_secret_value() if settings.litellm_master_key else None
    advice = (
        "set LITELLM_MASTER_KEY or LITELLM_MASTER_KEY_FILE, for example to "
        '"sk-$(openssl rand -hex 24)"'
    )
    if key is None:
        if settings.host in LOOPBACK and settings.database_url is None and settings.db_host is None:
            return []
        return [Problem("LITELLM_MASTER_KEY", "is unset", advice)]
    reason = weakness(key)
    if reason is None or settings.host in LOOPBACK:
        return []
    return [Problem("LITELLM_MASTER_KEY", f"the key given {reason}", advice)]
