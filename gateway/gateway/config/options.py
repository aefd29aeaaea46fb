"""What litellm_config.yaml sets besides the models, as far as the gateway needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config.render import EffectiveConfig


EVERYBODY = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Options:
    """Settings of `litellm_settings` and `general_settings`, by LiteLLM's names.

    Attributes:
        trusted_proxies: trusted_proxy_ranges: whose word on a caller's address is taken;
            everybody's with use_x_forwarded_for alone.
        end_user_budget_id: max_end_user_budget_id: the budget of end users that have none.
        user_budget_on_team_keys: apply_user_budget_to_team_keys.
    """

    trusted_proxies: tuple[str, ...] = ()
    end_user_budget_id: str | None = None
    user_budget_on_team_keys: bool = False


def options_of(effective: EffectiveConfig) -> Options:
    """Return the options of a configuration."""
    general = effective.config.get("general_settings") or {}
    library = effective.config.get("litellm_settings") or {}
    trusted = tuple(map(str, general.get("trusted_proxy_ranges") or ()))
    if general.get("use_x_forwarded_for") and not trusted:
        trusted = EVERYBODY
    return Options(
        trusted_proxies=trusted,
        end_user_budget_id=library.get("max_end_user_budget_id"),
        user_budget_on_team_keys=bool(general.get("apply_user_budget_to_team_keys")),
    )
